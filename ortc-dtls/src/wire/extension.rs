//! Hello extensions (RFC 5246 §7.4.1.4): the list, and the contents of those we act on.

use super::{ExtensionType, ParseError, Reader, u16_elements};

/// A list of extensions as it came, checked: every length fits and no type occurs twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions<'a>(&'a [u8]);

/// More extensions than any hello has; the search for duplicates stays cheap below it.
const MAX_EXTENSIONS: usize = 64;

impl<'a> Extensions<'a> {
    /// Checks the octets of a list, without its length prefix.
    ///
    /// # Errors
    ///
    /// [`ParseError::Truncated`], [`ParseError::Duplicate`] for a repeated type (RFC 5246
    /// §7.4.1.4), [`ParseError::Invalid`] above 64 extensions.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        let mut seen = [0_u16; MAX_EXTENSIONS];
        let mut count = 0;
        let mut reader = Reader::new(octets, "extensions");
        while !reader.is_empty() {
            let kind = reader.u16()?;
            reader.vector16()?;
            if seen.iter().take(count).any(|&earlier| earlier == kind) {
                return Err(ParseError::Duplicate("extension"));
            }
            let Some(slot) = seen.get_mut(count) else {
                return Err(ParseError::Invalid("number of extensions"));
            };
            *slot = kind;
            count += 1;
        }
        Ok(Self(octets))
    }

    /// Every extension in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = (ExtensionType, &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.0, "extensions");
        core::iter::from_fn(move || {
            let kind = reader.u16().ok()?;
            Some((ExtensionType(kind), reader.vector16().ok()?))
        })
    }

    /// The contents of one extension.
    #[must_use]
    pub fn get(&self, wanted: ExtensionType) -> Option<&'a [u8]> {
        self.iter()
            .find_map(|(kind, data)| (kind == wanted).then_some(data))
    }

    /// The contents of a list of 16-bit values behind a two-octet length: `supported_groups`,
    /// `signature_algorithms`.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when it is not such a list, is empty, or of odd length.
    pub fn list16(
        &self,
        wanted: ExtensionType,
    ) -> Result<Option<impl Iterator<Item = u16> + Clone + use<'a>>, ParseError> {
        let Some(data) = self.get(wanted) else {
            return Ok(None);
        };
        let mut reader = Reader::new(data, "extension");
        let list = reader.vector16()?;
        reader.finish()?;
        check_list16(list)?;
        Ok(Some(u16_elements(list)))
    }

    /// The versions of `supported_versions` in a ClientHello (RFC 8446 §4.2.1).
    ///
    /// # Errors
    ///
    /// As [`Extensions::list16`].
    pub fn supported_versions(
        &self,
    ) -> Result<Option<impl Iterator<Item = u16> + Clone + use<'a>>, ParseError> {
        let Some(data) = self.get(ExtensionType::SUPPORTED_VERSIONS) else {
            return Ok(None);
        };
        let mut reader = Reader::new(data, "supported_versions");
        let list = reader.vector8()?;
        reader.finish()?;
        check_list16(list)?;
        Ok(Some(u16_elements(list)))
    }

    /// The version of `supported_versions` in a ServerHello (RFC 8446 §4.2.1).
    ///
    /// # Errors
    ///
    /// [`ParseError`] when it is not one version.
    pub fn selected_version(&self) -> Result<Option<u16>, ParseError> {
        self.u16(ExtensionType::SUPPORTED_VERSIONS, "supported_versions")
    }

    /// `record_size_limit` (RFC 8449 §4).
    ///
    /// # Errors
    ///
    /// [`ParseError`] when it is not one number, or below 64.
    pub fn record_size_limit(&self) -> Result<Option<u16>, ParseError> {
        let limit = self.u16(ExtensionType::RECORD_SIZE_LIMIT, "record_size_limit")?;
        if limit.is_some_and(|limit| limit < 64) {
            return Err(ParseError::Invalid("record_size_limit"));
        }
        Ok(limit)
    }

    /// `connection_id` (RFC 9146 §3): what the sender wants to receive; empty for none.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when it is not one id.
    pub fn connection_id(&self) -> Result<Option<&'a [u8]>, ParseError> {
        let Some(data) = self.get(ExtensionType::CONNECTION_ID) else {
            return Ok(None);
        };
        let mut reader = Reader::new(data, "connection_id");
        let id = reader.vector8()?;
        reader.finish()?;
        Ok(Some(id))
    }

    fn u16(&self, wanted: ExtensionType, what: &'static str) -> Result<Option<u16>, ParseError> {
        let Some(data) = self.get(wanted) else {
            return Ok(None);
        };
        let mut reader = Reader::new(data, what);
        let value = reader.u16()?;
        reader.finish()?;
        Ok(Some(value))
    }

    /// The application protocols (RFC 7301 §3.1); never empty, none of them empty.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when it is not a list of names.
    pub fn application_protocols(
        &self,
    ) -> Result<Option<impl Iterator<Item = &'a [u8]> + Clone + use<'a>>, ParseError> {
        let Some(data) = self.get(ExtensionType::ALPN) else {
            return Ok(None);
        };
        let mut reader = Reader::new(data, "ProtocolNameList");
        let list = reader.vector16()?;
        reader.finish()?;
        let mut names = Reader::new(list, "ProtocolName");
        if names.is_empty() {
            return Err(ParseError::Length("ProtocolNameList"));
        }
        while !names.is_empty() {
            if names.vector8()?.is_empty() {
                return Err(ParseError::Length("ProtocolName"));
            }
        }
        let mut names = Reader::new(list, "ProtocolName");
        Ok(Some(core::iter::from_fn(move || names.vector8().ok())))
    }

    /// `use_srtp` (RFC 5764 §4.1.1).
    ///
    /// # Errors
    ///
    /// As [`Extensions::list16`].
    pub fn use_srtp(&self) -> Result<Option<UseSrtp<'a>>, ParseError> {
        let Some(data) = self.get(ExtensionType::USE_SRTP) else {
            return Ok(None);
        };
        let mut reader = Reader::new(data, "use_srtp");
        let profiles = reader.vector16()?;
        let mki = reader.vector8()?;
        reader.finish()?;
        check_list16(profiles)?;
        Ok(Some(UseSrtp { profiles, mki }))
    }

    /// Whether `ec_point_formats` is absent or lists the uncompressed format, as it must (RFC 8422
    /// §5.1.2, §5.2).
    ///
    /// # Errors
    ///
    /// [`ParseError`] when it is not a list.
    pub(crate) fn has_uncompressed_points(&self) -> Result<bool, ParseError> {
        let Some(data) = self.get(ExtensionType::EC_POINT_FORMATS) else {
            return Ok(true);
        };
        let mut reader = Reader::new(data, "ec_point_formats");
        let formats = reader.vector8()?;
        reader.finish()?;
        Ok(formats.contains(&0))
    }

    /// Whether `renegotiation_info` is absent or says "first handshake" (RFC 5746 §3.4).
    pub(crate) fn renegotiation_is_initial(&self) -> bool {
        self.get(ExtensionType::RENEGOTIATION_INFO)
            .is_none_or(|data| data == [0])
    }
}

/// What a peer says about SRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseSrtp<'a> {
    profiles: &'a [u8],
    mki: &'a [u8],
}

impl<'a> UseSrtp<'a> {
    /// The protection profiles, most preferred first; never empty.
    pub fn profiles(&self) -> impl Iterator<Item = u16> + Clone + use<'a> {
        u16_elements(self.profiles)
    }

    /// The master key identifier; empty as a rule.
    #[must_use]
    pub const fn mki(&self) -> &'a [u8] {
        self.mki
    }
}

const fn check_list16(list: &[u8]) -> Result<(), ParseError> {
    if list.is_empty() || !list.len().is_multiple_of(2) {
        return Err(ParseError::Length("list"));
    }
    Ok(())
}
