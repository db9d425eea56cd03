//! ServerKeyExchange and ClientKeyExchange for ECDHE (RFC 8422 §5.4, §5.7).

use super::certificate::Signed;
use super::{NamedGroup, ParseError, Reader, writer};

/// `ECCurveType.named_curve`.
const NAMED_CURVE: u8 = 3;

/// The server's share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerKeyExchange<'a> {
    pub(crate) group: NamedGroup,
    pub(crate) public: &'a [u8],
    /// `ServerECDHParams` as they came: what the signature covers after the two randoms.
    pub(crate) params: &'a [u8],
    pub(crate) signed: Signed<'a>,
}

impl<'a> ServerKeyExchange<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(body, "ServerKeyExchange");
        if reader.u8()? != NAMED_CURVE {
            return Err(ParseError::Invalid("curve_type"));
        }
        let group = NamedGroup(reader.u16()?);
        let public = reader.vector8()?;
        let rest = reader.clone().rest().len();
        let params = body.split_at_checked(body.len() - rest);
        Ok(Self {
            group,
            public,
            params: params.map_or(&[], |(params, _)| params),
            signed: Signed::parse_last(reader)?,
        })
    }
}

/// Appends `ServerECDHParams`.
pub(crate) fn encode_params(out: &mut Vec<u8>, group: NamedGroup, public: &[u8]) {
    out.push(NAMED_CURVE);
    writer::u16(out, group.0);
    writer::vector8(out, |out| out.extend_from_slice(public));
}

/// The client's share.
pub(crate) fn parse_client(body: &[u8]) -> Result<&[u8], ParseError> {
    let mut reader = Reader::new(body, "ClientKeyExchange");
    let public = reader.vector8()?;
    reader.finish()?;
    Ok(public)
}
