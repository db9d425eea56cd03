//! What is sent: the frames of three media files, each with its time.

use core::error::Error;
use core::time::Duration;
use std::io::Cursor;

use bytes::Bytes;
use ortc_core::MediaKind;

use crate::media::{
    H264Reader, H264Writer, IvfReader, IvfWriter, MediaError, OggOpusReader, OggOpusWriter,
    OpusPacket, VideoFrame,
};

const SPEECH: &[u8] = include_bytes!("data/speech.opus");
const VP8: &[u8] = include_bytes!("data/testsrc.vp8.ivf");
const H264: &[u8] = include_bytes!("data/testsrc.h264");
/// Pictures a second of the H.264 file, which does not say so itself.
const H264_FPS: u32 = 30;
/// RTP clock of every video format (RFC 3551 §4.3).
const VIDEO_CLOCK: u128 = 90_000;

/// The formats of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Format {
    Opus,
    Vp8,
    H264,
}

impl Format {
    pub(crate) fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::H264 => MediaKind::Video,
        }
    }

    /// The codec's name in descriptions.
    pub(crate) fn codec(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Vp8 => "vp8",
            Self::H264 => "h264",
        }
    }

    pub(crate) fn of(codec: &str) -> Option<Self> {
        [Self::Opus, Self::Vp8, Self::H264]
            .into_iter()
            .find(|format| format.codec().eq_ignore_ascii_case(codec))
    }

    /// How files of it end.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Vp8 => "ivf",
            Self::H264 => "h264",
        }
    }
}

/// A frame and when it is due, counted from the first.
#[derive(Clone, Debug)]
pub(crate) struct TimedFrame {
    pub(crate) due: Duration,
    /// The same in units of the codec's clock.
    pub(crate) time: u64,
    pub(crate) payload: Bytes,
}

/// A file, or its beginning.
pub(crate) struct Clip {
    pub(crate) frames: Vec<TimedFrame>,
    /// The file with these frames and no others.
    pub(crate) file: Vec<u8>,
    /// Of audio: channels and pre-skip of the header, and where the last packet is cut.
    pub(crate) recording: Option<(u8, u16, Option<u64>)>,
}

/// Reads the frames that are due within the limit.
pub(crate) fn load(format: Format, limit: Option<Duration>) -> Result<Clip, Box<dyn Error>> {
    match format {
        Format::Opus => load_opus(limit),
        Format::Vp8 => load_vp8(limit),
        Format::H264 => load_h264(limit),
    }
}

/// All packets of an Ogg Opus file.
pub(crate) fn opus_packets(file: &[u8]) -> Result<Vec<OpusPacket>, MediaError> {
    let mut reader = OggOpusReader::new(Cursor::new(file))?;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet()? {
        packets.push(packet);
    }
    Ok(packets)
}

/// The frames of any of the files.
pub(crate) fn payloads(format: Format, file: &[u8]) -> Result<Vec<Bytes>, MediaError> {
    let video = match format {
        Format::Opus => {
            let packets = opus_packets(file)?;
            return Ok(packets.into_iter().map(|packet| packet.data).collect());
        }
        Format::Vp8 => {
            let mut reader = IvfReader::new(file)?;
            let mut frames = Vec::new();
            while let Some(frame) = reader.next_frame()? {
                frames.push(frame);
            }
            frames
        }
        Format::H264 => {
            let mut reader = H264Reader::new(file, H264_FPS)?;
            core::iter::from_fn(|| reader.next_frame()).collect()
        }
    };
    Ok(video.into_iter().map(|frame| frame.data).collect())
}

fn within(due: Duration, limit: Option<Duration>) -> bool {
    limit.is_none_or(|limit| due < limit)
}

fn load_opus(limit: Option<Duration>) -> Result<Clip, Box<dyn Error>> {
    let mut reader = OggOpusReader::new(Cursor::new(SPEECH))?;
    let (head, tags) = (reader.head().clone(), reader.tags().clone());
    let &[channels, low, high] = head.get(9..12).unwrap_or_default() else {
        return Err("the Opus header is too short".into());
    };
    let mut writer = OggOpusWriter::new(Vec::new(), 1, head, tags)?;
    let (mut frames, mut samples, mut end) = (Vec::new(), 0_u64, None);
    while let Some(packet) = reader.next_packet()? {
        let due = Duration::from_nanos(samples * 1_000_000 / 48);
        if !within(due, limit) {
            break;
        }
        frames.push(TimedFrame {
            due,
            time: samples,
            payload: packet.data.clone(),
        });
        samples += u64::from(packet.samples);
        end = packet.end;
        writer.write(packet)?;
    }
    Ok(Clip {
        frames,
        file: writer.finish()?,
        recording: Some((channels, u16::from_le_bytes([low, high]), end)),
    })
}

fn load_vp8(limit: Option<Duration>) -> Result<Clip, Box<dyn Error>> {
    let mut reader = IvfReader::new(VP8)?;
    let time_base = reader.header().time_base;
    let mut writer = IvfWriter::new(Vec::new(), reader.header())?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        let due = time_base.time(frame.pts);
        if !within(due, limit) {
            break;
        }
        frames.push(timed(due, &frame)?);
        writer.write(&frame)?;
    }
    Ok(Clip {
        frames,
        file: writer.finish()?,
        recording: None,
    })
}

fn load_h264(limit: Option<Duration>) -> Result<Clip, Box<dyn Error>> {
    let mut reader = H264Reader::new(H264, H264_FPS)?;
    let time_base = reader.time_base();
    let mut writer = H264Writer::new(Vec::new());
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame() {
        let due = time_base.time(frame.pts);
        if !within(due, limit) {
            break;
        }
        frames.push(timed(due, &frame)?);
        writer.write(&frame)?;
    }
    Ok(Clip {
        frames,
        file: writer.finish()?,
        recording: None,
    })
}

fn timed(due: Duration, frame: &VideoFrame) -> Result<TimedFrame, Box<dyn Error>> {
    // Rounded, as a third of a second is no whole number of nanoseconds.
    let time = u64::try_from((due.as_nanos() * VIDEO_CLOCK + 500_000_000) / 1_000_000_000)?;
    Ok(TimedFrame {
        due,
        time,
        payload: frame.data.clone(),
    })
}
