//! H.264 in Annex B form: NAL units behind start codes, nothing else, so the frame rate is told.

use std::io::{Read, Write};

use bytes::Bytes;
use ortc_rtp::payload::h264::units;

use super::{MediaError, TimeBase, VideoFrame};

/// Reads access units.
pub(crate) struct H264Reader {
    stream: Bytes,
    /// Where each access unit ends, last first.
    ends: Vec<usize>,
    next: usize,
    pts: u64,
    time_base: TimeBase,
}

impl H264Reader {
    /// Reads the whole stream, whose pictures follow one another at `fps` a second.
    pub(crate) fn new(mut input: impl Read, fps: u32) -> Result<Self, MediaError> {
        let mut stream = Vec::new();
        input.read_to_end(&mut stream)?;
        let mut ends = access_unit_ends(&stream);
        if ends.is_empty() {
            return Err(MediaError::NoUnits);
        }
        ends.reverse();
        Ok(Self {
            stream: stream.into(),
            ends,
            next: 0,
            pts: 0,
            time_base: TimeBase {
                rate: fps.max(1),
                scale: 1,
            },
        })
    }

    /// What the time stamps count: pictures.
    pub(crate) fn time_base(&self) -> TimeBase {
        self.time_base
    }

    /// The next access unit, start codes included; `None` at the end.
    ///
    /// The access units of a file, one behind the other, are the file.
    pub(crate) fn next_frame(&mut self) -> Option<VideoFrame> {
        let end = self.ends.pop()?;
        let frame = VideoFrame {
            pts: self.pts,
            data: self.stream.slice(self.next..end),
        };
        self.next = end;
        self.pts += 1;
        Some(frame)
    }
}

/// Writes access units, one behind the other.
pub(crate) struct H264Writer<W> {
    output: W,
}

impl<W: Write> H264Writer<W> {
    /// An empty file.
    pub(crate) fn new(output: W) -> Self {
        Self { output }
    }

    /// Writes one access unit; its time stamp is lost.
    pub(crate) fn write(&mut self, frame: &VideoFrame) -> Result<(), MediaError> {
        self.output.write_all(&frame.data)?;
        Ok(())
    }

    /// Ends the file and gives its output back.
    pub(crate) fn finish(mut self) -> Result<W, MediaError> {
        self.output.flush()?;
        Ok(self.output)
    }
}

/// Where access units end: before the first NAL unit that can only belong to the next one, once a
/// slice has been seen (ITU-T H.264 §7.4.1.2.3). That is a delimiter, a parameter set, an SEI, a
/// type from 14 to 18, or a slice with the first macroblock.
fn access_unit_ends(stream: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut last_unit_end = None;
    let mut has_slice = false;
    for range in units(stream) {
        let end = range.end;
        let (kind, first_of_picture) = match stream.get(range) {
            Some(&[header, data, ..]) => (header & 0x1f, data & 0x80 != 0),
            Some(&[header]) => (header & 0x1f, false),
            Some([]) | None => continue,
        };
        let slice = matches!(kind, 1..=5);
        let opens = matches!(kind, 6..=9 | 14..=18) || (slice && first_of_picture);
        if has_slice && opens {
            ends.extend(last_unit_end);
            has_slice = false;
        }
        has_slice |= slice;
        last_unit_end = Some(end);
    }
    ends.extend(last_unit_end.map(|_| stream.len()));
    ends
}
