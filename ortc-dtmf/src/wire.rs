//! The payload format of RFC 4733 §2.3: one report of four octets, or several that follow on.

use core::fmt;

use crate::tones::Tone;

/// E: this report contains the end of the event (RFC 4733 §2.3.2).
const END: u8 = 0b1000_0000;
/// The six bits of the volume (RFC 4733 §2.3.4). Between them and E lies R, reserved.
const VOLUME: u8 = 0b0011_1111;

/// One telephone-event report (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Which event is reported.
    pub event: EventCode,
    /// E bit: this report contains the end of the event.
    pub end: bool,
    /// Power level of a tone; zero for events that have none.
    pub volume: Volume,
    /// Time since the event (or its segment) began, in RTP timestamp units. Zero means a state
    /// that lasts until updated, and is not allowed for tones (RFC 4733 §2.3.5).
    pub duration: u16,
}

impl TelephoneEvent {
    /// Octets of one report.
    pub const LEN: usize = 4;

    /// Reads the first report of a payload. What follows it is another report
    /// (RFC 4733 §2.5.1.5): [`reports`](Self::reports) reads all of them.
    ///
    /// # Errors
    ///
    /// [`ParseError::Truncated`] below four octets: drop the packet.
    pub fn parse(payload: &[u8]) -> Result<Self, ParseError> {
        let Some(&report) = payload.first_chunk() else {
            return Err(ParseError::Truncated {
                what: "telephone-event",
                need: Self::LEN,
                have: payload.len(),
            });
        };
        Ok(Self::from_bytes(report))
    }

    /// Reads every report of a payload, in order. Each begins where the one before it ends
    /// (RFC 4733 §2.5.1.5).
    ///
    /// # Errors
    ///
    /// [`ParseError::Truncated`] for an empty payload, and when the last report is cut short:
    /// drop the packet.
    pub fn reports(payload: &[u8]) -> Result<impl ExactSizeIterator<Item = Self> + '_, ParseError> {
        let (whole, rest) = payload.as_chunks::<{ Self::LEN }>();
        if whole.is_empty() || !rest.is_empty() {
            return Err(ParseError::Truncated {
                what: "telephone-event",
                need: Self::LEN,
                have: rest.len(),
            });
        }
        Ok(whole.iter().map(|&report| Self::from_bytes(report)))
    }

    /// Appends the four octets of this report; R is zero, as RFC 4733 §2.3.3 asks of senders.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }

    /// The four octets of this report.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let end = if self.end { END } else { 0 };
        let [high, low] = self.duration.to_be_bytes();
        [self.event.0, end | self.volume.0, high, low]
    }

    const fn from_bytes([event, flags, high, low]: [u8; Self::LEN]) -> Self {
        Self {
            event: EventCode(event),
            end: flags & END != 0,
            volume: Volume(flags & VOLUME), // R is ignored, as §2.3.3 asks of receivers
            duration: u16::from_be_bytes([high, low]),
        }
    }
}

/// A payload that is not a whole number of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Fewer octets than the structure has.
    #[error("{what} needs {need} octets, {have} are there")]
    Truncated {
        /// The structure that was being read.
        what: &'static str,
        /// Octets of the structure.
        need: usize,
        /// Octets that were left for it.
        have: usize,
    },
}

/// A code of the IANA registry of telephone events (RFC 4733 §7, RFC 4734, RFC 5244). Every
/// value survives a round trip; codes without a constant print in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventCode(pub u8);

impl EventCode {
    /// DTMF digit 0 (RFC 4733 §3.2); the digits 1 to 9 follow.
    pub const DIGIT_0: Self = Self(0);
    /// DTMF digit 1.
    pub const DIGIT_1: Self = Self(1);
    /// DTMF digit 2.
    pub const DIGIT_2: Self = Self(2);
    /// DTMF digit 3.
    pub const DIGIT_3: Self = Self(3);
    /// DTMF digit 4.
    pub const DIGIT_4: Self = Self(4);
    /// DTMF digit 5.
    pub const DIGIT_5: Self = Self(5);
    /// DTMF digit 6.
    pub const DIGIT_6: Self = Self(6);
    /// DTMF digit 7.
    pub const DIGIT_7: Self = Self(7);
    /// DTMF digit 8.
    pub const DIGIT_8: Self = Self(8);
    /// DTMF digit 9.
    pub const DIGIT_9: Self = Self(9);
    /// DTMF `*`.
    pub const STAR: Self = Self(10);
    /// DTMF `#`.
    pub const POUND: Self = Self(11);
    /// DTMF A.
    pub const A: Self = Self(12);
    /// DTMF B.
    pub const B: Self = Self(13);
    /// DTMF C.
    pub const C: Self = Self(14);
    /// DTMF D.
    pub const D: Self = Self(15);
    /// Hook flash (RFC 2833 §3.10, still registered). Not a tone; receivers report it as it is.
    pub const FLASH: Self = Self(16);

    /// The DTMF tone of this code; `None` for all other events.
    #[must_use]
    pub fn to_tone(self) -> Option<Tone> {
        Tone::from_event(self)
    }

    /// The name of the codes 0 to 16; `None` above.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "0",
            1 => "1",
            2 => "2",
            3 => "3",
            4 => "4",
            5 => "5",
            6 => "6",
            7 => "7",
            8 => "8",
            9 => "9",
            10 => "*",
            11 => "#",
            12 => "A",
            13 => "B",
            14 => "C",
            15 => "D",
            16 => "flash",
            17.. => return None,
        })
    }
}

impl fmt::Display for EventCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#04x}", self.0),
        }
    }
}

/// Power level of a tone: dBm0 with the sign dropped, 0 to 63; larger is quieter
/// (RFC 4733 §2.3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Volume(u8);

impl Volume {
    /// What senders of this crate say: −10 dBm0, the level that browsers send.
    pub const DEFAULT: Self = Self(10);

    /// A level of `-level` dBm0; `None` above 63, which six bits cannot carry.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level <= VOLUME {
            Some(Self(level))
        } else {
            None
        }
    }

    /// The level with its sign dropped, 0 to 63.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}
