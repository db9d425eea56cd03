//! Certificate and CertificateRequest (RFC 5246 §7.4.2, §7.4.4), CertificateVerify (§7.4.8).

use super::{ParseError, Reader, SignatureScheme, u16_elements, writer};

/// `ClientCertificateType` values (RFC 5246 §7.4.4, RFC 8422 §5.5).
pub(crate) const RSA_SIGN: u8 = 1;
pub(crate) const ECDSA_SIGN: u8 = 64;

/// The first certificate of the chain, or `None` when the chain is empty; the rest says nothing,
/// since identity is a fingerprint and not a chain (RFC 8122 §5).
pub(crate) fn parse_first(body: &[u8]) -> Result<Option<&[u8]>, ParseError> {
    let mut reader = Reader::new(body, "Certificate");
    let mut list = Reader::new(reader.vector24()?, "certificate_list");
    reader.finish()?;
    let mut first = None;
    while !list.is_empty() {
        let certificate = list.vector24()?;
        if certificate.is_empty() {
            return Err(ParseError::Length("certificate"));
        }
        first.get_or_insert(certificate);
    }
    Ok(first)
}

/// Appends the body of a Certificate message: these certificates, or none.
pub(crate) fn encode<'a>(out: &mut Vec<u8>, chain: impl IntoIterator<Item = &'a [u8]>) {
    writer::vector24(out, |out| {
        for der in chain {
            writer::vector24(out, |out| out.extend_from_slice(der));
        }
    });
}

/// What a server accepts from a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CertificateRequest<'a> {
    pub(crate) types: &'a [u8],
    schemes: &'a [u8],
}

impl<'a> CertificateRequest<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(body, "CertificateRequest");
        let types = reader.vector8()?;
        let schemes = reader.vector16()?;
        let authorities = reader.sub16("certificate_authorities")?;
        reader.finish()?;
        if !schemes.len().is_multiple_of(2) {
            return Err(ParseError::Length("supported_signature_algorithms"));
        }
        let mut authorities = authorities;
        while !authorities.is_empty() {
            authorities.vector16()?;
        }
        Ok(Self { types, schemes })
    }

    pub(crate) fn schemes(&self) -> impl Iterator<Item = SignatureScheme> + use<'a> {
        u16_elements(self.schemes).map(SignatureScheme)
    }

    pub(crate) fn encode(out: &mut Vec<u8>, types: &[u8], schemes: &[SignatureScheme]) {
        writer::vector8(out, |out| out.extend_from_slice(types));
        writer::vector16(out, |out| {
            for scheme in schemes {
                writer::u16(out, scheme.0);
            }
        });
        writer::vector16(out, |_| ());
    }
}

/// A `digitally-signed` element with its algorithm (RFC 5246 §4.7).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) scheme: SignatureScheme,
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads the element; it is the last one of every structure that has it.
    pub(crate) fn parse_last(mut reader: Reader<'a>) -> Result<Self, ParseError> {
        let scheme = SignatureScheme(reader.u16()?);
        let signature = reader.vector16()?;
        reader.finish()?;
        Ok(Self { scheme, signature })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        writer::u16(out, self.scheme.0);
        writer::vector16(out, |out| out.extend_from_slice(self.signature));
    }
}
