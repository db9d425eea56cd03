//! Session keys from the master key (RFC 3711 §4.3; RFC 6188 §3 for 256-bit keys).

use aes::cipher::KeyInit;
use aes::{Aes128Enc, Aes256Enc};

use crate::cipher::key_stream;
use crate::keys::MasterKey;

/// What a derived key is for (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy)]
pub(crate) enum Label {
    RtpEncryption = 0x00,
    RtpAuthentication = 0x01,
    RtpSalt = 0x02,
    RtcpEncryption = 0x03,
    RtcpAuthentication = 0x04,
    RtcpSalt = 0x05,
}

/// Bits between the label and the end of the 112-bit salt: the packet index, which is zero
/// because the derivation rate is (RFC 3711 §4.3.1).
const LABEL_SHIFT: u32 = 48;

/// Fills `out` with the key of that label. The generator runs AES with the length of the master
/// key: AES-CM with 128 bits, AES-256-CM with 256 (RFC 7714 §11).
#[expect(
    clippy::expect_used,
    reason = "a master key has the length of its profile, 16 or 32 octets"
)]
pub(crate) fn derive(master: &MasterKey, label: Label, out: &mut [u8]) {
    let salt = master
        .padded_salt()
        .into_iter()
        .fold(0, |number: u128, octet| number << 8 | u128::from(octet));
    let x = salt ^ (u128::from(label as u8) << LABEL_SHIFT);
    let first_block = x << 16;

    out.fill(0);
    if let Ok(key) = <&[u8; 16]>::try_from(master.key()) {
        key_stream::apply(&Aes128Enc::new(key.into()), first_block, out);
    } else {
        let key: &[u8; 32] = master.key().try_into().expect("16 octets or 32");
        key_stream::apply(&Aes256Enc::new(key.into()), first_block, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    /// RFC 3711 B.3, with the whole 94-octet authentication key.
    #[test]
    fn authentication_key_of_94_octets() {
        let master = MasterKey::new(
            Profile::Aes128CmHmacSha1_80,
            &hex::decode("E1F97A0D3E018BE0D64FA32C06DE4139").unwrap(),
            &hex::decode("0EC675AD498AFEEBB6960B3AABE6").unwrap(),
        )
        .unwrap();
        let mut key = [0; 94];

        derive(&master, Label::RtpAuthentication, &mut key);

        assert_eq!(
            hex::encode_upper(key),
            "CEBE321F6FF7716B6FD4AB49AF256A15\
             6D38BAA48F0A0ACF3C34E2359E6CDBCE\
             E049646C43D9327AD175578EF7227098\
             6371C10C9A369AC2F94A8C5FBCDDDC25\
             6D6E919A48B610EF17C2041E47403576\
             6B68642C59BBFC2F34DB60DBDFB2"
        );
    }
}
