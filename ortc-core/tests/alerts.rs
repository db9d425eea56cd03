//! How the end of a handshake reaches the other side.

use core::time::Duration;

use ortc_core::dtls::{AlertDescription, CloseReason};
use ortc_core::{DisconnectReason, Event, Fingerprint};
use ortc_testkit::call::Call;
use ortc_testkit::link::Link;

/// The side that refuses says so in an alert, which leaves although the connection has ended; then
/// it has no deadline. In DTLS 1.3 a client is connected before the server has seen its
/// certificate, and the alert is protected.
#[test]
fn a_side_that_refuses_the_certificate_says_so_before_it_is_silent() {
    let mut call = Call::new(3, Link::perfect(Duration::from_millis(25)), |_, options| {
        options
    });
    call.signal();
    let now = call.net.now();
    let wrong = Fingerprint::parse("sha-256", &["AB"; 32].join(":")).unwrap();
    let expectation = call.a().connection.set_remote_fingerprint(wrong, now);
    expectation.unwrap();

    call.net.run_for(Duration::from_secs(1));

    let reason = DisconnectReason::Dtls(CloseReason::FingerprintMismatch);
    assert_eq!(call.a().events.last(), Some(&Event::Disconnected(reason)));
    let ended = &call.net.node(call.a).connection;
    assert!(ended.is_closed());
    assert_eq!(ended.poll_timeout(), None);

    let of_a = call.net.log.iter().filter(|sent| sent.by == call.a);
    let last = of_a.map(|sent| &sent.contents[..]).next_back().unwrap();
    assert_eq!(
        (last[0] >> 2, last.len()),
        (0b1011, 24),
        "a protected record"
    );
    let bad_certificate = CloseReason::PeerAlert(AlertDescription::BAD_CERTIFICATE);
    let reason = DisconnectReason::Dtls(bad_certificate);
    assert_eq!(call.b().events.last(), Some(&Event::Disconnected(reason)));
}
