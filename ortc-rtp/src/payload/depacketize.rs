use bytes::{BufMut, BytesMut};
use thiserror::Error;

use super::vp8::{self, PictureId};
use super::{Format, h264};

/// Why a payload was refused, or why the frame that it belongs to is not whole.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The payload ends before what its header announces.
    #[error("{what} needs {need} octets, {have} are there")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Octets that it takes.
        need: usize,
        /// Octets that are left.
        have: usize,
    },
    /// A NAL unit type that the packetization mode, or the place inside another, does not allow
    /// (RFC 6184 §5.2, §5.7.1, §5.8).
    #[error("NAL unit type {0} is not allowed here")]
    UnitType(u8),
    /// A fragment that is the first and the last at once (RFC 6184 §5.8).
    #[error("a fragment is both first and last")]
    FirstAndLast,
    /// A fragment that continues nothing.
    #[error("a fragment continues no NAL unit")]
    OrphanFragment,
    /// Something else began, or the frame ended, inside a fragmented NAL unit.
    #[error("a fragmented NAL unit has no end")]
    UnfinishedUnit,
    /// The first payload of a frame does not say that it begins one (RFC 7741 §4.2).
    #[error("the frame has no beginning")]
    NoStart,
    /// A payload inside a frame says that it begins one.
    #[error("the frame begins twice")]
    SecondStart,
    /// The frame would be larger than the receiver's limit.
    #[error("the frame exceeds {max} octets")]
    TooLarge {
        /// The limit, in octets.
        max: usize,
    },
}

/// Whether a payload is the first of its frame, as far as it can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameStart {
    /// It is: a VP8 first partition, an access unit delimiter, a sequence parameter set, any audio.
    Certain,
    /// It can be, but something may belong before it: other H.264 NAL units that open an access
    /// unit, and the slice with the first macroblock.
    Likely,
    /// It is not.
    No,
}

/// What one payload adds to its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub(super) start: FrameStart,
    pub(super) layout: Layout,
    pub(super) len: usize,
    pub(super) content: Content,
    pub(super) picture_id: Option<PictureId>,
}

/// How the frame's octets lie in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// All that follows a header of so many octets.
    After(usize),
    /// One NAL unit.
    Unit,
    /// STAP-A.
    Aggregate,
    /// FU-A, first fragment.
    First,
    /// FU-A, neither first nor last.
    Middle,
    /// FU-A, last fragment.
    Last,
}

/// What a decoder finds in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Content {
    pub(super) key: bool,
    pub(super) idr: bool,
}

impl Part {
    /// Whether the payload begins a frame.
    #[must_use]
    pub const fn start(&self) -> FrameStart {
        self.start
    }

    /// Octets that [`Part::append_to`] adds to the frame.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the payload adds nothing: an empty H.264 fragment, which RFC 6184 §5.8 allows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the payload shows that its frame is a key frame.
    #[must_use]
    pub const fn is_key_frame(&self) -> bool {
        self.content.key
    }

    /// The VP8 picture id, when the descriptor has one.
    #[must_use]
    pub const fn picture_id(&self) -> Option<PictureId> {
        self.picture_id
    }

    /// The octets to drop from the front when the rest of the payload is a slice of the frame.
    pub(crate) const fn prefix_len(&self) -> Option<usize> {
        match self.layout {
            Layout::After(len) => Some(len),
            Layout::Unit | Layout::Aggregate | Layout::First | Layout::Middle | Layout::Last => {
                None
            }
        }
    }

    /// Appends what `payload` adds to its frame: [`Part::len`] octets.
    ///
    /// `payload` is the one that this was parsed from; H.264 NAL units get start codes of four
    /// octets. Nothing is allocated when `out` has room.
    pub fn append_to(&self, payload: &[u8], out: &mut BytesMut) {
        match self.layout {
            Layout::After(len) => out.put_slice(payload.get(len..).unwrap_or_default()),
            Layout::Unit | Layout::Aggregate | Layout::First | Layout::Middle | Layout::Last => {
                h264::append(self.layout, payload, out);
            }
        }
    }
}

/// A frame of which every part was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Octets of the frame.
    pub len: usize,
    /// Whether a decoder can start here; true for audio.
    pub key_frame: bool,
    /// False when the frame's own first packets may be missing, given that what stood before its
    /// first part is unknown.
    ///
    /// An H.264 access unit whose first part is only [likely](FrameStart::Likely) the first, and
    /// which holds an IDR slice: its parameter sets could be what was lost.
    pub complete_after_loss: bool,
}

/// Checks payloads and follows one frame from its first part to its last.
///
/// It keeps no octets: the caller holds the payloads (or appends each at once), so its size does
/// not grow with the frame.
///
/// ```
/// use bytes::BytesMut;
/// use ortc_rtp::payload::{Depacketizer, Format};
///
/// let payload = [0x90, 0x80, 0x81, 0x23, 0x31, 0x00, 0x00]; // VP8, picture id 0x123
/// let mut depacketizer = Depacketizer::new(Format::Vp8, 1 << 20);
/// let mut frame = BytesMut::new();
/// let part = depacketizer.parse(&payload)?;
/// depacketizer.add(&part)?;
/// part.append_to(&payload, &mut frame);
/// let whole = depacketizer.finish()?; // the packet had the marker bit
/// assert_eq!((whole.len, &frame[..]), (3, &[0x31, 0x00, 0x00][..]));
/// # Ok::<(), ortc_rtp::payload::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Depacketizer {
    format: Format,
    max_frame: usize,
    frame: Option<Progress>,
}

/// The frame so far.
#[derive(Clone, Copy, Debug)]
struct Progress {
    len: usize,
    start: FrameStart,
    content: Content,
    unit: Unit,
}

/// Whether a fragmented NAL unit is waiting for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Closed,
    Open,
}

impl Depacketizer {
    /// A depacketizer that refuses frames of more than `max_frame` octets.
    #[must_use]
    pub const fn new(format: Format, max_frame: usize) -> Self {
        Self {
            format,
            max_frame,
            frame: None,
        }
    }

    /// The format given at construction.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Checks one payload, without regard to the frame in progress.
    ///
    /// H.264 aggregates and fragments are read in packetization mode 0 too: they are what some
    /// senders make of it, and nothing about them is ambiguous.
    ///
    /// # Errors
    ///
    /// [`ParseError`]: the packet is useless, and its frame with it.
    pub fn parse(&self, payload: &[u8]) -> Result<Part, ParseError> {
        let part = match self.format {
            Format::Opus | Format::Pcmu | Format::Pcma => {
                if payload.is_empty() {
                    return Err(ParseError::Truncated {
                        what: "audio frame",
                        need: 1,
                        have: 0,
                    });
                }
                Part {
                    start: FrameStart::Certain,
                    layout: Layout::After(0),
                    len: payload.len(),
                    content: Content {
                        key: true,
                        idr: false,
                    },
                    picture_id: None,
                }
            }
            Format::Vp8 => vp8::parse(payload)?,
            Format::H264 { .. } => h264::parse(payload)?,
        };
        if part.len > self.max_frame {
            return Err(ParseError::TooLarge {
                max: self.max_frame,
            });
        }
        Ok(part)
    }

    /// Adds a part to the frame in progress, or begins one.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when it cannot follow what was added before, or the frame grows too large.
    /// The frame is then forgotten.
    pub fn add(&mut self, part: &Part) -> Result<(), ParseError> {
        let next = match self.frame.take() {
            None => self.first(part)?,
            Some(frame) => self.further(frame, part)?,
        };
        self.frame = Some(next);
        Ok(())
    }

    /// Ends the frame: the last part had the marker bit, or the next packet has another timestamp.
    ///
    /// # Errors
    ///
    /// [`ParseError::UnfinishedUnit`] inside a fragmented NAL unit, [`ParseError::NoStart`] when
    /// nothing was added. Either way the next part begins a frame.
    pub fn finish(&mut self) -> Result<Whole, ParseError> {
        let frame = self.frame.take().ok_or(ParseError::NoStart)?;
        if frame.unit == Unit::Open {
            return Err(ParseError::UnfinishedUnit);
        }
        Ok(Whole {
            len: frame.len,
            key_frame: frame.content.key,
            complete_after_loss: match frame.start {
                FrameStart::Certain => true,
                FrameStart::Likely => !frame.content.idr,
                FrameStart::No => false,
            },
        })
    }

    /// Forgets the frame in progress.
    pub const fn reset(&mut self) {
        self.frame = None;
    }

    fn first(&self, part: &Part) -> Result<Progress, ParseError> {
        if self.format == Format::Vp8 && part.start == FrameStart::No {
            return Err(ParseError::NoStart);
        }
        Ok(Progress {
            len: part.len,
            start: part.start,
            content: part.content,
            unit: Unit::Closed.then(part.layout)?,
        })
    }

    fn further(&self, frame: Progress, part: &Part) -> Result<Progress, ParseError> {
        if self.format == Format::Vp8 && part.start == FrameStart::Certain {
            return Err(ParseError::SecondStart);
        }
        let len = frame.len.saturating_add(part.len);
        if len > self.max_frame {
            return Err(ParseError::TooLarge {
                max: self.max_frame,
            });
        }
        Ok(Progress {
            len,
            start: frame.start,
            content: Content {
                key: frame.content.key || part.content.key,
                idr: frame.content.idr || part.content.idr,
            },
            unit: frame.unit.then(part.layout)?,
        })
    }
}

impl Unit {
    /// Fragments of a NAL unit are consecutive, and nothing stands between them (RFC 6184 §5.8).
    const fn then(self, layout: Layout) -> Result<Self, ParseError> {
        match (self, layout) {
            (Self::Closed, Layout::After(_) | Layout::Unit | Layout::Aggregate)
            | (Self::Open, Layout::Last) => Ok(Self::Closed),
            (Self::Closed, Layout::First) | (Self::Open, Layout::Middle) => Ok(Self::Open),
            (Self::Closed, Layout::Middle | Layout::Last) => Err(ParseError::OrphanFragment),
            (Self::Open, Layout::After(_) | Layout::Unit | Layout::Aggregate | Layout::First) => {
                Err(ParseError::UnfinishedUnit)
            }
        }
    }
}
