//! The tones of a keypad, and the limits that the ORTC draft of October 2013 sets on playing
//! them (§4.2.2.1, insertDTMF).

use core::fmt;
use core::time::Duration;

use crate::wire::EventCode;

/// Shortest tone. A V.18 receiver needs it as well (RFC 4733 §3.1).
pub const MIN_DURATION: Duration = Duration::from_millis(70);
/// Longest tone.
pub const MAX_DURATION: Duration = Duration::from_millis(6_000);
/// How long a tone lasts when nothing else was asked for.
pub const DEFAULT_DURATION: Duration = Duration::from_millis(100);
/// Shortest silence between two tones. A V.18 receiver needs it as well (RFC 4733 §3.1).
pub const MIN_GAP: Duration = Duration::from_millis(50);
/// Longest silence between two tones: all that the draft's `long` of milliseconds can say.
pub const MAX_GAP: Duration = Duration::from_millis(0x7FFF_FFFF);
/// The silence between two tones when nothing else was asked for.
pub const DEFAULT_GAP: Duration = Duration::from_millis(50);
/// What a `,` among the tones stands for.
pub const PAUSE: Duration = Duration::from_secs(2);
/// Most characters that the tone buffer holds, unrecognised ones not counted. Ours: the draft
/// has no bound, and no telephone number or menu path comes near it.
pub const MAX_TONES: usize = 1_024;

/// Sixteen keys; the index of a key is its event code (RFC 4733 §3.2, table 3).
const KEYS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

/// One DTMF tone: `0` to `9`, `*`, `#`, `A` to `D`; ordered by event code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tone {
    event: EventCode,
    key: char,
}

impl Tone {
    /// The tone of a key, `a` to `d` being `A` to `D`; `None` for any other character.
    #[must_use]
    pub fn from_char(key: char) -> Option<Self> {
        let key = key.to_ascii_uppercase();
        (0..)
            .zip(KEYS)
            .find_map(|(code, known)| (known == key).then_some(EventCode(code)))
            .map(|event| Self { event, key })
    }

    /// The key of this tone.
    #[must_use]
    pub const fn to_char(self) -> char {
        self.key
    }

    /// The event code of this tone (RFC 4733 §3.2, table 3).
    #[must_use]
    pub const fn event(self) -> EventCode {
        self.event
    }

    pub(crate) fn from_event(event: EventCode) -> Option<Self> {
        let &key = KEYS.get(usize::from(event.0))?;
        Some(Self { event, key })
    }
}

impl fmt::Debug for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tone({:?})", self.key)
    }
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, self.key)
    }
}

impl From<Tone> for char {
    fn from(tone: Tone) -> Self {
        tone.to_char()
    }
}

impl TryFrom<char> for Tone {
    type Error = NotATone;

    fn try_from(key: char) -> Result<Self, Self::Error> {
        Self::from_char(key).ok_or(NotATone { key })
    }
}

/// A character that no DTMF key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no tone has the key {key:?}")]
pub struct NotATone {
    /// The character.
    pub key: char,
}

/// Why tones were not taken. Whatever was playing or waiting is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TonesError {
    /// Outside [`MIN_DURATION`] to [`MAX_DURATION`].
    #[error("tone duration of {got:?} is outside {MIN_DURATION:?} to {MAX_DURATION:?}")]
    Duration {
        /// The duration that was asked for.
        got: Duration,
    },
    /// Outside [`MIN_GAP`] to [`MAX_GAP`].
    #[error("gap of {got:?} between tones is outside {MIN_GAP:?} to {MAX_GAP:?}")]
    Gap {
        /// The gap that was asked for.
        got: Duration,
    },
    /// More than [`MAX_TONES`] recognised characters.
    #[error("{have} tones are more than the {MAX_TONES} that the buffer holds")]
    TooMany {
        /// How many there were.
        have: usize,
    },
}

/// Keeps what the tone buffer keeps: tones in their canonical letters, and pauses.
pub(crate) fn recognised(tones: &str) -> impl Iterator<Item = char> + '_ {
    tones.chars().filter_map(|character| match character {
        PAUSE_KEY => Some(PAUSE_KEY),
        key => Tone::from_char(key).map(Tone::to_char),
    })
}

const PAUSE_KEY: char = ',';
