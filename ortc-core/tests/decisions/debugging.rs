//! The key log and the tap.

use ortc_core::{Event, TapDirection};

use super::{connected, connected_with, talk};

#[test]
fn debugging_is_off_by_default() {
    let (mut call, mic, _) = connected(700);
    talk(&mut call, mic, 0, 3);
    assert_eq!(call.a().connection.poll_tap(), None);
    assert!(!call.a().saw(|event| matches!(event, Event::KeyLog(_))));
}

#[test]
fn debugging_by_tap_gives_plain_rtp_both_ways_and_by_key_log_the_secrets() {
    let (mut call, mic, _) = connected_with(701, |_, options| options.tap(true).key_log(true));
    talk(&mut call, mic, 0, 3);
    let taps = |call: &mut ortc_testkit::call::Call, end| {
        let peer = call.net.node_mut(end);
        core::iter::from_fn(|| peer.connection.poll_tap()).collect::<Vec<_>>()
    };
    let end = call.a;
    let sent = taps(&mut call, end);
    let end = call.b;
    let received = taps(&mut call, end);
    let media = |packets: &[ortc_core::TapPacket], direction| -> Vec<_> {
        let of = packets.iter().filter(|tap| tap.direction == direction);
        of.filter(|tap| tap.packet[1] & 0x7F == 111)
            .map(|tap| tap.packet.clone())
            .collect()
    };
    let out = media(&sent, TapDirection::Sent);
    assert_eq!(out.len(), 3);
    assert_eq!(out, media(&received, TapDirection::Received));
    assert!(
        out[0].ends_with(&[0xFC, 1, 2, 3]),
        "in plain text, without a trailer"
    );
    for end in [call.a, call.b] {
        assert!(
            call.net
                .node(end)
                .saw(|event| matches!(event, Event::KeyLog(_)))
        );
    }
}
