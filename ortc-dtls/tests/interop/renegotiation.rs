//! OpenSSL begins another handshake. It takes no for an answer by ending the connection, at once and
//! with an alert that says why, where silence would leave it waiting (RFC 5246 §7.2.2 leaves it to
//! whoever asked).

use core::net::SocketAddr;
use std::io::Write;

use ortc_dtls::{AlertDescription, CloseReason, DropReason, Event, Role};

use crate::driver::Driver;
use crate::peers::{OpenSsl, Peer};
use crate::{EC, config, socket};

fn assert_refused(mut driver: Driver, mut peer: Peer) {
    driver.run(|event| *event == Event::Connected);
    peer.line_with("Keying material: ");
    peer.stdin.write_all(b"R\n").unwrap();
    let refused = CloseReason::PeerAlert(AlertDescription::HANDSHAKE_FAILURE);
    driver.run(|event| *event == Event::Closed(refused));
    let stats = driver.endpoint.stats();
    assert_eq!(stats.dropped(DropReason::Renegotiation), 1, "{stats:?}");
}

#[test]
fn a_client_that_begins_another_handshake_is_told_that_there_is_none() {
    let Some(openssl) = OpenSsl::new("rc", EC) else {
        return;
    };
    let socket = socket();
    let connect = socket.local_addr().unwrap().to_string();
    let peer = openssl.start(&["s_client", "-connect", &connect]);
    let config = config().expected_fingerprints(vec![openssl.fingerprint]);
    assert_refused(Driver::new(config, Role::Server, socket, None), peer);
}

#[test]
fn a_server_that_asks_for_another_handshake_is_told_that_there_is_none() {
    let Some(openssl) = OpenSsl::new("rs", EC) else {
        return;
    };
    let port = socket().local_addr().unwrap().port();
    let accept = port.to_string();
    let peer = openssl.start(&["s_server", "-port", &accept, "-Verify", "1"]);
    peer.line_with("ACCEPT");
    let config = config().expected_fingerprints(vec![openssl.fingerprint]);
    let address = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    assert_refused(Driver::new(config, Role::Client, socket(), address), peer);
}
