//! What arrives: a file for each track, and how smoothly its frames came.

use core::time::Duration;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use ortc_core::{ReceiveTrackStats, ReceivedFrame, ReceivedGap};
use ortc_rtp::payload::opus;

use crate::media::{
    H264Writer, IvfHeader, IvfWriter, MediaError, OggOpusWriter, OpusPacket, TimeBase, VideoFrame,
};
use crate::report::{ReceivedTrack, milliseconds};
use crate::signalling::Recording;
use crate::source::Format;

type Output = BufWriter<File>;

/// The file of one track.
enum Recorder {
    Opus(OggOpusWriter<Output>),
    Vp8(IvfWriter<Output>),
    H264(H264Writer<Output>),
}

/// Where one received track goes.
pub(crate) struct Sink {
    pub(crate) format: Format,
    pub(crate) path: PathBuf,
    recording: Option<Recording>,
    recorder: Option<Recorder>,
    clock: Option<MediaClock>,
    pub(crate) progress: Progress,
}

/// How the track came.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) frames: u64,
    /// Gap events, and the packets that they name.
    pub(crate) gaps: u64,
    pub(crate) gap_packets: u64,
    /// Frames that follow a gap, by their position among those received.
    pub(crate) after_gap: Vec<u64>,
    /// Positions in the file of packets that stand for lost ones.
    pub(crate) fillers: Vec<u64>,
    pub(crate) first: Option<Instant>,
    pub(crate) last: Option<Instant>,
    /// The longest time between two frames.
    pub(crate) longest_pause: Duration,
    packets_in_file: u64,
}

/// RTP timestamps without wraps, from the first frame.
struct MediaClock {
    last: u32,
    elapsed: u64,
    /// Of audio: when the next packet begins, and the first octet of the last one.
    expected: u64,
    toc: u8,
}

impl MediaClock {
    fn advance(&mut self, timestamp: u32) -> u64 {
        // Frames come in order, so the difference is never negative.
        self.elapsed += u64::from(timestamp.wrapping_sub(self.last));
        self.last = timestamp;
        self.elapsed
    }
}

/// More silence than this is not made up for.
const LONGEST_FILL: u64 = 60 * 48_000;
/// Header of an Ogg Opus file when the sender says nothing: stereo, and the 80 ms of pre-skip that
/// RFC 7845 §4.2 recommends for a stream that is cut out of another.
const DEFAULT_CHANNELS: u8 = 2;
const DEFAULT_PRE_SKIP: u16 = 3_840;

impl Sink {
    /// A sink for one track; `recording` is what the sender says of its file.
    pub(crate) fn new(
        format: Format,
        folder: &Path,
        name: &str,
        recording: Option<Recording>,
    ) -> Self {
        Self {
            format,
            path: folder.join(format!("{name}.{}", format.extension())),
            recording,
            recorder: None,
            clock: None,
            progress: Progress::default(),
        }
    }

    pub(crate) fn gap(&mut self, gap: ReceivedGap) {
        self.progress.gaps += 1;
        self.progress.gap_packets += gap.packets;
    }

    pub(crate) fn write(&mut self, frame: &ReceivedFrame, now: Instant) -> Result<(), MediaError> {
        let progress = &mut self.progress;
        if frame.after_gap {
            progress.after_gap.push(progress.frames);
        }
        if let Some(last) = progress.last {
            progress.longest_pause = progress.longest_pause.max(now.duration_since(last));
        }
        progress.first.get_or_insert(now);
        progress.last = Some(now);
        progress.frames += 1;

        let clock = self.clock.get_or_insert(MediaClock {
            last: frame.timestamp,
            elapsed: 0,
            expected: 0,
            toc: 0,
        });
        let at = clock.advance(frame.timestamp);
        let recorder = match &mut self.recorder {
            Some(recorder) => recorder,
            None => {
                let file = BufWriter::new(File::create(&self.path)?);
                let made = open(self.format, file, self.recording.as_ref(), &frame.payload)?;
                self.recorder.insert(made)
            }
        };
        match recorder {
            Recorder::Opus(writer) => {
                fill(writer, clock, at, progress)?;
                let samples = opus::duration(&frame.payload)?;
                clock.toc = frame.payload.first().copied().unwrap_or_default();
                clock.expected = at + u64::from(samples);
                progress.packets_in_file += 1;
                writer.write(OpusPacket {
                    data: frame.payload.clone(),
                    samples,
                    end: self.recording.as_ref().and_then(|recording| recording.end),
                })
            }
            Recorder::Vp8(writer) => writer.write(&VideoFrame {
                pts: at,
                data: frame.payload.clone(),
            }),
            Recorder::H264(writer) => writer.write(&VideoFrame {
                pts: at,
                data: frame.payload.clone(),
            }),
        }
    }

    /// What is to be said of the track, with what the connection counted.
    pub(crate) fn summary(&self, track: &ReceiveTrackStats) -> ReceivedTrack {
        let progress = &self.progress;
        let span = progress.first.zip(progress.last);
        ReceivedTrack {
            codec: self.format.codec().to_owned(),
            ssrc: track.ssrc,
            file: self.path.to_string_lossy().into_owned(),
            frames: progress.frames,
            packets: track.stream.packets,
            octets: track.stream.octets,
            lost: track.stream.lost,
            recovered: track.recovered,
            jitter_ms: milliseconds(track.stream.jitter),
            seconds: span.map_or(0.0, |(first, last)| {
                last.duration_since(first).as_secs_f64()
            }),
            gaps: progress.gaps,
            gap_packets: progress.gap_packets,
            after_gap: progress.after_gap.clone(),
            fillers: progress.fillers.clone(),
            longest_pause_ms: milliseconds(progress.longest_pause),
            key_frame_requests: track.key_frame_requests,
        }
    }

    /// Ends the file.
    pub(crate) fn finish(&mut self) -> Result<(), MediaError> {
        match self.recorder.take() {
            Some(Recorder::Opus(writer)) => writer.finish().map(drop),
            Some(Recorder::Vp8(writer)) => {
                let length = self.clock.as_ref().map_or(0, |clock| clock.elapsed);
                Ok(write_length(writer.finish()?, length)?)
            }
            Some(Recorder::H264(writer)) => writer.finish().map(drop),
            None => Ok(()),
        }
    }
}

/// Puts a packet without audio in the place of each lost one, which a decoder conceals: what comes
/// after the gap keeps its time (RFC 7845 §4.1).
fn fill(
    writer: &mut OggOpusWriter<Output>,
    clock: &mut MediaClock,
    at: u64,
    progress: &mut Progress,
) -> Result<(), MediaError> {
    if at.saturating_sub(clock.expected) > LONGEST_FILL {
        clock.expected = at;
    }
    while clock.expected < at {
        // One frame of no octets, coded as the packet before (RFC 6716 §3.2.1).
        let data = Bytes::copy_from_slice(&[clock.toc & !3]);
        let samples = opus::duration(&data)?;
        clock.expected += u64::from(samples);
        progress.fillers.push(progress.packets_in_file);
        progress.packets_in_file += 1;
        writer.write(OpusPacket {
            data,
            samples,
            end: None,
        })?;
    }
    Ok(())
}

fn open(
    format: Format,
    file: Output,
    recording: Option<&Recording>,
    first: &[u8],
) -> Result<Recorder, MediaError> {
    Ok(match format {
        Format::Opus => {
            let channels = recording.map_or(DEFAULT_CHANNELS, |recording| recording.channels);
            let pre_skip = recording.map_or(DEFAULT_PRE_SKIP, |recording| recording.pre_skip);
            let (head, tags) = opus_headers(channels, pre_skip);
            Recorder::Opus(OggOpusWriter::new(file, 1, head, tags)?)
        }
        Format::Vp8 => {
            let (width, height) = vp8_size(first);
            let header = IvfHeader {
                fourcc: *b"VP80",
                width,
                height,
                time_base: TimeBase {
                    rate: 90_000,
                    scale: 1,
                },
                frames: 0,
            };
            Recorder::Vp8(IvfWriter::new(file, header)?)
        }
        Format::H264 => Recorder::H264(H264Writer::new(file)),
    })
}

/// Where the header of an IVF file says how long it is; players read it in units of the time base.
const IVF_LENGTH: u64 = 24;

fn write_length(mut file: Output, length: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(IVF_LENGTH))?;
    file.write_all(&u32::try_from(length).unwrap_or(0).to_le_bytes())?;
    file.flush()
}

/// The two header packets of RFC 7845 §5.
fn opus_headers(channels: u8, pre_skip: u16) -> (Bytes, Bytes) {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&48_000_u32.to_le_bytes());
    // No gain, mapping family 0.
    head.extend_from_slice(&[0, 0, 0]);
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&4_u32.to_le_bytes());
    tags.extend_from_slice(b"ortc");
    tags.extend_from_slice(&0_u32.to_le_bytes());
    (head.into(), tags.into())
}

/// Width and height of a VP8 key frame (RFC 6386 §9.1), zeros of any other.
fn vp8_size(frame: &[u8]) -> (u16, u16) {
    match frame {
        [tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..] if tag & 1 == 0 => {
            let size = |low, high| u16::from_le_bytes([low, high]) & 0x3FFF;
            (size(*w0, *w1), size(*h0, *h1))
        }
        _ => (0, 0),
    }
}
