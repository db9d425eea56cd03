//! The hash of the handshake so far, as TLS 1.3 has it (RFC 8446 §4.4.1, RFC 9147 §5.2).

use crate::crypto::{Hash, HashContext, Output, Provider};
use crate::reassembly::Message;
use crate::wire::HandshakeType;
use crate::wire::handshake::Fragment;

/// Messages are hashed with the header of TLS: type and length. The other fields of a DTLS header
/// do not count, unlike in DTLS 1.2.
#[derive(Debug)]
pub(crate) struct Transcript {
    hash: Box<dyn HashContext>,
    algorithm: Hash,
}

impl Transcript {
    pub(crate) fn new(provider: &dyn Provider, algorithm: Hash) -> Self {
        Self {
            hash: provider.hash(algorithm),
            algorithm,
        }
    }

    /// Adds a message of our own, whole, with its DTLS header.
    pub(crate) fn add_sent(&mut self, message: &[u8]) {
        let (header, body) = message
            .split_at_checked(Fragment::HEADER)
            .unwrap_or_default();
        self.hash.update(header.get(..4).unwrap_or_default());
        self.hash.update(body);
    }

    /// Adds a message of the peer's.
    pub(crate) fn add_received(&mut self, message: &Message) {
        self.add(message.kind, &message.body);
    }

    fn add(&mut self, kind: HandshakeType, body: &[u8]) {
        // A body is below 2^24 octets: the reassembly's limit is.
        let [.., l0, l1, l2] = body.len().to_be_bytes();
        self.hash.update(&[kind.0, l0, l1, l2]);
        self.hash.update(body);
    }

    /// Puts the hash of the first ClientHello in its place (RFC 8446 §4.4.1).
    pub(crate) fn retry(&mut self, provider: &dyn Provider) {
        let first = self.current();
        self.hash = provider.hash(self.algorithm);
        self.add(HandshakeType::MESSAGE_HASH, first.as_ref());
    }

    /// As it is after a HelloRetryRequest with this body, whoever sent it, to a ClientHello with
    /// this hash.
    pub(crate) fn of_retry(
        provider: &dyn Provider,
        algorithm: Hash,
        first: &[u8],
        request: &[u8],
    ) -> Self {
        let mut transcript = Self::new(provider, algorithm);
        transcript.add(HandshakeType::MESSAGE_HASH, first);
        transcript.add(HandshakeType::SERVER_HELLO, request);
        transcript
    }

    /// The hash of a ClientHello alone.
    pub(crate) fn hash_hello(provider: &dyn Provider, algorithm: Hash, body: &[u8]) -> Output {
        let mut transcript = Self::new(provider, algorithm);
        transcript.add(HandshakeType::CLIENT_HELLO, body);
        transcript.current()
    }

    /// The hash so far.
    pub(crate) fn current(&self) -> Output {
        self.hash.current()
    }
}
