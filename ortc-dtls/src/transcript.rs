//! The messages of a handshake of DTLS 1.2 so far, and their hash.

use crate::crypto::{Hash, HashContext, Output, Provider};
use crate::reassembly::Message;

/// Messages are kept until the suite says which hash to feed, and until the CertificateVerify,
/// which signs the messages themselves (RFC 5246 §7.4.8). What a peer can add is bounded by the
/// number of messages of a handshake and the limit of each.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    messages: Vec<u8>,
    hash: Option<Box<dyn HashContext>>,
    forgotten: bool,
}

impl Transcript {
    /// Adds a message of our own, header included.
    pub(crate) fn add(&mut self, message: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.update(message);
        }
        if !self.forgotten {
            if self.messages.is_empty() {
                // Enough for all messages with certificates of the usual length.
                self.messages.reserve(2048);
            }
            self.messages.extend_from_slice(message);
        }
    }

    /// Adds a message of the peer's as if it had come in one fragment (RFC 6347 §4.2.6).
    pub(crate) fn add_received(&mut self, message: &Message) {
        // A body is below 2^24 octets: the reassembly's limit is.
        let [.., l0, l1, l2] = message.body.len().to_be_bytes();
        let [m0, m1] = message.message_seq.to_be_bytes();
        self.add(&[message.kind.0, l0, l1, l2, m0, m1, 0, 0, 0, l0, l1, l2]);
        self.add(&message.body);
    }

    /// The suite is known: hashes what there is and what follows.
    pub(crate) fn start_hash(&mut self, provider: &dyn Provider, algorithm: Hash) {
        let mut hash = provider.hash(algorithm);
        hash.update(&self.messages);
        self.hash = Some(hash);
    }

    /// The hash so far; `None` before the suite is known.
    pub(crate) fn current(&self) -> Option<Output> {
        Some(self.hash.as_ref()?.current())
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> &[u8] {
        &self.messages
    }

    /// Only the hash is needed from now on.
    pub(crate) fn forget_messages(&mut self) {
        self.messages = Vec::new();
        self.forgotten = true;
    }
}
