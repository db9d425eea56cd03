//! A TURN client (RFC 8656): one allocation on one server over one transport.
//!
//! A [`Client`] owns no socket. Over UDP it is given the datagrams that came from the server; over
//! a TCP or TLS stream of the embedder's it is given octets as they come. It asks for an allocation
//! at once, keeps it, and makes its relayed address usable: what [`Client::encapsulate`] has wrapped
//! leaves from there, and what peers send there comes out as [`Received::Data`].
//!
//! ```
//! use std::time::Instant;
//!
//! use ortc_ice::stun::LongTermCredentials;
//! use ortc_ice::turn::{Client, Config};
//! use ortc_ice::Path;
//!
//! # #[expect(clippy::disallowed_methods, reason = "an embedder has a clock")]
//! let now = Instant::now();
//! let config = Config::new(LongTermCredentials::new("alice", "secret")?);
//! let path = Path::udp("192.0.2.1:50000".parse()?, "198.51.100.1:3478".parse()?);
//! let mut client = Client::new(config, path, [7; 32], now);
//!
//! // The Allocate request is queued; the embedder sends what it polls, waits until the deadline or
//! // a datagram from the server, and hands that in.
//! let mut buf = Vec::new();
//! let transmit = client.poll_transmit(&mut buf, now).expect("a request is queued");
//! assert_eq!((transmit.path, transmit.len), (path, buf.len()));
//! assert!(client.poll_timeout().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Bounds
//!
//! The server alone is listened to: an answer counts when it carries the id of an outstanding
//! transaction and the integrity of our credentials. Challenges (401, 438) are the exception, at
//! most [`CHALLENGES_MAX`] for one request. Permissions and channels are made by the embedder only,
//! up to a number that is an option; data of a peer without a permission is dropped.

mod channel;
mod client;
mod config;
mod connection;
mod encapsulate;
mod event;
mod framing;
mod inbound;
mod permission;
mod policy;
mod stats;
mod transaction;

pub use self::client::{Client, MoveError, PeerError, Received, SendError};
pub use self::config::{Config, Families, RelayTransport};
pub use self::connection::ConnectionId;
pub use self::event::{Event, Failure, Family};
pub use self::framing::{Framer, NotFramed};
pub use self::policy::PeerPolicy;
pub use self::stats::{Counters, DropReason};
pub use self::transaction::CHALLENGES_MAX;
