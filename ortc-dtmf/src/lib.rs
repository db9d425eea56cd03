//! Telephone-event sender and receiver without I/O: RFC 4733.
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
