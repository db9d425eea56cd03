//! The test film with speech, over and over, as encoded frames.

use core::error::Error;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use ortc_core::Frame;

use crate::source::{Format, TimedFrame, load};

/// The clips, read once and shared by all calls.
pub(crate) struct Films {
    clips: Vec<(Format, Arc<Clip>)>,
}

struct Clip {
    frames: Vec<TimedFrame>,
    /// From the first frame to where the first would follow the last.
    length: Duration,
    /// The same on the codec's clock.
    units: u64,
}

/// One clip as it plays in one call.
pub(crate) struct Projector {
    format: Format,
    clip: Arc<Clip>,
    next: usize,
    /// When the first frame of this showing was due, and its media time.
    began: Instant,
    base: u64,
}

impl Films {
    pub(crate) fn load() -> Result<Self, Box<dyn Error>> {
        let mut clips = Vec::new();
        for format in [Format::Opus, Format::Vp8, Format::H264] {
            let frames = load(format, None)?.frames;
            let (Some(first), Some(second), Some(last)) =
                (frames.first(), frames.get(1), frames.last())
            else {
                return Err("a clip has fewer than two frames".into());
            };
            let clip = Clip {
                length: last.due + (second.due - first.due),
                units: last.time + (second.time - first.time),
                frames,
            };
            clips.push((format, Arc::new(clip)));
        }
        Ok(Self { clips })
    }

    /// Begins to show a clip.
    pub(crate) fn start(&self, format: Format, now: Instant) -> Option<Projector> {
        let found = self.clips.iter().find(|(known, _)| *known == format)?;
        Some(Projector {
            format,
            clip: Arc::clone(&found.1),
            next: 0,
            began: now,
            base: 0,
        })
    }
}

impl Projector {
    /// Whether it is heard and not seen.
    pub(crate) fn is_sound(&self) -> bool {
        self.format == Format::Opus
    }

    /// When the next frame is due.
    pub(crate) fn due(&self) -> Instant {
        let frame = self.clip.frames.get(self.next);
        self.began + frame.map_or(self.clip.length, |frame| frame.due)
    }

    /// The next frame, if it is due.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Frame> {
        if self.next >= self.clip.frames.len() && now >= self.due() {
            self.next = 0;
            self.began += self.clip.length;
            self.base += self.clip.units;
        }
        if now < self.due() {
            return None;
        }
        let frame = self.clip.frames.get(self.next)?;
        self.next += 1;
        Some(Frame::new(frame.payload.clone(), self.base + frame.time))
    }

    /// The film cannot be encoded again, but it begins with a key frame: shows it from there, on a
    /// clock that goes on.
    pub(crate) fn rewind(&mut self, now: Instant) {
        let shown = self.next.checked_sub(1);
        let Some(last) = shown.and_then(|index| self.clip.frames.get(index)) else {
            return;
        };
        // Twice in a row is enough for requests that crossed.
        if self.next < 5 {
            return;
        }
        let step = self.clip.units / self.clip.frames.len().max(1) as u64;
        self.base += last.time + step;
        self.began = now;
        self.next = 0;
    }
}
