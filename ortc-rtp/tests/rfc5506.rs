//! RFC 5506: RTCP that does not begin with a report.

use ortc_rtp::wire::rtcp::{Compound, Packet, Pli, ReceiverReport, Sdes, Text};

/// §3.4.1: a feedback message may come alone.
#[test]
fn feedback_alone_is_valid_and_of_reduced_size() {
    let mut out = Vec::new();
    Pli {
        sender_ssrc: 1,
        media_ssrc: 2,
    }
    .encode(&mut out);
    let compound = Compound::parse(&out).unwrap();
    assert!(compound.is_reduced_size());
    assert_eq!(compound.packets().count(), 1);
}

#[test]
fn feedback_behind_a_report_is_a_full_compound() {
    let mut out = Vec::new();
    ReceiverReport {
        ssrc: 1,
        blocks: &[],
    }
    .encode(&mut out);
    Sdes {
        ssrc: 1,
        cname: Text::new("name").unwrap(),
    }
    .encode(&mut out);
    Pli {
        sender_ssrc: 1,
        media_ssrc: 2,
    }
    .encode(&mut out);
    let compound = Compound::parse(&out).unwrap();
    assert!(!compound.is_reduced_size());
    assert!(matches!(
        compound.packets().collect::<Vec<_>>()[..],
        [
            Packet::ReceiverReport(_),
            Packet::SourceDescription(_),
            Packet::PictureLoss(_)
        ]
    ));
}

#[test]
fn nothing_is_not_a_compound() {
    assert!(Compound::parse(&[]).is_err());
}
