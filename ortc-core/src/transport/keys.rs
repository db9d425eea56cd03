//! From the handshake's exporter to the two SRTP contexts (RFC 5764 §4.2).

use ortc_dtls::{Role, SrtpKeying};
use ortc_srtp::{MasterKey, Profile, Receiver, Sender};

/// One context for each direction.
#[derive(Debug)]
pub(crate) struct SrtpContexts {
    pub(crate) profile: Profile,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
}

impl SrtpContexts {
    /// The client writes with the client's key, the server with the server's.
    pub(crate) fn new(keying: &SrtpKeying, role: Role, hash_seeds: [[u8; 8]; 2]) -> Option<Self> {
        // Only profiles that were offered are negotiated, so none of this fails.
        let profile = Profile::from_id(keying.profile)?;
        let client = MasterKey::new(profile, &keying.client_key, &keying.client_salt).ok()?;
        let server = MasterKey::new(profile, &keying.server_key, &keying.server_salt).ok()?;
        let (ours, theirs) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let [sender_seed, receiver_seed] = hash_seeds;
        Some(Self {
            profile,
            sender: Sender::new(&ours, sender_seed),
            receiver: Receiver::new(&theirs, receiver_seed),
        })
    }
}
