use core::ops::Range;

/// The NAL units of an Annex B byte stream (ITU-T H.264 Annex B), without start codes and without
/// the zero octets that may trail each: ranges into `stream`, never empty.
///
/// Octets before the first start code belong to no NAL unit and are passed over.
#[must_use]
pub fn units(stream: &[u8]) -> Units<'_> {
    let next = start_code(stream, 0).map(|at| at + 3);
    Units { stream, next }
}

/// Iterator of [`units`].
#[derive(Clone, Debug)]
pub struct Units<'a> {
    stream: &'a [u8],
    /// Where the next NAL unit begins: just after a start code.
    next: Option<usize>,
}

impl Iterator for Units<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        // Every round ends behind the start code that it found, so this ends with the stream.
        while let Some(from) = self.next {
            let code = start_code(self.stream, from);
            self.next = code.map(|at| at + 3);
            let unit = self.stream.get(from..code.unwrap_or(self.stream.len()))?;
            let len = unit
                .iter()
                .rposition(|&octet| octet != 0)
                .map_or(0, |last| last + 1);
            if len > 0 {
                return Some(from..from + len);
            }
        }
        None
    }
}

/// The position of the next `00 00 01`.
fn start_code(stream: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    // The third octet decides how far to look next, so most octets are never read.
    while let Some(&[first, second, third]) = stream.get(at..).and_then(<[u8]>::first_chunk) {
        match (first, second, third) {
            (0, 0, 1) => return Some(at),
            (_, _, 1..) => at += 3,
            (_, _, 0) => at += 1,
        }
    }
    None
}
