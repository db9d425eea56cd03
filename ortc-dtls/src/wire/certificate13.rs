//! Certificate and CertificateRequest of DTLS 1.3 (RFC 8446 §4.3.2, §4.4.2).

use super::extension::Extensions;
use super::{ExtensionType, ParseError, Reader, SignatureScheme, writer};

/// What a Certificate message shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain<'a> {
    /// The first certificate, or `None` when there is none.
    pub(crate) first: Option<&'a [u8]>,
    /// An extension of an entry; none was asked for.
    pub(crate) extension: Option<ExtensionType>,
}

impl<'a> Chain<'a> {
    /// Reads a message of the handshake itself, whose request context is empty.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(body, "Certificate");
        if !reader.vector8()?.is_empty() {
            return Err(ParseError::Invalid("certificate_request_context"));
        }
        let mut list = Reader::new(reader.vector24()?, "certificate_list");
        reader.finish()?;
        let (mut first, mut extension) = (None, None);
        while !list.is_empty() {
            let certificate = list.vector24()?;
            if certificate.is_empty() {
                return Err(ParseError::Length("certificate"));
            }
            first.get_or_insert(certificate);
            let extensions = Extensions::parse(list.vector16()?)?;
            extension = extension.or(extensions.iter().next().map(|(kind, _)| kind));
        }
        Ok(Self { first, extension })
    }
}

/// Appends the body of a Certificate message: these certificates, or none.
pub(crate) fn encode<'a>(out: &mut Vec<u8>, chain: impl IntoIterator<Item = &'a [u8]>) {
    writer::vector8(out, |_| ()); // certificate_request_context
    writer::vector24(out, |out| {
        for der in chain {
            writer::vector24(out, |out| out.extend_from_slice(der));
            writer::vector16(out, |_| ()); // extensions
        }
    });
}

/// The extensions of a CertificateRequest of the handshake itself.
pub(crate) fn parse_request(body: &[u8]) -> Result<Extensions<'_>, ParseError> {
    let mut reader = Reader::new(body, "CertificateRequest");
    // Only a request after the handshake has a context.
    if !reader.vector8()?.is_empty() {
        return Err(ParseError::Invalid("certificate_request_context"));
    }
    let list = reader.sub16("extensions")?;
    reader.finish()?;
    Extensions::parse(list.rest())
}

/// Appends a CertificateRequest. `certificate_authorities` is left out: an empty list is an error
/// to some peers, and a fingerprint has no authority.
pub(crate) fn encode_request(out: &mut Vec<u8>, schemes: &[SignatureScheme]) {
    writer::vector8(out, |_| ()); // certificate_request_context
    writer::vector16(out, |out| {
        writer::u16(out, ExtensionType::SIGNATURE_ALGORITHMS.0);
        writer::vector16(out, |out| {
            writer::vector16(out, |out| {
                for scheme in schemes {
                    writer::u16(out, scheme.0);
                }
            });
        });
    });
}
