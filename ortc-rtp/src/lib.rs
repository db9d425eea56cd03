//! RTP and RTCP without I/O: packets, header extensions, reports, stream statistics, loss repair.
//!
//! The embedder owns sockets, clock and randomness: every function that needs the time takes an
//! [`Instant`](std::time::Instant), every choice comes from a generator that is handed in. What
//! arrives is read through borrowed views that have checked every length; what leaves is appended
//! to a buffer of the caller's. A media packet allocates nothing at steady state.
//!
//! Nothing here authenticates. Feed decrypted, authenticated packets only (SRTP), or a stranger
//! moves the statistics and asks for retransmissions.
//!
//! | module | what it holds |
//! |---|---|
//! | [`wire`] | RTP header, header extensions, RTCP |
//! | [`sequence`], [`timestamp`] | numbers that wrap, and the clocks behind them |
//! | [`stream`] | one SSRC sent or received: statistics, reports, and when they are due |
//! | [`repair`] | asking for lost packets, and keeping packets that may be asked for |
//! | [`payload`] | encoded frames to payloads and back: Opus, G.711, VP8, H.264 |
//! | [`jitter`] | packets in any order to whole frames in order |
//! | [`pool`] | recycled memory for payloads that arrived |
//!
//! # A stream in each direction
//!
//! ```
//! use core::time::Duration;
//! use ortc_rtp::repair::{HistoryConfig, NackConfig, NackGenerator, SendHistory};
//! use ortc_rtp::stream::{Order, ReceiveStream, ReportConfig, ReportSchedule, SendStream};
//! use ortc_rtp::timestamp::NtpClock;
//! use ortc_rtp::wire::rtcp::{self, Nack, Packet, SenderReport};
//! use ortc_rtp::wire::{Header, RtpPacket};
//! use rand_chacha::ChaCha20Rng;
//! use rand_core::SeedableRng;
//!
//! const RTT: Duration = Duration::from_millis(40);
//!
//! let mut now = std::time::Instant::now(); // from the embedder's event loop
//! let mut random = ChaCha20Rng::from_seed([1; 32]); // from the operating system
//! let wall_clock = NtpClock::new(Duration::from_secs(1_700_000_000), now);
//!
//! // One side sends three packets and a report; the second packet is lost.
//! let mut sender = SendStream::new(0x1234, 100, 7_000, 48_000);
//! let mut history = SendHistory::new(HistoryConfig::default());
//! let mut schedule = ReportSchedule::new(ReportConfig::default(), now, &mut random);
//! let mut wire = Vec::new();
//! for position in [0, 960, 1_920] {
//!     let header = Header {
//!         marker: false,
//!         payload_type: 111,
//!         sequence: sender.next_sequence(),
//!         timestamp: sender.timestamp(position),
//!         ssrc: sender.ssrc(),
//!     };
//!     let mut packet = Vec::new();
//!     header.encode(&mut packet);
//!     packet.extend_from_slice(b"opus");
//!     sender.on_sent(header.timestamp, 4, now);
//!     schedule.on_media_sent(now);
//!     history.insert(header.sequence, packet.clone(), now);
//!     wire.push(packet);
//! }
//! wire.remove(1);
//!
//! // The other side counts what arrives and asks for what is missing.
//! let mut receiver = ReceiveStream::new(0x1234, 48_000);
//! let mut nack = NackGenerator::new(NackConfig::default());
//! for datagram in &wire {
//!     let packet = RtpPacket::parse(datagram)?;
//!     let payload = packet.payload();
//!     let timestamp = Some(packet.timestamp());
//!     let reception = receiver.on_rtp(packet.sequence(), timestamp, payload.len(), now);
//!     match reception.order {
//!         Order::Suspect => continue, // its number is a guess
//!         Order::Restart => nack.restart(reception.extended),
//!         _ => nack.on_packet(reception.extended, now),
//!     }
//! }
//! now = nack.poll_timeout().expect("a packet is missing");
//! nack.handle_timeout(now);
//! let mut lost = Vec::new();
//! nack.take(now, RTT, &mut lost);
//! let mut feedback = Vec::new();
//! Nack { sender_ssrc: 1, media_ssrc: 0x1234, lost: &lost }.encode(&mut feedback);
//!
//! // Back at the sender: the packet is sent again, and in time the report.
//! for packet in rtcp::packets(&feedback) {
//!     if let Packet::Nack(nack) = packet? {
//!         for sequence in nack.lost() {
//!             assert!(history.get(sequence, now, RTT).is_some());
//!         }
//!     }
//! }
//! now = schedule.next();
//! if schedule.on_timeout(now, &mut random) {
//!     let info = sender.sender_info(now, &wall_clock);
//!     let mut report = Vec::new();
//!     SenderReport { ssrc: sender.ssrc(), info, blocks: &[] }.encode(&mut report);
//!     schedule.on_rtcp_sent(report.len());
//! }
//! # Ok::<(), ortc_rtp::ParseError>(())
//! ```
//!
//! # Conformance
//!
//! | document | what is there | departures |
//! |---|---|---|
//! | RFC 3550 | header; SR, RR, SDES, BYE, APP; statistics A.1, A.3, A.8; interval 6.2, 6.3, A.7 | no probation of new sources, as packets are authenticated; `MAX_MISORDER` is 3,000, for video; minimum interval 1 s; two early reports; BYE is not delayed; who has sent stays a sender while silent ([`SendStream::has_sent`](stream::SendStream::has_sent), §6.3.8, §6.4); RTCP padding is taken in any length, and before the last packet on transport feedback, as browsers send it; padding is never sent |
//! | RFC 3551 | PCMU, PCMA | the marker of a talk spurt is the caller's to set |
//! | RFC 3611 | every block kept; receiver reference time and DLRR read and written | the other blocks are not interpreted |
//! | RFC 4588 | retransmission, SSRC-multiplexed | sessions of their own for retransmissions are not |
//! | RFC 4585 | generic NACK, PLI; application-layer feedback kept | feedback is not timed by 3.5: the caller sends it at once |
//! | RFC 5104 | FIR | the other messages are kept and not interpreted |
//! | RFC 5506 | reduced-size RTCP | |
//! | RFC 5761 | telling RTP from RTCP | |
//! | RFC 6184 | packetization modes 0 and 1: single NAL unit, STAP-A, FU-A | mode 2 (interleaved) is not there; aggregates and fragments are read in mode 0 too |
//! | RFC 7587 | Opus | |
//! | RFC 7741 | VP8, every descriptor field read, 15-bit picture id sent | partitions are not told apart; the N bit is sent as 0 |
//! | RFC 8285 | one-byte and two-byte form | appbits are ignored and sent as 0 |
//! | draft-holmer-rmcat-transport-wide-cc-extensions-01 | feedback 205/15 | the reserved packet status is an error |

pub mod jitter;
pub mod payload;
pub mod pool;
pub mod repair;
pub mod sequence;
pub mod stream;
pub mod timestamp;
pub mod wire;

pub use wire::ParseError;
