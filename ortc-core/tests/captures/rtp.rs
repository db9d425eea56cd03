//! RTP headers and their extensions as browsers write them (RFC 3550 §5.1, RFC 8285), and
//! retransmissions (RFC 4588).

use std::collections::BTreeMap;

use ortc_rtp::wire::{ExtensionElements, RtpPacket};

use crate::recording::{End, Kind, calls};

#[test]
fn every_header_is_read_and_written_again_with_its_extensions() {
    let mut elements_seen = [0, 0];
    for call in calls() {
        for opened in call
            .opened()
            .iter()
            .filter(|opened| opened.kind == Kind::Rtp)
        {
            let view = RtpPacket::parse(&opened.packet).unwrap();
            let mut elements = ExtensionElements::new();
            for (id, data) in view.extensions() {
                elements.push(id, data).unwrap();
                elements_seen[usize::from(opened.from == End::Peer)] += 1;
            }
            let csrcs: Vec<u32> = view.csrcs().collect();
            let mut written = Vec::new();
            view.header().encode_with(&mut written, &csrcs, &elements);
            // Padding is announced in the first octet and lies behind the payload.
            let mut header = opened.packet[..view.header_len()].to_vec();
            header[0] &= !0x20;
            if view
                .extension()
                .is_some_and(|extension| extension.data.is_empty())
            {
                // An extension without a single element: nobody needs to write that.
                assert_eq!(header.split_off(header.len() - 4), [0xBE, 0xDE, 0, 0]);
                header[0] &= !0x10;
            }
            assert_eq!(written, header, "{}", call.name);
            let parts = view.header_len() + view.payload().len() + view.padding_len();
            assert_eq!(parts, opened.packet.len(), "{}", call.name);
        }
    }
    assert!(
        elements_seen.iter().all(|seen| *seen > 1_000),
        "{elements_seen:?}"
    );
}

/// Every element has an id that the SDP of the call names, and the length that its URI asks for.
#[test]
fn every_extension_is_one_that_was_negotiated() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls()
        .iter()
        .filter(|call| !call.facts.extension_ids.is_empty())
    {
        for opened in call
            .opened()
            .iter()
            .filter(|opened| opened.kind == Kind::Rtp)
        {
            for (id, data) in RtpPacket::parse(&opened.packet).unwrap().extensions() {
                let mut known = call.facts.extension_ids.iter();
                let found = known.find(|(_, known)| **known == id);
                let (uri, _) = found.unwrap_or_else(|| panic!("{}: id {id}", call.name));
                let len = match uri.as_str() {
                    "urn:ietf:params:rtp-hdrext:ssrc-audio-level" => 1..=1,
                    "urn:3gpp:video-orientation" => 1..=1,
                    "urn:ietf:params:rtp-hdrext:sdes:mid" => {
                        assert!(data.iter().all(u8::is_ascii_alphanumeric), "{data:?}");
                        1..=16
                    }
                    uri if uri.ends_with("abs-send-time") => 3..=3,
                    uri if uri.contains("transport-wide-cc") => 2..=2,
                    uri => panic!("{}: {uri} {data:?}", call.name),
                };
                assert!(len.contains(&data.len()), "{}: {uri} {data:?}", call.name);
                *seen.entry(uri).or_default() += 1;
            }
        }
    }
    let expected = [
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "urn:3gpp:video-orientation",
        "urn:ietf:params:rtp-hdrext:sdes:mid",
        "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    ];
    assert!(seen.keys().copied().eq(expected), "{seen:?}");
}

/// RFC 4588 §4: an SSRC and a payload type of their own, the original sequence number, then the
/// original payload. What is sent to probe the bandwidth is padding alone.
#[test]
fn retransmissions_carry_what_they_repeat() {
    let (mut repeated, mut padding) = (0, 0);
    for call in calls() {
        for from in End::BOTH {
            let mut originals: BTreeMap<(u8, u16), &[u8]> = BTreeMap::new();
            for opened in call.opened_of(from, Kind::Rtp) {
                let view = RtpPacket::parse(&opened.packet).unwrap();
                if !call.is_retransmission(view.payload_type()) {
                    originals.insert((view.payload_type(), view.sequence()), view.payload());
                    continue;
                }
                let described = call.side(from).tracks.iter();
                let ssrc = view.ssrc().to_string();
                assert!(described.into_iter().all(|track| track.ssrc != ssrc));
                let original = call.facts.retransmission[&view.payload_type().to_string()];
                let Some((&sequence, payload)) = view.payload().split_first_chunk() else {
                    assert!(view.payload().is_empty() && view.padding_len() > 0);
                    padding += 1;
                    continue;
                };
                let key = (original, u16::from_be_bytes(sequence));
                assert_eq!(
                    originals.get(&key),
                    Some(&payload),
                    "{}: {key:?}",
                    call.name
                );
                repeated += 1;
            }
        }
    }
    assert!(repeated > 50 && padding > 0, "{repeated} {padding}");
}
