//! IVF: a header of 32 octets, then frames with their length and time stamp, little-endian.

use std::io::{self, Read, Write};

use bytes::{Buf, BufMut};

use super::{MediaError, TimeBase, VideoFrame};

const HEADER: u16 = 32;

/// More than any frame of a call; a length beyond it is damage.
const MAX_FRAME: u32 = 1 << 24;

/// What stands at the beginning of an IVF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IvfHeader {
    /// The codec: `VP80` for VP8.
    pub(crate) fourcc: [u8; 4],
    /// Width in pixels.
    pub(crate) width: u16,
    /// Height in pixels.
    pub(crate) height: u16,
    /// What the time stamps count.
    pub(crate) time_base: TimeBase,
    /// How many frames follow; 0 where the writer did not know.
    pub(crate) frames: u32,
}

/// Reads frames.
pub(crate) struct IvfReader<R> {
    input: R,
    header: IvfHeader,
}

impl<R: Read> IvfReader<R> {
    /// Reads the header.
    pub(crate) fn new(mut input: R) -> Result<Self, MediaError> {
        let mut octets = [0; HEADER as usize];
        input.read_exact(&mut octets)?;
        let mut rest = &octets[..];
        let mut signature = [0; 4];
        rest.copy_to_slice(&mut signature);
        let (version, length) = (rest.get_u16_le(), rest.get_u16_le());
        let mut fourcc = [0; 4];
        rest.copy_to_slice(&mut fourcc);
        let header = IvfHeader {
            fourcc,
            width: rest.get_u16_le(),
            height: rest.get_u16_le(),
            time_base: TimeBase {
                rate: rest.get_u32_le(),
                scale: rest.get_u32_le(),
            },
            frames: rest.get_u32_le(),
        };
        let known = signature == *b"DKIF" && version == 0 && length == HEADER;
        if !known || header.time_base.rate == 0 {
            return Err(MediaError::IvfHeader);
        }
        Ok(Self { input, header })
    }

    /// The file's header.
    pub(crate) fn header(&self) -> IvfHeader {
        self.header
    }

    /// The next frame; `None` at the end.
    pub(crate) fn next_frame(&mut self) -> Result<Option<VideoFrame>, MediaError> {
        let mut octets = Vec::with_capacity(12);
        (&mut self.input).take(12).read_to_end(&mut octets)?;
        if octets.is_empty() {
            return Ok(None);
        }
        let mut rest = &octets[..];
        let (Ok(len), Ok(pts)) = (rest.try_get_u32_le(), rest.try_get_u64_le()) else {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        };
        if len > MAX_FRAME {
            return Err(MediaError::FrameSize(len));
        }
        let mut data = Vec::new();
        let have = (&mut self.input).take(len.into()).read_to_end(&mut data)?;
        if u32::try_from(have) != Ok(len) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(Some(VideoFrame {
            pts,
            data: data.into(),
        }))
    }
}

/// Writes frames.
pub(crate) struct IvfWriter<W> {
    output: W,
}

impl<W: Write> IvfWriter<W> {
    /// Writes the header.
    pub(crate) fn new(mut output: W, header: IvfHeader) -> Result<Self, MediaError> {
        let mut octets = Vec::with_capacity(HEADER.into());
        octets.put_slice(b"DKIF");
        octets.put_u16_le(0);
        octets.put_u16_le(HEADER);
        octets.put_slice(&header.fourcc);
        octets.put_u16_le(header.width);
        octets.put_u16_le(header.height);
        octets.put_u32_le(header.time_base.rate);
        octets.put_u32_le(header.time_base.scale);
        octets.put_u32_le(header.frames);
        octets.put_u32_le(0);
        output.write_all(&octets)?;
        Ok(Self { output })
    }

    /// Writes one frame.
    pub(crate) fn write(&mut self, frame: &VideoFrame) -> Result<(), MediaError> {
        let len = u32::try_from(frame.data.len()).unwrap_or(u32::MAX);
        if len > MAX_FRAME {
            return Err(MediaError::FrameSize(len));
        }
        self.output.write_all(&len.to_le_bytes())?;
        self.output.write_all(&frame.pts.to_le_bytes())?;
        self.output.write_all(&frame.data)?;
        Ok(())
    }

    /// Ends the file and gives its output back.
    pub(crate) fn finish(mut self) -> Result<W, MediaError> {
        self.output.flush()?;
        Ok(self.output)
    }
}
