//! RTCP is multiplexed with RTP (draft §5, RFC 5761).

use ortc_core::{Frame, RTCTrackFilter};
use ortc_testkit::call::address_a;

use super::{connected, ms};

#[test]
fn rtcp_leaves_on_the_path_of_rtp() {
    let mut call = connected(70);
    let mic = call.a().connection.tracks(&RTCTrackFilter::default())[0];
    for index in 0..400_u64 {
        let now = call.net.now();
        let frame = Frame::new(vec![1], index * 960);
        call.a().connection.send_frame(mic, &frame, now).unwrap();
        call.net.run_for(ms(20));
    }
    let from = address_a();
    let mut reports = 0;
    for sent in call.net.log.iter().filter(|sent| sent.local == from) {
        assert_eq!(sent.remote, ortc_testkit::call::address_b());
        reports += usize::from(matches!(sent.contents[..], [128..=191, 192..=223, ..]));
    }
    assert!(reports > 1, "reports left beside the media");
}
