//! Which feedback the sender of a track acts on, by its description.

/// Feedback about one receiving track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feedback {
    /// Whether lost packets are asked for (RFC 4585 §6.2.1).
    pub(crate) nack: bool,
    pub(crate) key_frame: Option<KeyFrameRequest>,
}

/// How a key frame is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFrameRequest {
    /// Picture loss indication (RFC 4585 §6.3.1).
    Pli,
    /// Full intra request (RFC 5104 §4.3.1).
    Fir,
}

impl Feedback {
    /// What a description lists; without a list everything is taken.
    pub(crate) fn of(listed: Option<&[String]>) -> Self {
        let has = |wanted: &str| {
            listed.is_none_or(|listed| listed.iter().any(|item| item.eq_ignore_ascii_case(wanted)))
        };
        let key_frame = if has("nack pli") {
            Some(KeyFrameRequest::Pli)
        } else if has("ccm fir") {
            Some(KeyFrameRequest::Fir)
        } else {
            None
        };
        Self {
            nack: has("nack"),
            key_frame,
        }
    }

    /// What a sender of this stack acts on.
    pub(crate) fn taken(video: bool) -> Vec<String> {
        let all: &[&str] = if video {
            &["nack", "nack pli", "ccm fir"]
        } else {
            &["nack"]
        };
        all.iter().map(|&item| item.to_owned()).collect()
    }
}
