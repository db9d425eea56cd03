//! AES-128 in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).

use aes::Aes128Enc;
use aes::cipher::KeyInit;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::hmac_sha1::HmacSha1;
use super::{Fingerprint, key_stream};
use crate::error::UnprotectError;
use crate::index::Index;
use crate::keys::SessionKey;
use crate::profile::ESRTCP_LEN;
use crate::rtcp::{self, Esrtcp};
use crate::rtp::Header;

/// How much of the 160-bit tag is sent.
#[derive(Clone, Copy)]
pub(crate) enum TagLen {
    Octets4,
    Octets10,
}

/// Zeroized on drop: the AES round keys by their crate, the rest here.
pub(crate) struct AesCm {
    cipher: Aes128Enc,
    mac: HmacSha1,
    /// `k_s * 2^16` of RFC 3711 §4.1.1.
    salt: Salt,
    tag: TagLen,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Salt(u128);

impl AesCm {
    pub(crate) fn new(key: &SessionKey, tag: TagLen) -> Self {
        let mut octets = [0; 16];
        for (to, &from) in octets.iter_mut().zip(key.encryption_key()) {
            *to = from;
        }
        let cipher = Aes128Enc::new(&octets.into());
        octets.zeroize();
        Self {
            cipher,
            mac: HmacSha1::new(key.authentication_key()),
            salt: Salt(key.salt_number() << 16),
            tag,
        }
    }

    pub(crate) const fn tag_len(&self) -> usize {
        match self.tag {
            TagLen::Octets4 => 4,
            TagLen::Octets10 => 10,
        }
    }

    #[inline]
    pub(crate) fn seal_rtp(
        &self,
        buf: &mut Vec<u8>,
        start: usize,
        header: Header,
        index: Index,
    ) -> Fingerprint {
        let iv = self.iv(header.ssrc, index.value());
        let (_, packet) = buf.split_at_mut(start);
        let (_, payload) = packet.split_at_mut(header.len);
        key_stream::apply(&self.cipher, iv, payload);
        // RFC 3711 §4.2: the authenticated portion is the packet and the rollover counter.
        let tag = self.mac.tag(packet, index.roc);
        match self.tag {
            TagLen::Octets4 => append::<4>(buf, &tag),
            TagLen::Octets10 => append::<10>(buf, &tag),
        }
        let [a, b, c, d, ..] = tag;
        Fingerprint(u32::from_be_bytes([a, b, c, d]))
    }

    #[inline]
    pub(crate) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: Header,
        index: Index,
    ) -> Result<usize, UnprotectError> {
        let (packet, received) = split_tail(packet, self.tag_len())?;
        let tag = self.mac.tag(packet, index.roc);
        if !self.matches(&tag, received) {
            return Err(UnprotectError::Authentication);
        }
        let len = packet.len();
        let payload = packet.get_mut(header.len..);
        let payload = payload.ok_or(UnprotectError::Truncated)?;
        key_stream::apply(&self.cipher, self.iv(header.ssrc, index.value()), payload);
        Ok(len)
    }

    pub(crate) fn seal_rtcp(&self, buf: &mut Vec<u8>, start: usize, ssrc: u32, word: Esrtcp) {
        let (_, packet) = buf.split_at_mut(start);
        let (_, body) = packet.split_at_mut(rtcp::HEADER_LEN);
        let iv = self.iv(ssrc, word.index().into());
        key_stream::apply(&self.cipher, iv, body);
        let tag = self.mac.tag(packet, word.number());
        buf.extend_from_slice(&word.octets());
        append::<10>(buf, &tag);
    }

    pub(crate) fn open_rtcp(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        word: Esrtcp,
    ) -> Result<usize, UnprotectError> {
        let (packet, received) = split_tail(packet, self.tag_len())?;
        let (packet, _) = split_tail(packet, ESRTCP_LEN)?;
        // Checked whatever the E flag says (RFC 3711 §3.4).
        let tag = self.mac.tag(packet, word.number());
        if !self.matches(&tag, received) {
            return Err(UnprotectError::Authentication);
        }
        let len = packet.len();
        if word.is_encrypted() {
            let body = packet.get_mut(rtcp::HEADER_LEN..);
            let body = body.ok_or(UnprotectError::Truncated)?;
            let iv = self.iv(ssrc, word.index().into());
            key_stream::apply(&self.cipher, iv, body);
        }
        Ok(len)
    }

    /// `IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16)` (RFC 3711 §4.1.1).
    #[inline]
    fn iv(&self, ssrc: u32, index: u64) -> u128 {
        self.salt.0 ^ (u128::from(ssrc) << 64) ^ (u128::from(index) << 16)
    }

    #[inline]
    fn matches(&self, computed: &[u8; 20], received: &[u8]) -> bool {
        match self.tag {
            TagLen::Octets4 => equal::<4>(computed, received),
            TagLen::Octets10 => equal::<10>(computed, received),
        }
    }
}

/// Lengths known to the compiler become a load or two instead of a call.
#[inline]
fn append<const N: usize>(buf: &mut Vec<u8>, tag: &[u8; 20]) {
    if let Some(tag) = tag.first_chunk::<N>() {
        buf.extend_from_slice(tag);
    }
}

/// Whether the first `N` octets agree, in a time that does not tell where they differ.
#[inline]
fn equal<const N: usize>(computed: &[u8; 20], received: &[u8]) -> bool {
    let (Some(computed), Ok(received)) =
        (computed.first_chunk::<N>(), <&[u8; N]>::try_from(received))
    else {
        return false;
    };
    let mut difference = 0;
    for (a, b) in computed.iter().zip(received) {
        difference |= a ^ b;
    }
    difference.ct_eq(&0).into()
}

#[inline]
fn split_tail(packet: &mut [u8], len: usize) -> Result<(&mut [u8], &mut [u8]), UnprotectError> {
    let at = packet.len().checked_sub(len);
    let at = at.ok_or(UnprotectError::Truncated)?;
    Ok(packet.split_at_mut(at))
}
