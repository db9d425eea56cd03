//! A server on an open port, before it knows whom it talks to: cookies without state (RFC 6347
//! §4.2.1, RFC 9147 §5.1).

mod cookie;
mod pieces;
mod stats;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

pub(crate) use self::cookie::{Claim, Cookies};
use self::cookie::{MAX_COOKIE, Request};
use self::pieces::Pieces;
pub use self::stats::GateStats;
use crate::alert::{Alert, AlertDescription};
use crate::config::Config;
use crate::connection_id::ConnectionId;
use crate::crypto::CryptoError;
use crate::event::{CloseReason, ProtocolError};
use crate::hello::choose_version;
use crate::reassembly::Message;
use crate::v13::server::RetryRequest;
use crate::wire::handshake::Fragment;
use crate::wire::hello::{ClientHello, encode_hello_verify_request};
use crate::wire::key_share::parse_cookie;
use crate::wire::record::RecordHeader;
use crate::wire::{ContentType, ExtensionType, HandshakeType, ProtocolVersion, writer};

/// How long a cookie counts unless [`CookieGate::lifetime`] says otherwise: a client whose second
/// hello was lost four times, with the timer of RFC 6347 §4.2.4.1, is still in time.
const LIFETIME: Duration = Duration::from_secs(30);

/// Octets of the shortest ClientHello that is one, as a datagram: no session, no cookie, one
/// suite, one compression method, no extensions.
const MIN_HELLO: usize = RecordHeader::LEN + Fragment::HEADER + 2 + 32 + 1 + 1 + 4 + 2;

/// Octets of the longest answer: a HelloRetryRequest with version, group and cookie.
const MAX_ANSWER: usize =
    RecordHeader::LEN + Fragment::HEADER + 2 + 32 + 1 + 3 + 2 + 6 + 6 + (6 + MAX_COOKIE);

// RFC 9147 §5.1 wants no amplification beyond threefold before the address is proved.
const _: () = assert!(MAX_ANSWER <= 3 * MIN_HELLO);

/// A ClientHello with a higher number answers a server that does not stop asking.
pub(crate) const MAX_MESSAGE_SEQ: u16 = 16;

/// A record with a higher number is not the beginning of anything; above it there is room for all
/// that a handshake sends in plaintext.
pub(crate) const MAX_SEQUENCE: u64 = 1 << 32;

/// What a server on an open port puts before its endpoints: it answers a first ClientHello with
/// a request that carries a cookie, and lets in whoever returns the cookie from the address that
/// it was sent to.
///
/// What it keeps is one secret, the one before, and buffers for one hello: nothing that grows
/// with the number of clients or of hellos. An answer has at most three times the octets of the
/// datagram that it answers; in fact, for every hello that offers what WebRTC needs, fewer.
/// A cookie is bound to the peer's address, to what the hello says, and to the time.
///
/// Behind ICE it is not needed: a connectivity check has proved the address.
///
/// # Which hellos
///
/// A ClientHello must be one fragment in one record, since nothing is kept to put fragments
/// together with: others are dropped with [`GateDrop::Fragmented`]. A hello with a share of
/// X25519MLKEM768 is longer than most paths' datagrams. Who wants such clients gives up a part of
/// the statelessness, with a bound: [`CookieGate::reassemble`].
///
/// # Example
///
/// ```
/// use std::collections::BTreeMap;
/// use std::net::SocketAddr;
/// use std::sync::Arc;
/// use std::time::Instant;
///
/// use ortc_dtls::{Config, CookieGate, Endpoint, Verdict};
///
/// struct Server {
///     config: Arc<Config>,
///     gate: CookieGate,
///     endpoints: BTreeMap<SocketAddr, Endpoint>,
/// }
///
/// impl Server {
///     /// Returns what is to be sent back at once.
///     fn handle_datagram(&mut self, from: SocketAddr, contents: &mut [u8], now: Instant) -> Vec<u8> {
///         let mut answer = Vec::new();
///         if let Some(endpoint) = self.endpoints.get_mut(&from) {
///             endpoint.handle_datagram(contents, now);
///             return answer;
///         }
///         let address = from.to_string(); // any octets that identify the peer
///         match self.gate.admit(address.as_bytes(), contents, now, &mut answer) {
///             Verdict::Admit(admission) => {
///                 let endpoint = Endpoint::accept(self.config.clone(), admission, now);
///                 self.endpoints.insert(from, endpoint);
///             }
///             Verdict::Ask(_) | Verdict::Refuse(..) => {} // the answer is in the buffer
///             Verdict::Wait | Verdict::Drop(_) => {}
///         }
///         answer
///     }
/// }
/// # use ortc_dtls::{crypto, Certificate, Role};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[expect(clippy::disallowed_methods, reason = "an example has a clock")]
/// # let now = Instant::now();
/// # let provider = crypto::default_provider();
/// # let config = Arc::new(Config::new(Certificate::generate(&provider)?, provider.clone()));
/// # let gate = CookieGate::new(config.clone(), now)?;
/// # let mut server = Server { config: config.clone(), gate, endpoints: BTreeMap::new() };
/// # let mut client = Endpoint::new(config, Role::Client, now);
/// # let from: SocketAddr = "192.0.2.1:4433".parse()?;
/// # for _ in 0..2 {
/// #     assert!(server.endpoints.is_empty());
/// #     let mut hello = Vec::new();
/// #     client.poll_transmit(&mut hello, now);
/// #     let mut answer = server.handle_datagram(from, &mut hello, now);
/// #     client.handle_datagram(&mut answer, now);
/// # }
/// # assert_eq!(server.endpoints.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CookieGate {
    config: Arc<Config>,
    cookies: Cookies,
    pieces: Pieces,
    stats: GateStats,
}

/// What is to be done with a datagram.
#[derive(Debug)]
#[must_use = "an answer that is not sent is lost, and so is an admission"]
pub enum Verdict {
    /// The address is proved: make an endpoint, [`Endpoint::accept`](crate::Endpoint::accept), and
    /// give it what comes from this address from now on. The gate does not know that it is there:
    /// the same hello would be let in again as long as its cookie counts.
    Admit(Admission),
    /// A HelloVerifyRequest or HelloRetryRequest of so many octets was appended to the buffer.
    Ask(usize),
    /// An alert was appended to the buffer: its octets and what it says.
    Refuse(usize, AlertDescription),
    /// A fragment; more of them must come. Only with [`CookieGate::reassemble`].
    Wait,
    /// Nothing leaves.
    Drop(GateDrop),
}

/// Why nothing was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateDrop {
    /// Not a record of plaintext with a ClientHello; what belongs to a connection that is not
    /// there any more, as a rule.
    NotClientHello,
    /// A ClientHello in more than one fragment, and [`CookieGate::reassemble`] is off.
    Fragmented,
    /// A ClientHello above [`Config::max_handshake_message`].
    TooLong,
    /// A ClientHello that cannot be read.
    Malformed,
    /// Its number, or that of its record, is too high for the beginning of a handshake.
    Sequence,
}

/// A ClientHello that came with a cookie of ours: the proof that its sender receives what is sent
/// to its address.
pub struct Admission {
    pub(crate) message: Message,
    /// The number of its record.
    pub(crate) sequence: u64,
    pub(crate) asked: Option<AskedRetry>,
    pub(crate) connection_id: Option<ConnectionId>,
}

impl Admission {
    /// The endpoint has this connection id, as with [`Endpoint::with_connection_id`].
    ///
    /// [`Endpoint::with_connection_id`]: crate::Endpoint::with_connection_id
    #[must_use]
    pub fn connection_id(mut self, own: ConnectionId) -> Self {
        self.connection_id = Some(own);
        self
    }
}

/// What was asked for in DTLS 1.3, as the cookie says.
pub(crate) struct AskedRetry {
    pub(crate) request: RetryRequest,
    /// The hash of the first ClientHello.
    pub(crate) first: Vec<u8>,
    pub(crate) cookie: Vec<u8>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}

/// A ClientHello and what its record says.
#[derive(Clone, Copy)]
struct Received<'a> {
    hello: ClientHello<'a>,
    body: &'a [u8],
    message_seq: u16,
    sequence: u64,
}

impl CookieGate {
    /// A gate for endpoints of this configuration, which says which versions, suites and groups
    /// are asked for. The secret comes from its provider.
    ///
    /// # Errors
    ///
    /// [`CryptoError`]: the provider's generator failed.
    pub fn new(config: Arc<Config>, now: Instant) -> Result<Self, CryptoError> {
        let cookies = Cookies::new(config.provider.clone(), LIFETIME, now)?;
        Ok(Self {
            config,
            cookies,
            pieces: Pieces::default(),
            stats: GateStats::default(),
        })
    }

    /// How long a cookie counts, and how often the secret changes. Default 30 s; at least the time
    /// in which a client that loses its second hello sends it again.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.cookies.set_lifetime(lifetime);
        self
    }

    /// Fragments of ClientHellos are kept for so many clients at once, until the hello is complete
    /// or a second has passed. Default 0: none are kept.
    ///
    /// A hello may then have 4096 octets; what is kept of a client takes at most 12 KiB, whatever
    /// it sends, and the octets that identify it. Above the number the oldest makes room, so that a
    /// flood of fragments keeps out those clients whose own fragments do not arrive close enough
    /// together, and nobody else. The time to find a client's fragments grows with the number:
    /// hundreds are fine. Three octets leave at most for each that all fragments together had.
    #[must_use]
    pub fn reassemble(mut self, clients: usize) -> Self {
        self.pieces = Pieces::new(clients);
        self
    }

    /// Looks at a datagram of a peer that has no endpoint. `peer` is whatever octets identify the
    /// peer's address, port included; an answer is appended to `out`, to be sent to this address
    /// and from the address that the datagram came to.
    pub fn admit(
        &mut self,
        peer: &[u8],
        datagram: &[u8],
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let verdict = self.look(peer, datagram, now, out);
        self.stats.count(&verdict);
        verdict
    }

    /// Draws another secret, as happens by itself once per [`CookieGate::lifetime`]. Cookies of the
    /// secret before count until their time is over, those of the one before that do not: a second
    /// call revokes all that were issued before the first.
    ///
    /// # Errors
    ///
    /// [`CryptoError`]: the provider's generator failed; nothing changes.
    pub fn rotate(&mut self, now: Instant) -> Result<(), CryptoError> {
        self.cookies.observe(now);
        self.cookies.rotate()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn stats(&self) -> GateStats {
        self.stats
    }

    fn look(&mut self, peer: &[u8], datagram: &[u8], now: Instant, out: &mut Vec<u8>) -> Verdict {
        self.cookies.observe(now);
        let (fragment, sequence) = match first_fragment(datagram, &self.config) {
            Ok(first) => first,
            Err(reason) => return Verdict::Drop(reason),
        };
        if fragment.body.len() as u64 == u64::from(fragment.length) {
            return self.judge(peer, fragment.message_seq, fragment.body, sequence, out);
        }
        if self.pieces.is_off() {
            return Verdict::Drop(GateDrop::Fragmented);
        }
        let now = self.cookies.now();
        match self.pieces.insert(peer, &fragment, sequence, now) {
            Some((hello, sequence)) => {
                self.judge(peer, hello.message_seq, &hello.body, sequence, out)
            }
            None => Verdict::Wait,
        }
    }

    fn judge(
        &mut self,
        peer: &[u8],
        message_seq: u16,
        body: &[u8],
        sequence: u64,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let start = out.len();
        let Ok(hello) = ClientHello::parse(body) else {
            return Verdict::Drop(GateDrop::Malformed);
        };
        let received = Received {
            hello,
            body,
            message_seq,
            sequence,
        };
        let judged = match choose_version(&received.hello, &self.config) {
            Ok(ProtocolVersion::DTLS13) => self.on_hello13(peer, &received, out),
            Ok(_) => Ok(self.on_hello12(peer, &received, out)),
            Err(reason) => Err(reason),
        };
        match judged {
            Ok(Some(admission)) => Verdict::Admit(admission),
            Ok(None) => Verdict::Ask(out.len() - start),
            Err(reason) => {
                tracing::debug!(%reason, "ClientHello refused");
                let Some(alert) = Alert::for_reason(&reason) else {
                    return Verdict::Drop(GateDrop::Malformed);
                };
                record(ContentType::ALERT, received.sequence, out, |out| {
                    out.extend_from_slice(&alert.octets());
                });
                Verdict::Refuse(out.len() - start, alert.description)
            }
        }
    }

    /// A cookie that does not count is as good as none (RFC 6347 §4.2.1).
    fn on_hello12(
        &mut self,
        peer: &[u8],
        received: &Received<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Admission> {
        let claim = Claim {
            peer,
            hello: &received.hello,
        };
        if self.cookies.verify12(&claim, received.hello.cookie) {
            return Some(received.admitted(None));
        }
        self.stats.cookies_refused += u64::from(!received.hello.cookie.is_empty());
        let cookie = self.cookies.issue12(&claim);
        received.answer(HandshakeType::HELLO_VERIFY_REQUEST, out, |out| {
            encode_hello_verify_request(out, cookie);
        });
        None
    }

    fn on_hello13(
        &mut self,
        peer: &[u8],
        received: &Received<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Admission>, CloseReason> {
        let hello = &received.hello;
        let claim = Claim { peer, hello };
        if let Some(cookie) = hello.extensions.get(ExtensionType::COOKIE) {
            let cookie = parse_cookie(cookie)?;
            // RFC 9147 §5.1: the client may then begin again without one.
            let Some((request, first)) = self.cookies.verify13(&claim, cookie) else {
                self.stats.cookies_refused += 1;
                return Err(ProtocolError::SecondHello.into());
            };
            return Ok(Some(received.admitted(Some(AskedRetry {
                request,
                first: first.to_vec(),
                cookie: cookie.to_vec(),
            }))));
        }
        let request = RetryRequest::choose(hello, &self.config)?;
        let cookie = self.cookies.issue(
            &claim,
            Some(&Request {
                request,
                first: received.body,
            }),
        );
        received.answer(HandshakeType::SERVER_HELLO, out, |out| {
            request.encode(out, Some(cookie));
        });
        Ok(None)
    }
}

/// The fragment of a ClientHello that a datagram begins with, and the number of its record.
fn first_fragment<'a>(
    datagram: &'a [u8],
    config: &Config,
) -> Result<(Fragment<'a>, u64), GateDrop> {
    let header = RecordHeader::parse(datagram).ok_or(GateDrop::NotClientHello)?;
    if header.content_type != ContentType::HANDSHAKE || header.epoch != 0 {
        return Err(GateDrop::NotClientHello);
    }
    let contents = datagram
        .get(RecordHeader::LEN..)
        .and_then(|rest| rest.get(..usize::from(header.length)))
        .ok_or(GateDrop::NotClientHello)?;
    let (fragment, _) = Fragment::split(contents).map_err(|_| GateDrop::NotClientHello)?;
    if fragment.kind != HandshakeType::CLIENT_HELLO {
        return Err(GateDrop::NotClientHello);
    }
    if fragment.length as usize > config.max_handshake_message {
        return Err(GateDrop::TooLong);
    }
    if fragment.message_seq > MAX_MESSAGE_SEQ || header.sequence > MAX_SEQUENCE {
        return Err(GateDrop::Sequence);
    }
    Ok((fragment, header.sequence))
}

impl Received<'_> {
    fn admitted(&self, asked: Option<AskedRetry>) -> Admission {
        Admission {
            message: Message {
                kind: HandshakeType::CLIENT_HELLO,
                message_seq: self.message_seq,
                epoch: 0,
                body: self.body.to_vec(),
            },
            sequence: self.sequence,
            asked,
            connection_id: None,
        }
    }

    /// Appends a message in one record. Both have the numbers of those that they answer, so that
    /// no number is used twice without remembering any (RFC 6347 §4.2.1).
    fn answer(&self, kind: HandshakeType, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        record(ContentType::HANDSHAKE, self.sequence, out, |out| {
            let start = out.len();
            let [high, low] = self.message_seq.to_be_bytes();
            // type, length, message_seq, fragment_offset = 0, fragment_length = length
            out.extend_from_slice(&[kind.0, 0, 0, 0, high, low, 0, 0, 0]);
            writer::vector24(out, body);
            out.copy_within(start + 9..start + 12, start + 1);
        });
    }
}

/// Appends a record of plaintext.
fn record(kind: ContentType, sequence: u64, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind.0);
    // Any of the clients: no version is negotiated yet (RFC 6347 §4.2.1).
    out.extend_from_slice(&ProtocolVersion::DTLS10.0.to_be_bytes());
    out.extend_from_slice(&sequence.to_be_bytes()); // epoch 0 and 48 bits
    writer::vector16(out, body);
}
