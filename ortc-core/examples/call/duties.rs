//! What each side of the call does.

use core::time::Duration;
use std::path::{Path, PathBuf};

use crate::source::Format;
use crate::{Arguments, Part};

/// What a participant does.
pub(crate) struct Duties {
    /// How its lines begin.
    pub(crate) who: String,
    /// Which answer to a description it is, when there are several.
    pub(crate) answer: Option<usize>,
    /// What it sends.
    pub(crate) formats: Vec<Format>,
    /// Sends only the beginning.
    pub(crate) limit: Option<Duration>,
    pub(crate) tones: Tones,
    pub(crate) hang_up: HangUp,
    pub(crate) description: Description,
    /// Where its files go, and the name that they begin with.
    pub(crate) folder: PathBuf,
    pub(crate) file_name: &'static str,
}

/// Whether it sends tones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tones {
    Dials,
    Listens,
}

/// Who ends the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HangUp {
    WhenBothAreDone,
    Never,
}

/// Whether its ICE information and candidates are signalled, or another's stand for them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Description {
    Own,
    Shared,
}

/// What this side does, in which of the answers.
pub(crate) fn duties(
    part: Part,
    answer: Option<usize>,
    description: Description,
    arguments: &Arguments,
) -> Duties {
    let number = answer.map_or(String::new(), |answer| format!(" {}", answer + 1));
    let limit = arguments.seconds.map(Duration::from_secs_f64);
    let folder = folder(&arguments.out, answer);
    match part {
        Part::Caller => Duties {
            who: format!("caller{number}"),
            answer,
            formats: vec![Format::Opus, Format::Vp8, Format::H264],
            limit,
            tones: Tones::Dials,
            hang_up: HangUp::WhenBothAreDone,
            description,
            folder,
            file_name: "returned",
        },
        Part::Callee => Duties {
            who: format!("callee{number}"),
            answer,
            formats: vec![Format::Opus],
            limit,
            tones: Tones::Listens,
            hang_up: HangUp::Never,
            description,
            folder,
            file_name: "received",
        },
    }
}

/// Where the files of a call go.
pub(crate) fn folder(out: &Path, answer: Option<usize>) -> PathBuf {
    match answer {
        Some(answer) => out.join(format!("call-{}", answer + 1)),
        None => out.to_owned(),
    }
}
