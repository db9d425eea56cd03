//! The ACK message (RFC 9147 §7).

use super::{ParseError, Reader, writer};

/// The full number of a record (RFC 9147 §4); ordered as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordNumber {
    /// Counts the changes of keys.
    pub epoch: u64,
    /// Counts the records of the epoch.
    pub sequence: u64,
}

/// Octets of one record number on the wire.
pub(crate) const NUMBER: usize = 16;

/// The record numbers of an ACK.
///
/// # Errors
///
/// [`ParseError`] when the length does not fit or is no multiple of 16.
pub(crate) fn parse(
    contents: &[u8],
) -> Result<impl Iterator<Item = RecordNumber> + Clone + '_, ParseError> {
    let mut reader = Reader::new(contents, "ACK");
    let numbers = reader.vector16()?;
    reader.finish()?;
    let (numbers, []) = numbers.as_chunks::<NUMBER>() else {
        return Err(ParseError::Length("record_numbers"));
    };
    Ok(numbers.iter().map(|&number| {
        let [
            e0,
            e1,
            e2,
            e3,
            e4,
            e5,
            e6,
            e7,
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            s6,
            s7,
        ] = number;
        RecordNumber {
            epoch: u64::from_be_bytes([e0, e1, e2, e3, e4, e5, e6, e7]),
            sequence: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
        }
    }))
}

/// Appends an ACK for these records.
pub(crate) fn encode(out: &mut Vec<u8>, numbers: &[RecordNumber]) {
    writer::vector16(out, |out| {
        for number in numbers {
            out.extend_from_slice(&number.epoch.to_be_bytes());
            out.extend_from_slice(&number.sequence.to_be_bytes());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let numbers = [(0, 1), (2, 0), (3, (1 << 48) - 1), (u64::MAX, 7)]
            .map(|(epoch, sequence)| RecordNumber { epoch, sequence });
        for count in 0..=numbers.len() {
            let mut out = Vec::new();
            encode(&mut out, &numbers[..count]);
            assert_eq!(out.len(), 2 + NUMBER * count);
            let read: Vec<_> = parse(&out).unwrap().collect();
            assert_eq!(read, numbers[..count]);
            for end in 0..out.len() {
                assert!(parse(&out[..end]).is_err());
            }
            out.push(0);
            assert!(parse(&out).is_err());
        }
        assert!(parse(&[0, 3, 1, 2, 3]).is_err());
    }
}
