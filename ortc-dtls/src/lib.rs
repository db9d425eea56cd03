//! A sans-I/O DTLS endpoint for WebRTC: versions 1.3 and 1.2, client and server, certificates,
//! SRTP keying.
//!
//! An [`Endpoint`] is one side of one connection. Datagrams and instants go in, datagrams, events
//! and the next deadline come out; it owns no socket, clock or thread, and knows no addresses.
//! It does what WebRTC needs of DTLS and nothing else: both sides show a self-signed
//! [`Certificate`], whose [`Fingerprint`] travels by signalling and is the whole identity; the
//! handshake is a full one with an ephemeral key exchange and an AEAD; its result is
//! [`SrtpKeying`] and a channel for application data. One ClientHello offers both versions, and
//! the newest that both sides have is taken ([`Config::versions`]).
//!
//! # The loop
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Instant;
//!
//! use ortc_dtls::{crypto, Certificate, Config, Endpoint, Event, HashAlgorithm, Role};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[expect(clippy::disallowed_methods, reason = "an example has a clock")]
//! let now = Instant::now();
//! let provider = crypto::default_provider();
//! let certificates = [Certificate::generate(&provider)?, Certificate::generate(&provider)?];
//! let mut ends = [(Role::Client, 0, 1), (Role::Server, 1, 0)].map(|(role, own, peer)| {
//!     let expected = certificates[peer].fingerprint(HashAlgorithm::Sha256); // from signalling
//!     let config = Config::new(certificates[own].clone(), provider.clone())
//!         .expected_fingerprints(vec![expected]);
//!     Endpoint::new(Arc::new(config), role, now)
//! });
//!
//! let mut connected = 0;
//! let mut datagram = Vec::with_capacity(1200);
//! while connected < 2 {
//!     for (from, to) in [(0, 1), (1, 0)] {
//!         while ends[from].poll_transmit(&mut datagram, now).is_some() {
//!             ends[to].handle_datagram(&mut datagram, now); // a socket would be in between
//!             datagram.clear();
//!         }
//!         while let Some(event) = ends[from].poll_event() {
//!             assert_eq!(event, Event::Connected);
//!             connected += 1;
//!         }
//!         // Sleep until here unless a datagram comes first, then call `handle_timeout`.
//!         let _deadline: Option<Instant> = ends[from].poll_timeout();
//!     }
//! }
//! let [client, server] = &ends;
//! assert_eq!(client.srtp_keying()?, server.srtp_keying()?);
//! # Ok(())
//! # }
//! ```
//!
//! # Whom it trusts
//!
//! Without an expected fingerprint the handshake completes and everything is held until the
//! application vouches for the peer: [`Endpoint::accept_peer`],
//! [`Endpoint::set_expected_fingerprint`]. [`PeerVerification::TrustFirst`] does without, and is
//! open to whoever can intercept the path. A fingerprint that does not match ends the connection
//! and no key is exported. A server that lets in clients without a certificate
//! ([`ClientCertificate::Requested`]) expects no fingerprint and never counts them as verified.
//!
//! Plaintext of the handshake can be forged by anyone who can send to the endpoint, so that the
//! owner should let in only what comes over a path that ICE has validated. What is left to such a
//! sender: alerts, ChangeCipherSpec, HelloRequest, data in plaintext, records out of place,
//! fragments that contradict each other, a hello where none is due are dropped and counted
//! ([`DropReason`]); only a complete message that breaks the protocol closes, in its turn or, in
//! DTLS 1.2, kept until then if it was the first with its number, and after the handshake only
//! authenticated records matter. An authenticated fragment that is malformed, contradicts earlier
//! ones or is of a message above [`Config::max_handshake_message`] closes. In plaintext a fragment
//! that somebody else was first with does not keep its message out: what contradicts it is collected
//! beside it. What waits is bounded: 16 KiB of records that came early, eight messages in memory for
//! what came of them and the next of them once more, four connection ids, and
//! [`Config::max_queued_data`].
//!
//! Without ICE, a server on an open port puts a [`CookieGate`] before its endpoints: no state is
//! kept, and at most three octets leave for each that came, until a client has shown with a cookie
//! that it receives what is sent to its address. A client that has forgotten its connection may
//! begin again from the same address: [`Endpoint::is_restarted_by`].
//!
//! In DTLS 1.3 only the hellos are plaintext. A client is connected as soon as the server has
//! proved itself, half a round trip before the server knows who the client is: a server that does
//! not like the client's certificate closes a connection that was up for the client. The client's
//! last flight is repeated until the server acknowledges it, and when it does not within
//! [`Config::handshake_timeout`], the connection ends; so it does when a message after the handshake
//! is not acknowledged ([`CloseReason::Unacknowledged`]).
//!
//! # Which connection, and from where
//!
//! An endpoint knows no addresses. Who has many behind one socket finds the one that a datagram is
//! for by the address that it came from, or by a connection id that both sides agreed on in the
//! handshake, so that the peer may move: [`Config::connection_id_length`],
//! [`Endpoint::connection_ids`], [`ConnectionId::of_datagram`]. Records without the id that they
//! should have are dropped ([`DropReason::ConnectionId`]).
//!
//! What is sent goes on to the address where it went before, until a datagram from another one
//! brings [`Receipt::Newest`] and the owner has seen that the peer receives there what is sent:
//! somebody on the path can give a genuine datagram another source address (RFC 9146 §6, §9). Under
//! ICE a connectivity check does both, and connection ids are not needed.
//!
//! # Other carriers
//!
//! Flights need not travel in datagrams of their own: whoever exchanges something with the peer
//! anyway, such as connectivity checks, can look at them with [`Endpoint::flight`] and repeat them
//! in the endpoint's place ([`Endpoint::carry_flights`]).
//!
//! # How long a handshake takes
//!
//! Milliseconds until both sides are connected, over a path of 25 ms each way that delivers what
//! it does not lose, in virtual time; 300 handshakes of every kind with a certificate on P-256,
//! with the default configuration but for [`Config::handshake_timeout`], which is off:
//!
//! | path | 1.2, median | 1.2, 95th percentile | 1.3, median | 1.3, 95th percentile |
//! |---|---|---|---|---|
//! | nothing lost | 100 | 100 | 75 | 75 |
//! | 1 % lost | 100 | 100 | 75 | 75 |
//! | 5 % lost | 100 | 150 | 75 | 125 |
//! | 20 % lost | 150 | 450 | 75 | 275 |
//! | 20 % lost, intervals of the RFC | 175 | 4825 | 75 | 4075 |
//! | 50 % lost | 450 | 51250 | 225 | 2437 |
//! | 50 % lost, intervals of 1 s at most | 450 | 6650 | 225 | 2437 |
//! | reordered | 100 | 118 | 74 | 90 |
//! | reordered, datagrams of 300 octets | 107 | 124 | 83 | 96 |
//!
//! Intervals between repetitions double from 50 ms on, which is what half of everything lost costs:
//! [`Config::retransmission`] bounds them; those of the RFC begin at 1 s ([`Config::rfc6347`]). An
//! answer that comes sooner shortens the interval of the flights after it to one and a half of the
//! round trip, and [`Endpoint::set_round_trip`] says what a connectivity check has measured. Where
//! datagrams are reordered each of them takes 15 to 35 ms.
//! `cargo test -p ortc-dtls --test loss_table -- --nocapture` prints the table.
//!
//! # What it costs
//!
//! A handshake takes at most 40 allocations on each side, whatever the group and whatever the client
//! is asked for (by default 23 in DTLS 1.2 and 29 in 1.3; an RSA key costs 17 more), the repetition
//! of a flight and a record of application data none; an established endpoint has less than 4 KiB on
//! the heap, and 1 KiB more, which a key takes, while keys change and, in a server, for up to four
//! minutes after its client has changed them for the first time: `cargo test -p ortc-dtls --test
//! allocation`. Besides it keeps a buffer as long as the application data that it received at once,
//! up to 16 KiB.
//! A record of 1200 octets, sent and received, costs at most 1.25 times what the AEAD alone does:
//! `cargo bench -p ortc-dtls --bench ratio` fails above that.
//!
//! A full mutual handshake with certificates on P-256 costs both sides together about 15 µs in
//! DTLS 1.2 and 21 µs in 1.3 besides its key exchange and signatures, which take 190 µs over X25519
//! (`ring`, one core of a virtual machine with an AMD EPYC, link-time optimisation):
//! `cargo bench -p ortc-dtls --bench handshake`; above 25 µs, `ratio` fails too. In `benches/peers`,
//! a package of its own since it builds BoringSSL, `cargo bench` prints the same beside other
//! implementations, each over the floor of its own library.
//!
//! # Standards
//!
//! | RFC | what | deviation |
//! |---|---|---|
//! | 6347 | DTLS 1.2 | first retransmission at 50 ms unless [`Config::rfc6347`]; a server sends a HelloVerifyRequest only by a [`CookieGate`] or with [`Config::cookie_exchange`], since ICE has validated the path (a client answers one, and another a second later if nothing else has come); ChangeCipherSpec is sent and not awaited: the epoch says the same; each flight begins with the first interval again (§4.2.4.1) |
//! | 5246 | TLS 1.2 | no resumption, no renegotiation: the first request for it is answered with the warning no_renegotiation (§7.2.2), others are ignored |
//! | 5288, 5289, 7905, 8422 | ECDHE with ECDSA or RSA, AES-GCM, ChaCha20-Poly1305; X25519, P-256, P-384; Ed25519 | 8422 §5.3: a server shows its ECDSA certificate also to a client of DTLS 1.2 that does not list its curve; who minds refuses it |
//! | 5705 | exporter of DTLS 1.2 | |
//! | 5746 | renegotiation_info | not required of a peer, since nothing is renegotiated |
//! | 5764 | use_srtp | no MKI |
//! | 7627 | extended master secret | required in DTLS 1.2, unless [`ExtendedMasterSecret::Preferred`] |
//! | 8122 | fingerprints: sha-1, sha-224, sha-256, sha-384, sha-512 | MD5 and MD2 are unknown |
//! | 9147 | DTLS 1.3 | first retransmission at 50 ms unless [`Config::rfc6347`]; cookies only by a [`CookieGate`] or with [`Config::cookie_exchange`], since ICE has validated the path; the gate drops a ClientHello in several fragments unless [`CookieGate::reassemble`] says how many clients may have one; no empty ACK where nothing can be read yet (§7.1 leaves it open): the ClientHello is repeated; a flight leaves at once, however many records it has (§5.8.3), and begins with the first interval again, whatever the one before came to (§5.8.2); messages after the handshake are sent one at a time, each when the one before is acknowledged (§5.8.4) |
//! | 9146 | connection ids, both versions, and in DTLS 1.3 their change (RFC 9147 §9) | off unless [`Config::connection_id_length`] |
//! | 8446 | TLS 1.3 | a close_notify closes both directions unless [`Config::half_close`]; no pre-shared keys, no early data, no authentication after the handshake; tickets are acknowledged and not used |
//! | 7301 | application protocols, both versions | |
//! | 8449 | record size limit, both versions | |
//!
//! Validity, names and the signature of a peer's certificate are not looked at: they prove
//! nothing that its fingerprint does not (RFC 8827 §6.5).
//!
//! Our own copies of secrets are wiped on drop and absent from `Debug` output: traffic, master and
//! exporter secrets, the keys of Finished, IVs, shared secrets, keys of SRTP, lines of a key log,
//! the secret of a cookie, private keys as PKCS #8. What a [`crypto::Provider`] holds in its
//! objects is its own affair. Nothing branches on or is indexed by a secret: Finished, cookies,
//! fingerprints and key material are compared in constant time, and padding is looked for only
//! once a record is authentic.

mod alert;
mod certificate;
mod config;
mod connection_id;
mod context;
pub mod crypto;
mod endpoint;
mod established;
mod event;
mod fingerprint;
mod flight;
mod gate;
mod hello;
pub mod keying;
pub mod reassembly;
mod record;
mod stats;
mod transcript;
mod v12;
mod v13;
pub mod wire;

pub use alert::AlertDescription;
pub use certificate::{Certificate, CertificateConfig, CertificateError, subject_public_key};
pub use config::{
    ClientCertificate, Config, ConfigError, ExtendedMasterSecret, PeerVerification, Role,
};
pub use connection_id::ConnectionId;
pub use endpoint::{
    ConnectionIdError, Endpoint, Flight, KeyUpdate, KeyUpdateError, Receipt, SendError,
    VerificationError,
};
pub use event::{CloseReason, Event, KeyLogLine, ProtocolError};
pub use fingerprint::{Fingerprint, FingerprintError, HashAlgorithm};
pub use flight::Carrier;
pub use gate::{Admission, CookieGate, GateDrop, GateStats, Verdict};
pub use keying::{KeyingError, SrtpKeying};
pub use stats::{DropReason, Stats};
pub use wire::record::{is_client_hello, is_dtls};
pub use wire::{CipherSuite, ProtocolVersion as Version};
