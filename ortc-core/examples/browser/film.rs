//! The test film with speech, over and over, as encoded frames.

use core::error::Error;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ortc_core::{Frame, MediaKind, RTCCodec};

use crate::source::{Format, TimedFrame, load};

/// Speech for those who have no Opus: raw G.711, six seconds (RFC 3551 §4.5.14).
const G711: [(&str, &[u8]); 2] = [
    ("ulaw", include_bytes!("data/speech.ulaw")),
    ("alaw", include_bytes!("data/speech.alaw")),
];
/// Octets, and units of the clock, of 20 ms of G.711.
const G711_FRAME: usize = 160;

/// The clips, read once and shared by all calls.
pub(crate) struct Films {
    /// Each with the draft's name of the codec that carries it.
    clips: Vec<(&'static str, Arc<Clip>)>,
}

struct Clip {
    kind: MediaKind,
    frames: Vec<TimedFrame>,
    /// From the first frame to where the first would follow the last.
    length: Duration,
    /// The same on the codec's clock.
    units: u64,
}

/// One clip as it plays in one call.
pub(crate) struct Projector {
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
            let clip = Clip::new(format.kind(), load(format, None)?.frames)?;
            clips.push((format.codec(), Arc::new(clip)));
        }
        for (name, speech) in G711 {
            let clip = Clip::new(MediaKind::Audio, g711(speech))?;
            clips.push((name, Arc::new(clip)));
        }
        Ok(Self { clips })
    }

    /// Begins to show the clip of the first of these codecs that has one.
    pub(crate) fn start(&self, codecs: &[RTCCodec], now: Instant) -> Option<(RTCCodec, Projector)> {
        let (codec, clip) = codecs.iter().find_map(|codec| {
            let mut clips = self.clips.iter();
            let (_, clip) = clips.find(|(name, _)| name.eq_ignore_ascii_case(&codec.name))?;
            Some((codec.clone(), Arc::clone(clip)))
        })?;
        let projector = Projector {
            clip,
            next: 0,
            began: now,
            base: 0,
        };
        Some((codec, projector))
    }
}

impl Clip {
    fn new(kind: MediaKind, frames: Vec<TimedFrame>) -> Result<Self, Box<dyn Error>> {
        let (Some(first), Some(second), Some(last)) =
            (frames.first(), frames.get(1), frames.last())
        else {
            return Err("a clip has fewer than two frames".into());
        };
        Ok(Self {
            kind,
            length: last.due + (second.due - first.due),
            units: last.time + (second.time - first.time),
            frames,
        })
    }
}

/// Raw G.711 in frames of 20 ms.
fn g711(speech: &'static [u8]) -> Vec<TimedFrame> {
    let frames = (0_u32..).zip(speech.chunks_exact(G711_FRAME));
    let timed = frames.map(|(index, payload)| TimedFrame {
        due: Duration::from_millis(20) * index,
        time: u64::from(index) * G711_FRAME as u64,
        payload: Bytes::from_static(payload),
    });
    timed.collect()
}

impl Projector {
    /// Whether it is heard and not seen.
    pub(crate) fn is_sound(&self) -> bool {
        self.clip.kind == MediaKind::Audio
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
