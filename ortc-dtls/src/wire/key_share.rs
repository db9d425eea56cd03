//! The key_share and cookie extensions of DTLS 1.3 (RFC 8446 §4.2.2, §4.2.8).

use super::{NamedGroup, ParseError, Reader, writer};

/// More shares than any client sends.
const MAX_SHARES: usize = 16;

/// The shares of a ClientHello: each group once, in the client's order of preference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientShares<'a>(&'a [u8]);

impl<'a> ClientShares<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(data, "key_share");
        let list = reader.vector16()?;
        reader.finish()?;
        let mut seen = [NamedGroup(0); MAX_SHARES];
        let mut reader = Reader::new(list, "key_share");
        let mut count = 0;
        while !reader.is_empty() {
            let (group, _) = entry(&mut reader)?;
            if seen.iter().take(count).any(|&earlier| earlier == group) {
                return Err(ParseError::Duplicate("key share"));
            }
            let Some(slot) = seen.get_mut(count) else {
                return Err(ParseError::Invalid("number of key shares"));
            };
            *slot = group;
            count += 1;
        }
        Ok(Self(list))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (NamedGroup, &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.0, "key_share");
        core::iter::from_fn(move || entry(&mut reader).ok())
    }

    pub(crate) fn get(&self, wanted: NamedGroup) -> Option<&'a [u8]> {
        self.iter()
            .find_map(|(group, share)| (group == wanted).then_some(share))
    }
}

fn entry<'a>(reader: &mut Reader<'a>) -> Result<(NamedGroup, &'a [u8]), ParseError> {
    let group = NamedGroup(reader.u16()?);
    let share = reader.vector16()?;
    if share.is_empty() {
        return Err(ParseError::Length("key share"));
    }
    Ok((group, share))
}

/// The share of a ServerHello.
pub(crate) fn parse_server(data: &[u8]) -> Result<(NamedGroup, &[u8]), ParseError> {
    let mut reader = Reader::new(data, "key_share");
    let entry = entry(&mut reader)?;
    reader.finish()?;
    Ok(entry)
}

/// The group that a HelloRetryRequest asks for.
pub(crate) fn parse_retry(data: &[u8]) -> Result<NamedGroup, ParseError> {
    let mut reader = Reader::new(data, "key_share");
    let group = NamedGroup(reader.u16()?);
    reader.finish()?;
    Ok(group)
}

/// Appends one `KeyShareEntry`.
pub(crate) fn encode_entry(out: &mut Vec<u8>, group: NamedGroup, share: &[u8]) {
    writer::u16(out, group.0);
    writer::vector16(out, |out| out.extend_from_slice(share));
}

/// The contents of a cookie extension; never empty.
pub(crate) fn parse_cookie(data: &[u8]) -> Result<&[u8], ParseError> {
    let mut reader = Reader::new(data, "cookie");
    let cookie = reader.vector16()?;
    reader.finish()?;
    if cookie.is_empty() {
        return Err(ParseError::Length("cookie"));
    }
    Ok(cookie)
}
