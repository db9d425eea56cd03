//! MediaStream and MediaStreamTrack with the extensions of the draft's sections 7 and 8.

use core::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Sound, and the tones that ride on its SSRC.
    Audio,
    /// Pictures.
    Video,
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Video => "video",
        })
    }
}

impl From<ortc_rtp::payload::MediaKind> for MediaKind {
    fn from(kind: ortc_rtp::payload::MediaKind) -> Self {
        match kind {
            ortc_rtp::payload::MediaKind::Audio => Self::Audio,
            ortc_rtp::payload::MediaKind::Video => Self::Video,
        }
    }
}

/// One source or sink of media. Cloning the value in Rust keeps its identity; the clone that the
/// draft means is the one that [`MediaStream::add_track`] makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MediaStreamTrack {
    id: Arc<str>,
    label: Arc<str>,
    kind: MediaKind,
}

impl MediaStreamTrack {
    /// A track. The id is the application's and names the track in its process; a UUID is usual.
    #[must_use]
    pub fn new(kind: MediaKind, id: impl Into<Arc<str>>, label: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            label: label.into(),
            kind,
        }
    }

    /// The identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What a person may call the source, a device name for example.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Audio or video.
    #[must_use]
    pub fn kind(&self) -> MediaKind {
        self.kind
    }
}

/// A group of tracks that belong together, to be played in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaStream {
    id: Arc<str>,
    tracks: Vec<MediaStreamTrack>,
}

impl MediaStream {
    /// An empty stream. Its id travels as `msid` in the description of each of its tracks.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            tracks: Vec::new(),
        }
    }

    /// The identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tracks, in the order in which they were added.
    #[must_use]
    pub fn tracks(&self) -> &[MediaStreamTrack] {
        &self.tracks
    }

    /// Adds a clone of the track and returns the clone, as the draft's section 7 asks: the same
    /// track is then never in two streams. The clone has an id of its own, made of both ids.
    #[doc(alias = "addTrack")]
    pub fn add_track(&mut self, track: &MediaStreamTrack) -> MediaStreamTrack {
        let mut id = format!("{}/{}", self.id, track.id);
        while self.tracks.iter().any(|known| *known.id == *id) {
            id.push('\'');
        }
        let clone = MediaStreamTrack {
            id: id.into(),
            ..track.clone()
        };
        self.tracks.push(clone.clone());
        clone
    }

    /// The receiving side's way to add: the identity is the one that the connection gave.
    pub(crate) fn push(&mut self, track: MediaStreamTrack) {
        self.tracks.push(track);
    }

    pub(crate) fn remove(&mut self, track: &MediaStreamTrack) {
        self.tracks.retain(|known| known != track);
    }
}
