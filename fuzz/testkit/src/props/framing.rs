//! Frames on byte streams (RFC 4571), and the candidate attribute of SDP (RFC 8839).
#![expect(
    clippy::missing_panics_doc,
    reason = "test code: a failed expectation is the report"
)]

use ortc_ice::{Deframer, SignalledCandidate, frame};

/// Takes all frames out of a stream that arrives in these pieces.
fn frames<'a>(deframer: &mut Deframer, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for mut piece in pieces {
        while let Some(frame) = deframer.next(&mut piece) {
            frames.push(frame.to_vec());
        }
        assert!(piece.is_empty(), "all that arrived is taken");
        assert!(deframer.pending() < 2 + 65_535);
    }
    frames
}

/// Any split of a stream gives the same frames; framing them gives the stream again.
pub fn framing(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else {
        return;
    };
    let mut whole = Deframer::default();
    let expected = frames(&mut whole, [stream].into_iter());
    let size = usize::from(cut) % 9 + 1;
    let mut pieces = Deframer::default();
    assert_eq!(frames(&mut pieces, stream.chunks(size)), expected);
    assert_eq!(pieces.pending(), whole.pending());

    let mut again = Vec::new();
    for octets in &expected {
        let start = again.len();
        again.extend_from_slice(octets);
        frame(&mut again, start).unwrap();
    }
    assert_eq!(again.len() + whole.pending(), stream.len());
    assert!(
        stream.starts_with(&again),
        "what was framed is what arrived"
    );
}

/// What is read as a candidate is written as one that reads the same.
pub fn candidate_attribute(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match text.parse() {
        Ok(SignalledCandidate::Address(candidate)) => {
            assert!((1..=256).contains(&candidate.component()));
            assert!((1..1 << 31).contains(&candidate.priority()));
            assert!(candidate.address().port() != 0);
            let line = candidate.to_sdp_attribute();
            assert_eq!(line.parse(), Ok(SignalledCandidate::Address(candidate)));
        }
        Ok(SignalledCandidate::Name(candidate)) => {
            assert_eq!(candidate.name().len(), 42);
            assert!(candidate.name().ends_with(".local"));
            assert!(text.to_ascii_lowercase().contains(candidate.name()));
        }
        Err(_) => {}
    }
}
