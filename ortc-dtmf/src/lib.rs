//! DTMF over RTP, without I/O: a sender and a receiver of telephone events (RFC 4733), under the
//! rules that the ORTC draft of October 2013 gives insertDTMF.
//!
//! The crate knows payloads, durations and instants, and no RTP: the caller writes the RTP
//! header. That is what the standard asks for as well, since events share sequence numbers and
//! timestamps with the audio of the same SSRC (RFC 4733 §2.5.1.2). It is useful next to any RTP
//! stack.
//!
//! - [`Sender`] plays a buffer of tones; it yields one [`EventPacket`] at a time.
//! - [`Receiver`] takes payloads with their RTP timestamps, and reports each tone once.
//! - [`TelephoneEvent`] is the payload itself.
//!
//! # The event loop
//!
//! ```
//! use core::time::Duration;
//! use std::time::Instant;
//! use ortc_dtmf::{DEFAULT_GAP, Receiver, ReceiverEvent, Sender};
//!
//! let mut now = Instant::now(); // from here on, time is a parameter
//! let start = now;
//! let mut sender = Sender::new(8_000)?;
//! let mut receiver = Receiver::new(8_000)?;
//! let mut dialled = String::new();
//!
//! sender.insert("159#", Duration::from_millis(100), DEFAULT_GAP, now)?;
//! loop {
//!     while let Some(packet) = sender.poll_packet(now) {
//!         // An RTP stack maps the instant to the clock of the audio; this one began at zero.
//!         let begun = (packet.started_at - start).as_millis() as u32 * 8;
//!         let timestamp = begun.wrapping_add(packet.offset);
//!         let mut payload = Vec::new();
//!         packet.report.encode(&mut payload);
//!         // ... sent with packet.marker, received at the other end:
//!         receiver.handle_packet(timestamp, &payload, now)?;
//!     }
//!     while let Some(event) = receiver.poll_event() {
//!         if let ReceiverEvent::Tone { tone, .. } = event {
//!             dialled.push(tone.to_char());
//!         }
//!     }
//!     let deadlines = [sender.poll_timeout(), receiver.poll_timeout()];
//!     let Some(next) = deadlines.into_iter().flatten().min() else {
//!         break;
//!     };
//!     now = now.max(next); // an application sleeps, or takes packets, until then
//!     sender.handle_timeout(now);
//!     receiver.handle_timeout(now);
//! }
//! assert_eq!(dialled, "159#");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Conformance
//!
//! | RFC 4733 | what | here |
//! |---|---|---|
//! | §2.2 | timestamp, marker | the caller's header, from [`EventPacket`] |
//! | §2.3 | payload | [`TelephoneEvent`]; R written as zero and ignored |
//! | §2.3.5 | duration zero | never sent; a tone reported with it is ignored |
//! | §2.5.1.2 | updates | every 20 ms; each covers the 20 ms that begin when it leaves |
//! | §2.5.1.3 | long events | segments of 0xFFFF units |
//! | §2.5.1.4 | final packet | three times, 20 ms apart, for events and for segments |
//! | §2.5.1.5 | several events in a packet | received, not sent |
//! | §2.5.2.2 | playout | second algorithm: until its end, the next tone, or 150 ms of silence |
//! | §2.5.2.3 | long events | contiguous segments are one tone, shorter ones of RFC 2198 too |
//! | §2.3, §3.2 | event codes | tones 0 to 15 both ways; all others received by their code |
//! | §2.5.1.1, §2.6 | RFC 2198 redundancy | not sent; received once the caller has split it |
//! | §4 | audio/tone | not covered |
//!
//! Departures: none from a MUST. A packet of an event older than the newest is ignored, even when
//! that event was never heard (§2.5.2.2 leaves it open): digits come in the order in which they
//! were dialled or not at all.
//!
//! Tones are often secrets, such as a PIN. The crate's log messages never name them; its `Debug`
//! output does.

mod clock;
mod receiver;
mod sender;
mod tones;
mod wire;

pub use clock::{ClockRateError, MAX_CLOCK_RATE, MIN_CLOCK_RATE};
pub use receiver::{MAX_RECEIVER_EVENTS, REPORT_TIMEOUT, Receiver, ReceiverEvent};
pub use sender::{
    EventPacket, FINAL_REPORTS, MAX_SENDER_EVENTS, Sender, SenderEvent, UPDATE_INTERVAL,
};
pub use tones::{
    DEFAULT_DURATION, DEFAULT_GAP, MAX_DURATION, MAX_GAP, MAX_TONES, MIN_DURATION, MIN_GAP,
    NotATone, PAUSE, Tone, TonesError,
};
pub use wire::{EventCode, ParseError, TelephoneEvent, Volume};
