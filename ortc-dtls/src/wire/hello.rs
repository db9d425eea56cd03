//! ClientHello, ServerHello and HelloVerifyRequest (RFC 5246 §7.4.1, RFC 6347 §4.3.2).

use super::extension::Extensions;
use super::{CipherSuite, ParseError, ProtocolVersion, Reader, u16_elements, writer};

/// A ClientHello, borrowed from the reassembled message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// `client_version`; what is really offered may stand in `supported_versions`.
    pub legacy_version: ProtocolVersion,
    /// The client's random.
    pub random: &'a [u8; 32],
    /// The session to resume; at most 32 octets.
    pub session_id: &'a [u8],
    /// The cookie of a HelloVerifyRequest, or empty.
    pub cookie: &'a [u8],
    /// The compression methods; the null method is among them.
    pub compression_methods: &'a [u8],
    /// The extensions.
    pub extensions: Extensions<'a>,
    cipher_suites: &'a [u8],
}

impl<'a> ClientHello<'a> {
    /// Reads the body of the message.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when a length does not fit, a list is empty or odd, null compression is
    /// not offered, an extension is repeated, or octets follow.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(body, "ClientHello");
        let legacy_version = ProtocolVersion(reader.u16()?);
        let random = reader.array()?;
        let session_id = session_id(&mut reader)?;
        let cookie = reader.vector8()?;
        let cipher_suites = reader.vector16()?;
        if cipher_suites.is_empty() || !cipher_suites.len().is_multiple_of(2) {
            return Err(ParseError::Length("cipher_suites"));
        }
        let compression_methods = reader.vector8()?;
        if !compression_methods.contains(&0) {
            return Err(ParseError::Invalid("compression_methods"));
        }
        let extensions = extensions(reader)?;
        Ok(Self {
            legacy_version,
            random,
            session_id,
            cookie,
            compression_methods,
            extensions,
            cipher_suites,
        })
    }

    /// The suites, most preferred first; never empty.
    pub fn cipher_suites(&self) -> impl Iterator<Item = CipherSuite> + Clone + use<'a> {
        u16_elements(self.cipher_suites).map(CipherSuite)
    }

    pub(crate) const fn cipher_suite_octets(&self) -> &'a [u8] {
        self.cipher_suites
    }
}

/// A ServerHello, borrowed from the reassembled message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The version that the server chose (1.2), or a constant (1.3).
    pub version: ProtocolVersion,
    /// The server's random.
    pub random: &'a [u8; 32],
    /// The session; at most 32 octets.
    pub session_id: &'a [u8],
    /// The suite that the server chose.
    pub cipher_suite: CipherSuite,
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads the body of the message.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when a length does not fit, compression is not null, an extension is
    /// repeated, or octets follow.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(body, "ServerHello");
        let version = ProtocolVersion(reader.u16()?);
        let random = reader.array()?;
        let session_id = session_id(&mut reader)?;
        let cipher_suite = CipherSuite(reader.u16()?);
        if reader.u8()? != 0 {
            return Err(ParseError::Invalid("compression_method"));
        }
        let extensions = extensions(reader)?;
        Ok(Self {
            version,
            random,
            session_id,
            cipher_suite,
            extensions,
        })
    }
}

/// The cookie of a HelloVerifyRequest; its version says nothing (RFC 6347 §4.2.1).
pub(crate) fn parse_hello_verify_request(body: &[u8]) -> Result<&[u8], ParseError> {
    let mut reader = Reader::new(body, "HelloVerifyRequest");
    reader.u16()?;
    let cookie = reader.vector8()?;
    reader.finish()?;
    Ok(cookie)
}

/// Appends the body of a HelloVerifyRequest: its version is that of DTLS 1.0, whichever follows
/// (RFC 6347 §4.2.1).
pub(crate) fn encode_hello_verify_request(out: &mut Vec<u8>, cookie: &[u8]) {
    writer::u16(out, ProtocolVersion::DTLS10.0);
    writer::vector8(out, |out| out.extend_from_slice(cookie));
}

fn session_id<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], ParseError> {
    let id = reader.vector8()?;
    if id.len() > 32 {
        return Err(ParseError::Length("session_id"));
    }
    Ok(id)
}

/// The extension list may be missing altogether (RFC 5246 §7.4.1.2).
fn extensions(mut reader: Reader<'_>) -> Result<Extensions<'_>, ParseError> {
    if reader.is_empty() {
        return Ok(Extensions::default());
    }
    let list = reader.sub16("extensions")?;
    reader.finish()?;
    Extensions::parse(list.rest())
}
