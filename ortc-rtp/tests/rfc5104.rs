//! RFC 5104: full intra request.

use ortc_rtp::ParseError;
use ortc_rtp::wire::rtcp::{Compound, Fir, FirEntry, Packet, packets};

/// §4.3.1.1: SSRC, sequence number, 24 reserved bits; the media source is 0.
#[test]
fn a_request_names_its_source_and_sequence_number() {
    let entries = [
        FirEntry {
            ssrc: 0xAABB_CCDD,
            sequence: 255,
        },
        FirEntry {
            ssrc: 7,
            sequence: 0,
        },
    ];
    let mut out = Vec::new();
    Fir {
        sender_ssrc: 1,
        entries: &entries,
    }
    .encode(&mut out);
    assert_eq!(
        hex::encode(&out),
        "84ce00060000000100000000aabbccddff0000000000000700000000"
    );
    let Some(Ok(Packet::FullIntraRequest(view))) = packets(&out).next() else {
        panic!("not what was built");
    };
    assert_eq!((view.sender_ssrc(), view.media_ssrc()), (1, 0));
    assert!(view.entries().eq(entries));
}

#[test]
fn half_an_entry_is_an_error() {
    let bytes = hex::decode("84ce00030000000100000000aabbccdd").unwrap();
    let error = packets(&bytes).next().unwrap().unwrap_err();
    assert_eq!(
        error,
        ParseError::Trailing {
            what: "FIR entries",
            left: 4
        }
    );
}

#[test]
fn many_requests_continue_in_further_packets() {
    let entries: Vec<_> = (0..300)
        .map(|ssrc| FirEntry { ssrc, sequence: 1 })
        .collect();
    let mut out = Vec::new();
    Fir {
        sender_ssrc: 1,
        entries: &entries,
    }
    .encode(&mut out);
    let mut read = Vec::new();
    for packet in Compound::parse(&out).unwrap().packets() {
        let Packet::FullIntraRequest(view) = packet else {
            panic!("{packet:?}");
        };
        read.extend(view.entries());
    }
    assert_eq!(read, entries);
}
