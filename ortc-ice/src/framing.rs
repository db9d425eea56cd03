//! Datagrams on a byte stream (RFC 4571): each behind its length in two octets.

use thiserror::Error;

/// What stands before each frame: its length, in network order.
const PREFIX: usize = 2;
/// The longest frame.
const FRAME_MAX: usize = u16::MAX as usize;

/// A datagram that is longer than the 65,535 octets of a frame; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("datagram is longer than a frame")]
pub struct FrameTooLong;

/// Makes the octets of `buf` from `start` on one frame: writes their length before them. Whoever
/// sends data on a [`Transport::Stream`](crate::Transport::Stream) path does this with each
/// datagram; what an [`Agent`](crate::Agent) sends there is framed already. Nothing is allocated when
/// `buf` has room for two more octets.
///
/// ```
/// let mut buf = b"before".to_vec();
/// let start = buf.len();
/// buf.extend_from_slice(b"abc");
/// ortc_ice::frame(&mut buf, start)?;
/// assert_eq!(buf, b"before\x00\x03abc");
/// # Ok::<(), ortc_ice::FrameTooLong>(())
/// ```
///
/// # Errors
///
/// [`FrameTooLong`] beyond 65,535 octets: send it in pieces, or not at all.
pub fn frame(buf: &mut Vec<u8>, start: usize) -> Result<(), FrameTooLong> {
    let len = buf.len().saturating_sub(start);
    let len = u16::try_from(len).map_err(|_| FrameTooLong)?;
    let [high, low] = len.to_be_bytes();
    buf.extend_from_slice(&[high, low]);
    if let Some(octets) = buf.get_mut(start..) {
        octets.rotate_right(PREFIX);
    }
    Ok(())
}

/// Takes the frames out of one byte stream, however the stream cuts them.
///
/// It keeps what is not a whole frame yet: 65,537 octets at most, in a buffer that grows to the
/// longest frame seen and is used again.
///
/// ```
/// let mut deframer = ortc_ice::Deframer::default();
/// let mut octets: &[u8] = b"\x00\x03abc\x00\x00\x00\x02d";
/// let mut frames = Vec::new();
/// while let Some(frame) = deframer.next(&mut octets) {
///     frames.push(frame.to_vec());
/// }
/// assert_eq!(frames, [b"abc".as_slice(), b""]); // and "d" waits for its other half
/// let rest = deframer.next(&mut b"e".as_slice()).map(|frame| frame.to_vec());
/// assert_eq!(rest, Some(b"de".to_vec()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Deframer {
    /// The frame that is being collected, with its prefix.
    buffer: Vec<u8>,
    /// The frame at the start of the buffer was handed out.
    is_taken: bool,
}

impl Deframer {
    /// The next frame, with what is taken of `octets` removed from them; `None` when all of them are
    /// taken and no frame is complete. Call it until then, for each piece of the stream. A frame may
    /// be empty (RFC 4571 §2), which means nothing.
    pub fn next(&mut self, octets: &mut &[u8]) -> Option<&mut [u8]> {
        if core::mem::take(&mut self.is_taken) {
            self.buffer.clear();
        }
        self.fill(octets, PREFIX);
        let &[high, low] = self.buffer.first_chunk()?;
        let len = PREFIX + usize::from(u16::from_be_bytes([high, low]));
        self.fill(octets, len);
        if self.buffer.len() < len {
            return None;
        }
        self.is_taken = true;
        self.buffer.get_mut(PREFIX..len)
    }

    /// How many octets wait for the rest of their frame.
    #[must_use]
    pub fn pending(&self) -> usize {
        if self.is_taken { 0 } else { self.buffer.len() }
    }

    /// Moves octets until the buffer holds `len`, as far as there are any.
    fn fill(&mut self, octets: &mut &[u8], len: usize) {
        debug_assert!(len <= PREFIX + FRAME_MAX);
        let missing = len.saturating_sub(self.buffer.len()).min(octets.len());
        let (taken, rest) = octets.split_at(missing);
        self.buffer.extend_from_slice(taken);
        *octets = rest;
    }
}
