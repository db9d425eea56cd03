//! What an agent tells its embedder.

use crate::agent::NameQuery;
use crate::candidate::Candidate;
use crate::path::{Path, StreamId};
use crate::role::Role;
use crate::stream::OpenStream;
use crate::stun::AttributeType;

/// Something happened. Events keep their order. Of the role, the pair for data and the suspicion only
/// the latest value waits to be taken out, so that a peer that keeps changing its mind cannot make
/// the queue grow; those about attributes are bounded; the others are never dropped, and strangers
/// cause none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "a change of pair is rare, and its candidates are what embedders ask for"
)]
pub enum Event {
    /// Data may be sent: the first pair is valid, or one is valid again after
    /// [`ConsentExpired`](Self::ConsentExpired) or [`Failed`](Self::Failed).
    Connected,
    /// The pair that data leaves on changed.
    ActivePair {
        /// Our end, as the peer sees it.
        local: Candidate,
        /// The peer's end.
        remote: Candidate,
        /// What to send on.
        path: Path,
    },
    /// The role changed: it was settled by the credentials, or a conflict was repaired.
    RoleChanged(Role),
    /// The active pair answers nothing and nothing authenticated arrives; the other pairs are
    /// being tried. It stays in use until one of them proves to work.
    PathSuspected(Path),
    /// Consent of the last pair expired (RFC 7675 §5.1): no data may be sent. Checks go on.
    ConsentExpired,
    /// An authenticated check of the peer, or its answer to one of ours, carried an attribute of
    /// [`Config::report_attributes`](crate::Config::report_attributes); those of one message come
    /// together. At most 32 wait to be taken out, further ones are counted and lost. Whoever can
    /// record a check can send it again, so that what it carries may come twice.
    CheckAttribute {
        /// The way it came.
        path: Path,
        /// Which attribute.
        kind: AttributeType,
        /// Its octets; `None` when the peer's message did not carry it, told once until it does.
        value: Option<Vec<u8>>,
        /// Whether it came in an answer to a check of ours.
        in_response: bool,
    },
    /// A check needs a stream (RFC 6544 §7.1): answer with
    /// [`Agent::stream_opened`](crate::Agent::stream_opened) or
    /// [`Agent::stream_failed`](crate::Agent::stream_failed). After 15 s without an answer the pair
    /// fails.
    OpenStream(OpenStream),
    /// No pair needs this stream any more: close it.
    CloseStream(StreamId),
    /// The address of a `.local` name of the peer is wanted (mDNS): answer with
    /// [`Agent::resolved`](crate::Agent::resolved).
    Resolve {
        /// Names the question in the answer.
        query: NameQuery,
        /// The name, lower case.
        name: String,
    },
    /// Every pair failed and patience is over (RFC 8863). Another candidate, a check of the peer or
    /// a restart may still bring [`Connected`](Self::Connected).
    Failed,
}

/// How much a path has proved; the gate for DTLS and media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathState {
    /// Nothing authenticated was heard over it.
    Unknown,
    /// A check of the peer, authenticated by our password, came over it. Receive, do not send.
    CheckReceived,
    /// A check of our own was answered there, and consent lasts: send and receive.
    Valid,
}
