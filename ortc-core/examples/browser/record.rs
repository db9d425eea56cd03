//! What arrives, as files that any player opens: Ogg Opus and IVF.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use bytes::Bytes;
use ortc_core::ReceivedFrame;
use ortc_rtp::payload::opus;

use crate::media::{
    H264Writer, IvfHeader, IvfWriter, MediaError, OggOpusWriter, OpusPacket, TimeBase, VideoFrame,
};
use crate::source::Format;

type Output = BufWriter<File>;

enum Writer {
    Opus(OggOpusWriter<Output>),
    Vp8(IvfWriter<Output>),
    H264(H264Writer<Output>),
}

/// The file of one track.
pub(crate) struct Recorder {
    writer: Writer,
    clock: Option<(u32, u64)>,
}

/// RTP clock of video (RFC 3551 §4.3).
const VIDEO_CLOCK: u32 = 90_000;
/// RFC 7845 §4.2: 80 ms for a stream that is cut out of another.
const PRE_SKIP: u16 = 3_840;

impl Recorder {
    /// Opens the file. A frame that says how large the picture is, is a key frame: begin there.
    pub(crate) fn create(
        folder: &Path,
        name: &str,
        format: Format,
        first: &[u8],
    ) -> Result<Self, MediaError> {
        let path = folder.join(format!("{name}.{}", format.extension()));
        let file = BufWriter::new(File::create(path)?);
        let writer = match format {
            Format::Opus => Writer::Opus(OggOpusWriter::new(file, 1, head(), tags())?),
            Format::Vp8 => {
                let (width, height) = vp8_size(first).unwrap_or_default();
                let header = IvfHeader {
                    fourcc: *b"VP80",
                    width,
                    height,
                    time_base: TimeBase {
                        rate: VIDEO_CLOCK,
                        scale: 1,
                    },
                    frames: 0,
                };
                Writer::Vp8(IvfWriter::new(file, header)?)
            }
            Format::H264 => Writer::H264(H264Writer::new(file)),
        };
        Ok(Self {
            writer,
            clock: None,
        })
    }

    pub(crate) fn write(&mut self, frame: &ReceivedFrame) -> Result<(), MediaError> {
        let (last, elapsed) = self.clock.unwrap_or((frame.timestamp, 0));
        let at = elapsed + u64::from(frame.timestamp.wrapping_sub(last));
        self.clock = Some((frame.timestamp, at));
        let data = frame.payload.clone();
        match &mut self.writer {
            Writer::Opus(writer) => {
                let samples = opus::duration(&data)?;
                writer.write(OpusPacket {
                    data,
                    samples,
                    end: None,
                })
            }
            Writer::Vp8(writer) => writer.write(&VideoFrame { pts: at, data }),
            Writer::H264(writer) => writer.write(&VideoFrame { pts: at, data }),
        }
    }

    pub(crate) fn finish(self) -> Result<(), MediaError> {
        match self.writer {
            Writer::Opus(writer) => writer.finish().map(drop),
            Writer::Vp8(writer) => writer.finish().map(drop),
            Writer::H264(writer) => writer.finish().map(drop),
        }
    }
}

/// RFC 7845 §5.1: version 1, stereo, pre-skip, 48 kHz, no gain, one stream.
fn head() -> Bytes {
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend_from_slice(&PRE_SKIP.to_le_bytes());
    head.extend_from_slice(&48_000_u32.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head.into()
}

/// RFC 7845 §5.2: the vendor, and no comments.
fn tags() -> Bytes {
    const VENDOR: &[u8] = b"ortc";
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&[4, 0, 0, 0]);
    tags.extend_from_slice(VENDOR);
    tags.extend_from_slice(&[0; 4]);
    tags.into()
}

/// Width and height of a VP8 key frame (RFC 6386 §9.1).
fn vp8_size(frame: &[u8]) -> Option<(u16, u16)> {
    match frame {
        [first, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..] if first & 1 == 0 => {
            let size = |low, high| u16::from_le_bytes([low, high]) & 0x3FFF;
            Some((size(*w0, *w1), size(*h0, *h1)))
        }
        _ => None,
    }
}
