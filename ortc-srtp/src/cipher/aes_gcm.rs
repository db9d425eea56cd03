//! AES-GCM (RFC 7714).

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Fingerprint;
use crate::error::UnprotectError;
use crate::index::Index;
use crate::keys::SessionKey;
use crate::profile::ESRTCP_LEN;
use crate::rtcp::{self, Esrtcp};
use crate::rtp::Header;

/// Both profiles send the whole tag (RFC 7714 §14.2).
pub(crate) const TAG_LEN: usize = 16;

/// What ring holds of the key it does not zeroize.
pub(crate) struct AesGcm {
    key: LessSafeKey,
    /// 96 bits.
    salt: Salt,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Salt(u128);

impl AesGcm {
    #[expect(
        clippy::expect_used,
        reason = "a session key has the length of its profile, 16 or 32 octets"
    )]
    pub(crate) fn new(key: &SessionKey) -> Self {
        let algorithm = if key.encryption_key().len() == AES_128_GCM.key_len() {
            &AES_128_GCM
        } else {
            &AES_256_GCM
        };
        let unbound = UnboundKey::new(algorithm, key.encryption_key());
        Self {
            key: LessSafeKey::new(unbound.expect("the length of the algorithm's key")),
            salt: Salt(key.salt_number()),
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
        let (_, packet) = buf.split_at_mut(start);
        let (header_octets, payload) = packet.split_at_mut(header.len);
        let nonce = self.nonce(header.ssrc, index.value());
        let tag = self.seal(nonce, header_octets, payload);
        buf.extend_from_slice(&tag);
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
        let len = packet.len().checked_sub(TAG_LEN);
        let len = len.ok_or(UnprotectError::Truncated)?;
        let split = packet.split_at_mut_checked(header.len);
        let (header_octets, payload) = split.ok_or(UnprotectError::Truncated)?;
        let nonce = self.nonce(header.ssrc, index.value());
        self.open(nonce, header_octets, payload)?;
        Ok(len)
    }

    /// RFC 7714 §9.2, Figure 5.
    pub(crate) fn seal_rtcp(&self, buf: &mut Vec<u8>, start: usize, ssrc: u32, word: Esrtcp) {
        let (_, packet) = buf.split_at_mut(start);
        let (header, body) = packet.split_at_mut(rtcp::HEADER_LEN);
        let aad = rtcp_aad(header, word);
        let tag = self.seal(self.nonce(ssrc, word.index().into()), &aad, body);
        buf.extend_from_slice(&tag);
        buf.extend_from_slice(&word.octets());
    }

    pub(crate) fn open_rtcp(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        word: Esrtcp,
    ) -> Result<usize, UnprotectError> {
        let len = packet.len().checked_sub(TAG_LEN + ESRTCP_LEN);
        let len = len.ok_or(UnprotectError::Truncated)?;
        let nonce = self.nonce(ssrc, word.index().into());
        if word.is_encrypted() {
            let (sealed, _) = packet.split_at_mut(len + TAG_LEN);
            let split = sealed.split_at_mut_checked(rtcp::HEADER_LEN);
            let (header, body) = split.ok_or(UnprotectError::Truncated)?;
            self.open(nonce, &rtcp_aad(header, word), body)?;
        } else {
            self.verify_unencrypted(nonce, packet, len, word)?;
        }
        Ok(len)
    }

    /// RFC 7714 §9.3, Figure 6: all of the packet and the E|index word are associated data, in
    /// one piece only without the tag between them. The word takes the tag's place meanwhile.
    fn verify_unencrypted(
        &self,
        nonce: Nonce,
        packet: &mut [u8],
        len: usize,
        word: Esrtcp,
    ) -> Result<(), UnprotectError> {
        let split = packet.split_at_mut_checked(len);
        let (_, trailer) = split.ok_or(UnprotectError::Truncated)?;
        let tag: [u8; TAG_LEN] = trailer
            .first_chunk()
            .copied()
            .ok_or(UnprotectError::Truncated)?;
        if let Some(place) = trailer.first_chunk_mut() {
            *place = word.octets();
        }
        let (aad, _) = packet.split_at(len + ESRTCP_LEN);
        let verified =
            self.key
                .open_in_place_separate_tag(nonce, Aad::from(aad), tag.into(), &mut [], 0..);
        let verified = verified.is_ok();
        if let Some(place) = packet.split_at_mut(len).1.first_chunk_mut::<TAG_LEN>() {
            *place = tag;
        }
        if verified {
            Ok(())
        } else {
            Err(UnprotectError::Authentication)
        }
    }

    /// `IV = (00 00 | SSRC | ROC | SEQ) XOR salt`, and for SRTCP
    /// `(00 00 | SSRC | 00 00 | index) XOR salt` (RFC 7714 §8.1, §9.1).
    #[inline]
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let iv = self.salt.0 ^ (u128::from(ssrc) << 48) ^ u128::from(index);
        let [_, _, _, _, nonce @ ..] = iv.to_be_bytes();
        const { assert!(NONCE_LEN == 12) }
        Nonce::assume_unique_for_key(nonce)
    }

    #[inline]
    #[expect(
        clippy::expect_used,
        reason = "ring refuses only what exceeds 2^36 - 32 octets; callers stop at 2^20"
    )]
    fn seal(&self, nonce: Nonce, aad: &[u8], plaintext: &mut [u8]) -> [u8; TAG_LEN] {
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), plaintext);
        let tag: Tag = sealed.expect("a packet is shorter than the limit of GCM");
        let mut octets = [0; TAG_LEN];
        octets.copy_from_slice(tag.as_ref());
        octets
    }

    #[inline]
    fn open(&self, nonce: Nonce, aad: &[u8], sealed: &mut [u8]) -> Result<(), UnprotectError> {
        self.key
            .open_in_place(nonce, Aad::from(aad), sealed)
            .map(|_| ())
            .map_err(|_| UnprotectError::Authentication)
    }
}

#[inline]
fn rtcp_aad(header: &[u8], word: Esrtcp) -> [u8; rtcp::HEADER_LEN + ESRTCP_LEN] {
    let mut aad = [0; rtcp::HEADER_LEN + ESRTCP_LEN];
    for (to, from) in aad.iter_mut().zip(header) {
        *to = *from;
    }
    if let Some(place) = aad.last_chunk_mut() {
        *place = word.octets();
    }
    aad
}
