//! A sans-I/O ICE agent with its STUN codec and a TURN client.
//!
//! An [`Agent`] finds out over which pair of addresses two peers can talk, keeps their consent, and
//! moves to another pair when one breaks. It owns no socket, clock or thread: the embedder hands in
//! datagrams and instants, and takes out datagrams, events and the next deadline. What the two sides
//! have to tell each other (credentials, candidates) travels by any signalling.
//!
//! A [`Gatherer`] finds the candidates of one side with the help of STUN and TURN servers, and carries
//! data through relays; a [`BehaviourCheck`] tells what a NAT does. The example `nat_check` is both
//! of them, and an agent, on real sockets.
//!
//! It is useful alone, for anything that wants a path between two hosts: media, games, tunnels.
//!
//! # The loop
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::{Duration, Instant};
//!
//! use ortc_ice::{Agent, Candidate, CandidateKind, Config, Datagram, Ecn, Event, Path};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[expect(clippy::disallowed_methods, reason = "an embedder has a clock")]
//! let mut now = Instant::now();
//! // Seeds come from the operating system's generator; these are for reading only.
//! let mut ours = Agent::new(Config::default(), [1; 32], now);
//! let mut theirs = Agent::new(Config::default(), [2; 32], now);
//!
//! // Signalling: credentials and candidates, each way.
//! let (here, there): (SocketAddr, SocketAddr) = ("10.0.0.1:5000".parse()?, "10.0.0.2:5000".parse()?);
//! let candidate = ours.add_local_candidate(Candidate::host(here)?, now)?;
//! theirs.add_local_candidate(Candidate::host(there)?, now)?;
//! theirs.set_remote_credentials(ours.local_credentials().clone(), now)?;
//! ours.set_remote_credentials(theirs.local_credentials().clone(), now)?;
//! theirs.add_remote_candidate(
//!     Candidate::remote(
//!         candidate.foundation(),
//!         candidate.component(),
//!         candidate.priority(),
//!         candidate.address(),
//!         CandidateKind::Host,
//!         None,
//!     )?,
//!     now,
//! )?;
//! ours.connect(now)?;
//! theirs.connect(now)?;
//!
//! // Here the two sides stand for two sockets: what one sends the other receives.
//! let mut buf = Vec::with_capacity(1500);
//! while ours.data_path().is_none() || theirs.data_path().is_none() {
//!     for turn in [true, false] {
//!         let (from, to) = if turn { (&mut ours, &mut theirs) } else { (&mut theirs, &mut ours) };
//!         // Everything that is queued leaves now ...
//!         while let Some(transmit) = from.poll_transmit(&mut buf, now) {
//!             let path = Path::udp(transmit.path.remote, transmit.path.local);
//!             let datagram = Datagram { path, contents: &mut buf, ecn: Ecn::NotEct };
//!             // ... and a datagram that is dropped says why; nobody has to act on it.
//!             let _ = to.handle_datagram(datagram, now);
//!             buf.clear();
//!         }
//!         while let Some(event) = from.poll_event() {
//!             if let Event::ActivePair { path, .. } = event {
//!                 println!("data leaves on {path:?}");
//!             }
//!         }
//!     }
//!     // Sleep until the earlier deadline or a datagram, whichever comes first.
//!     now += Duration::from_millis(5);
//!     ours.handle_timeout(now);
//!     theirs.handle_timeout(now);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it implements
//!
//! | RFC | what | departures |
//! |---|---|---|
//! | 8489 (STUN) | message, attributes, MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, FINGERPRINT, 420; short-term credentials for ICE, long-term ones with USERHASH and PASSWORD-ALGORITHMS (MD5, SHA-256) for TURN; ALTERNATE-SERVER | §9.1.3: a request without valid credentials gets no 400 or 401, so that a stranger cannot make us send. §9.2.5: a nonce that announces password algorithms may come without their list in a response with the SHA-256 integrity that was agreed on |
//! | 8656 (TURN) | the client, in [`turn`]: allocations of one or two families over UDP, TCP and TLS streams, permissions, channels, Send and Data, DONT-FRAGMENT | no EVEN-PORT and RESERVATION-TOKEN; ICMP is not reported. §7: an Allocate success without MESSAGE-INTEGRITY is not believed |
//! | 8016 (mobility) | tickets, and the move to another address | |
//! | 6062 (TURN TCP) | Connect, `ConnectionBind`, `ConnectionAttempt` | |
//! | 8265 (PRECIS) | `OpaqueString` for usernames, realms and passwords | |
//! | 8445 (ICE) | full and lite agents; host, server-reflexive, peer-reflexive and relayed candidates; one stream, one component | §14: `Ta` 5 ms, repetitions from 60 ms with new transactions. §6.1.4.2: a slot that nothing else wants goes to a frozen pair, and each eighth to one that is not triggered. §7.2.5.2.1: a response from elsewhere is dropped, the pair does not fail at once. §8.1.1: nomination goes on for the life of the session, and the only pair there is is nominated by its triggered check. §11: keepalives are consent checks |
//! | 8445 §5.1.1 (gathering) | [`Gatherer`]: host, server-reflexive and relayed candidates of all bases, UDP and TCP, redundant ones left out, bindings kept alive | §14.2: `Ta` 5 ms. §5.1.1.4: a keepalive that is not answered ends no candidate |
//! | 7064, 7065 (URIs) | [`ServerUri`], and `turn:user@host` | RFC 5928: no NAPTR and SRV look-ups. `turns` and `stuns` are TLS, not DTLS (RFC 7350) |
//! | 5780 (NAT behaviour) | [`BehaviourCheck`]: mapping, filtering, hairpinning | §4.5: no fragments (PADDING), no lifetimes (RESPONSE-PORT) |
//! | 8838 (trickle) | candidates at any time, end of candidates | |
//! | 8863 (patience) | failure waits 39.5 s | §4: after the end of candidates it waits for the last pair only |
//! | draft-thatcher-ice-renomination | both roles, towards a peer that offers it | the number (0xC001) and the 32 bits of libwebrtc; USE-CANDIDATE is there too |
//! | 7675 (consent) | checks every 4 to 6 s, expiry after 30 s | §5.1: one that is not answered is followed by others 0.5 s and later 2 s apart; a new successful check gives consent again without a restart; a lite agent, which asks nobody, keeps a pair for 30 s after the last check or authenticated packet of the peer |
//! | 8839 (grammar) | lengths and characters of credentials and foundations; the candidate attribute | |
//! | 8421 (dual stack) | local preferences of IPv6 and IPv4 in turn; each family, relays and streams have an early check | |
//! | 6544 (TCP) | host candidates of all three types, streams opened, framed and opened again | §7.1: what answers a check without being STUN is the embedder's to notice. §8: streams that carry no data stay open, as other pairs in reserve do |
//! | 4571 (framing) | [`frame`], [`Deframer`] | |
//! | draft-ietf-mmusic-mdns-ice-candidates | `.local` candidates of the peer, resolved by the embedder | §3.1: names for our own addresses are the embedder's to make |
//! | 5769 (vectors) | all of them | |
//!
//! [`Config::rfc8445`] is a profile without the first two departures of RFC 8445, without the early
//! nomination, without renomination, and without the departure of RFC 8863. `ice2` (RFC 8445 §10)
//! must not be signalled for the default profile.
//!
//! # How long it takes, and what that costs
//!
//! At a round trip of 50 ms, from `connect` on both sides until both can send on the pair that both
//! keep (the controlled side has the nomination, the controlling side a valid pair), in virtual time:
//!
//! | | default | RFC 8445 |
//! |---|---|---|
//! | one pair | 50 ms | 125 ms |
//! | one pair, both start controlling | 75 ms | 100 ms |
//! | one pair, both start controlled | 75 ms | 125 ms |
//! | 9 pairs, only the lowest works | 120 ms | 525 ms |
//! | 36 pairs, only the lowest works | 260 ms | 1.875 s |
//! | one pair, 20 % loss: median, 95th percentile, worst of 1000 | 75, 195, 505 ms | 0.125, 1.625, 5.535 s |
//! | datagrams on one unanswered pair in the first 1, 5, 30 s | 9, 14, 26 | 2, 4, 6 |
//! | the same on 36 unanswered pairs | 200, 468, 936 | 20, 72, 180 |
//!
//! `cargo test -p ortc-ice --test timing -- --nocapture --test-threads 1` prints it and holds the
//! default to it. The last rows are the price: a `Ta` of 5 ms is 200 datagrams (about 20 kB) in the
//! first second of a long check list instead of 20, the early repetitions are seven more datagrams on
//! a pair that nobody answers.
//!
//! Agents behind one socket can keep one `Ta` together: [`Pacer`], [`Config::external_pacing`].
//!
//! A check that arrives is verified and answered within 1.3 times the cost of its two HMAC-SHA1 and
//! two CRC-32 (`cargo bench -p ortc-ice --bench ratio` fails above that), without an allocation and
//! with no regard to the number of pairs (`tests/cost.rs`). An idle agent has one deadline for each
//! check that it sends, 12 a minute on the pair in use, and none in between (`tests/expiry.rs`).
//!
//! # Nomination
//!
//! The controlling side nominates the best valid pair as soon as there is one, and again whenever a
//! better one becomes valid or the one in use stops to answer and another does not. Towards a peer
//! that offers the ICE option `renomination` ([`Agent::set_remote_renomination`]) each nomination
//! carries a higher value than the one before; with everyone else it is plain USE-CANDIDATE.
//!
//! The controlled side follows. Of nominations with a value the highest counts, whatever its pair and
//! whenever it arrives; it is remembered for a pair that is not valid yet; and beside a value a plain
//! one counts for nothing. The value has 32 bits and does not wrap. Of plain ones, a better pair is
//! followed to at once, a lower one when the peer has just begun to ask for it and the one in use was
//! not asked for within the last 400 ms (peers that nominate every pair mean the best).
//!
//! Data may flow on any valid pair before that, and [`Agent::data_path`] always says which.
//!
//! # Attributes of the embedder
//!
//! [`Agent::set_check_attribute`] lets octets ride in checks and their answers, in turn when there are
//! several, and [`Event::CheckAttribute`] tells of those of the peer that integrity has vouched for
//! ([`Config::report_attributes`]). It is made for a DTLS handshake that saves its round trips (0xC070
//! and 0xC071 of libwebrtc). Unused it costs nothing.
//!
//! # Streams
//!
//! With TCP candidates ([`Candidate::host_tcp`]) pairs run over byte streams, which are the
//! embedder's: [`Event::OpenStream`] asks for one, [`Agent::stream_opened`] or
//! [`Agent::stream_failed`] is the answer, and what happens later is told with
//! [`Agent::stream_closed`] and [`Event::CloseStream`]. One that was accepted at the address of a
//! passive candidate needs no call. The embedder gives each a [`StreamId`] and a [`Deframer`] of its
//! own; every frame that comes out is handed in as a datagram on its [`Path::stream`], whose local
//! address is that of the candidate when it was accepted. What the agent sends there is framed
//! already; data of others is framed with [`frame`]. An accepted stream over which no check was
//! answered is a stranger's: close it after a while.
//!
//! # Bounds
//!
//! 100 pairs, 100 candidates of the peer and 100 early checks (the first two are options), 32
//! candidates that a base learns from checks before a pair becomes valid, each tried for 30 s, 16
//! outstanding requests a pair, 64 queued answers and 64 queued checks, 32 reflexive addresses of our
//! own, 16 names that are being resolved, 5 openings of a stream in 30 s for each pair, 32 queued
//! events about attributes. An answer has at most 100 octets, or with attributes of
//! the embedder's [`Config::max_check_len`]. Without valid credentials nothing is stored or sent. A
//! check on a known pair costs its verification, its answer and a look-up, however many pairs there
//! are.

mod address;
mod agent;
mod attributes;
mod candidate;
mod candidate_attribute;
mod checklist;
mod config;
mod credentials;
mod early;
mod event;
mod framing;
mod gather;
mod generation;
mod ladder;
mod lanes;
mod named_candidate;
mod outbox;
mod pacer;
mod pair;
mod path;
mod priority;
mod random;
mod role;
mod server_uri;
mod slots;
mod stats;
mod stream;
pub mod stun;
mod tag;
mod transaction;
pub mod turn;

pub use self::agent::{Agent, AgentError, NameQuery};
pub use self::attributes::AttributeError;
pub use self::candidate::{Candidate, CandidateError, CandidateKind, TcpType};
pub use self::candidate_attribute::{CandidateAttributeError, SignalledCandidate};
pub use self::config::{Config, ConfigError};
pub use self::credentials::{Credentials, CredentialsError};
pub use self::event::{Event, PathState};
pub use self::framing::{Deframer, FrameTooLong, frame};
pub use self::gather::{
    Behaviour, BehaviourCheck, BehaviourError, Filtering, GatherConfig, GatherConfigError,
    GatherError, GatherEvent, Gathered, Gatherer, LocalCandidate, Mapping, QueryId,
    ServerCredentials, ServerError, ServerId, ServerState, ServerStats,
};
pub use self::named_candidate::NamedCandidate;
pub use self::pacer::Pacer;
pub use self::pair::PairState;
pub use self::path::{Datagram, Ecn, Path, StreamId, Timeout, Timer, Transmit, Transport};
pub use self::role::{Role, RolePolicy};
pub use self::server_uri::{ServerScheme, ServerTransport, ServerUri, ServerUriError};
pub use self::stats::{Counters, DropReason, PairStats, Stats};
pub use self::stream::{OpenStream, Security};
pub use self::tag::TransactionTag;
