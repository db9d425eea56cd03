//! The hellos, which all versions share: the client offers what it has, the server chooses.

mod answers;
mod client;
mod server;
mod verify;

pub(crate) use self::answers::Answers;
pub(crate) use self::client::{AwaitServerHello, Outcome as ClientOutcome, Shares, is_offered};
pub(crate) use self::server::{
    Asking, AwaitClientHello, Outcome as ServerOutcome, choose as choose_version,
};
use crate::wire::{ExtensionType, writer};

/// The end of the random of a server that could have chosen DTLS 1.3 and chose DTLS 1.2
/// (RFC 8446 §4.1.3).
pub(crate) const DOWNGRADE: [u8; 8] = *b"DOWNGRD\x01";

/// The same where an older version than DTLS 1.2 was chosen.
const DOWNGRADE_FURTHER: [u8; 8] = *b"DOWNGRD\x00";

/// Whether the server says that it could have done better. A client of DTLS 1.3 looks for both,
/// whichever older version was chosen (RFC 8446 §4.1.3).
fn says_downgrade(server_random: &[u8; 32]) -> bool {
    let signs = [DOWNGRADE, DOWNGRADE_FURTHER];
    signs.iter().any(|sign| server_random.ends_with(sign))
}

/// Appends an extension whose contents `body` appends.
pub(crate) fn extension(out: &mut Vec<u8>, kind: ExtensionType, body: impl FnOnce(&mut Vec<u8>)) {
    writer::u16(out, kind.0);
    writer::vector16(out, body);
}

/// Appends `connection_id` (RFC 9146 §3).
pub(crate) fn connection_id(out: &mut Vec<u8>, id: &[u8]) {
    extension(out, ExtensionType::CONNECTION_ID, |out| {
        writer::vector8(out, |out| out.extend_from_slice(id));
    });
}
