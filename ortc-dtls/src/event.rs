//! What an endpoint tells its owner.

use core::fmt;

use bytes::Bytes;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::alert::AlertDescription;
use crate::connection_id::ConnectionId;
use crate::crypto::CryptoError;
use crate::wire::{ContentType, ExtensionType, HandshakeType, ParseError};

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete and the peer is verified as the policy demands: keys can be
    /// exported, application data flows. Comes once.
    Connected,
    /// The handshake is complete, but nobody vouches for the peer's certificate, or there is none:
    /// everything is held until an expected fingerprint is set or the peer is accepted.
    Unverified,
    /// The certificate of a peer that was unverified matched or was accepted. Where the policy
    /// held the connection, [`Event::Connected`] follows. Never comes for a client without
    /// certificate.
    Verified,
    /// The peer sent application data: one record.
    ApplicationData(Bytes),
    /// The peer sends no more application data and still reads ours; only in DTLS 1.3 with
    /// [`Config::half_close`](crate::Config::half_close), and once. What was sent before may still
    /// arrive.
    ReadClosed,
    /// The peer was given a further connection id of ours, which its datagrams may have from now on.
    ConnectionId(ConnectionId),
    /// A line for a key log file; only when [`Config::key_log`](crate::Config::key_log) is on.
    KeyLog(KeyLogLine),
    /// The end; no event follows.
    Closed(CloseReason),
}

/// One line of a key log in the NSS format, without line end. It decrypts the connection.
#[derive(Clone, Eq)]
pub struct KeyLogLine(Zeroizing<String>);

impl PartialEq for KeyLogLine {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl KeyLogLine {
    pub(crate) fn new(label: &str, random: &[u8], secret: &[u8]) -> Self {
        use fmt::Write as _;
        let hex = 2 * (random.len() + secret.len());
        // Its full length at once: a string that grows leaves secrets behind.
        let mut line = Zeroizing::new(String::with_capacity(label.len() + hex + 2));
        line.push_str(label);
        for part in [random, secret] {
            line.push(' ');
            for octet in part {
                // Writing to a string cannot fail.
                let _ = write!(line, "{octet:02x}");
            }
        }
        Self(line)
    }

    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyLogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLogLine(..)")
    }
}

/// Why an endpoint is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// [`Endpoint::close`](crate::Endpoint::close) was called.
    #[error("closed by the application")]
    Local,
    /// The peer sent an authenticated close_notify.
    #[error("closed by the peer")]
    PeerClosed,
    /// The peer sent an authenticated fatal alert.
    #[error("the peer reported {0}")]
    PeerAlert(AlertDescription),
    /// The peer broke the protocol, or has nothing in common with us.
    #[error("handshake failed: {0}")]
    Protocol(#[from] ProtocolError),
    /// The peer's certificate is not the expected one.
    #[error("the peer's certificate does not match the expected fingerprint")]
    FingerprintMismatch,
    /// The handshake was not complete in time. `alert` is the last alert that came in plaintext:
    /// it proves nothing and is not obeyed, but often says what the peer disliked.
    #[error("handshake timed out")]
    Timeout {
        /// The last alert in plaintext.
        alert: Option<AlertDescription>,
    },
    /// The peer did not acknowledge a KeyUpdate or a change of connection ids within
    /// [`Config::handshake_timeout`](crate::Config::handshake_timeout) (RFC 9147 §5.8.4).
    #[error("the peer acknowledged nothing")]
    Unacknowledged,
    /// A key reached the number of records that it may protect (RFC 9147 §4.5.3).
    #[error("a key reached its limit")]
    KeyLimit,
    /// The crypto provider failed.
    #[error("the crypto provider failed")]
    Internal,
}

impl From<ParseError> for CloseReason {
    fn from(error: ParseError) -> Self {
        Self::Protocol(ProtocolError::Malformed(error))
    }
}

impl From<CryptoError> for CloseReason {
    /// Only for what our own provider does; a peer's failures are mapped where they occur.
    fn from(_: CryptoError) -> Self {
        Self::Internal
    }
}

/// What the peer did, in a complete handshake message in its turn or an authenticated record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A message, or a fragment of one that is authenticated, could not be parsed or contradicts
    /// what came of the same message.
    #[error("malformed message: {0}")]
    Malformed(ParseError),
    /// An authenticated fragment of a message above
    /// [`Config::max_handshake_message`](crate::Config::max_handshake_message). Its syntax is right,
    /// so that illegal_parameter is the alert that fits best (RFC 8446 §6.2, RFC 5246 §7.2.2).
    #[error("{0} is above the limit")]
    MessageTooLong(HandshakeType),
    /// A message that does not belong there.
    #[error("unexpected message {0}")]
    UnexpectedMessage(HandshakeType),
    /// The peer does not offer, or did not choose, a version that is switched on.
    #[error("no common version")]
    Version,
    /// No common value of the named parameter.
    #[error("no common {0}")]
    NothingInCommon(&'static str),
    /// The peer chose a value of the named parameter that was not offered.
    #[error("{0} was not offered")]
    IllegalChoice(&'static str),
    /// The peer answered an extension that was not offered.
    #[error("extension {0} was not offered")]
    UnsolicitedExtension(ExtensionType),
    /// An extension is missing without which this version cannot go on (RFC 8446 §9.2).
    #[error("extension {0} is missing")]
    MissingExtension(ExtensionType),
    /// An extension that we know stands in a message that it does not belong to
    /// (RFC 8446 §4.2).
    #[error("extension {0} is in the wrong message")]
    MisplacedExtension(ExtensionType),
    /// The second ClientHello is not the first with what the HelloRetryRequest asked for, or offers
    /// another version than the one that asked, or the request asked for nothing (RFC 8446 §4.1.2,
    /// §4.1.4).
    #[error("the second ClientHello does not follow from the first")]
    SecondHello,
    /// The server says in its random that it would have chosen a newer version (RFC 8446 §4.1.3):
    /// somebody changed the ClientHello.
    #[error("the version was downgraded")]
    Downgrade,
    /// No application protocol in common (RFC 7301 §3.2).
    #[error("no common application protocol")]
    ApplicationProtocol,
    /// An authenticated record of a type that does not belong there (RFC 8446 §5).
    #[error("unexpected record {0}")]
    ContentType(ContentType),
    /// More KeyUpdates in a row than anybody needs.
    #[error("too many KeyUpdates")]
    KeyUpdates,
    /// The peer asks for connection ids again before it was answered (RFC 9147 §9).
    #[error("too many requests for connection ids")]
    ConnectionIdRequests,
    /// The peer does not support the extended master secret (RFC 7627).
    #[error("no extended master secret")]
    NoExtendedMasterSecret,
    /// A first handshake that claims to be a renegotiation (RFC 5746 §3.4, §3.6).
    #[error("renegotiation_info is not empty")]
    Renegotiation,
    /// The peer sent no certificate.
    #[error("no certificate")]
    NoCertificate,
    /// The client sent no certificate; DTLS 1.3 has an alert of its own for it.
    #[error("no client certificate")]
    CertificateRequired,
    /// The peer's certificate has no public key that we can use.
    #[error("unusable certificate: {0}")]
    Certificate(ParseError),
    /// The peer's public value is invalid.
    #[error("invalid key share")]
    KeyShare,
    /// A signature is wrong, or of a kind that the key does not make.
    #[error("wrong signature")]
    Signature,
    /// The Finished does not fit the handshake.
    #[error("wrong Finished")]
    Finished,
}
