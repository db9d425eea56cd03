//! URIs of servers: the examples of RFC 7064 and RFC 7065, and what is none.

use ortc_ice::{ServerScheme, ServerTransport, ServerUri, ServerUriError};

fn parts(uri: &str) -> (ServerScheme, String, u16, ServerTransport) {
    let uri = ServerUri::parse(uri).expect(uri);
    (uri.scheme, uri.host.clone(), uri.port, uri.transport())
}

/// RFC 7064 Appendix A.
#[test]
fn stun_uris_of_the_rfc_are_read() {
    let (stun, udp) = (ServerScheme::Stun, ServerTransport::Udp);
    let (stuns, tcp) = (ServerScheme::Stuns, ServerTransport::Tcp);
    let host = || "example.org".to_owned();
    assert_eq!(parts("stun:example.org"), (stun, host(), 3478, udp));
    assert_eq!(parts("stuns:example.org"), (stuns, host(), 5349, tcp));
    assert_eq!(parts("stun:example.org:8000"), (stun, host(), 8000, udp));
}

/// RFC 7065 Appendix A.
#[test]
fn turn_uris_of_the_rfc_are_read() {
    let (turn, turns) = (ServerScheme::Turn, ServerScheme::Turns);
    let (udp, tcp) = (ServerTransport::Udp, ServerTransport::Tcp);
    let host = || "example.org".to_owned();
    assert_eq!(parts("turn:example.org"), (turn, host(), 3478, udp));
    assert_eq!(parts("turns:example.org"), (turns, host(), 5349, tcp));
    assert_eq!(parts("turn:example.org:8000"), (turn, host(), 8000, udp));
    let query = |uri: &str| parts(&format!("{uri}?transport=udp"));
    assert_eq!(query("turn:example.org"), (turn, host(), 3478, udp));
    assert_eq!(query("turns:example.org"), (turns, host(), 5349, udp));
    let query = |uri: &str| parts(&format!("{uri}?transport=tcp"));
    assert_eq!(query("turn:example.org"), (turn, host(), 3478, tcp));
    assert_eq!(query("turns:example.org"), (turns, host(), 5349, tcp));
}

#[test]
fn addresses_are_hosts_that_nobody_resolves() {
    let v6 = ServerUri::parse("turn:al%40ice@[2001:db8::1]:1?transport=tcp").unwrap();
    assert_eq!(v6.address(), Some("2001:db8::1".parse().unwrap()));
    assert_eq!((v6.port, v6.user.as_deref()), (1, Some("al@ice")));
    let v4 = ServerUri::parse("stun:192.0.2.1").unwrap();
    assert_eq!(v4.address(), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(
        ServerUri::parse("stun:example.org").unwrap().address(),
        None
    );
}

#[test]
fn a_uri_reads_back_as_what_was_written() {
    for uri in [
        "stun:example.org",
        "stuns:example.org:443",
        "turn:al%40ice@[2001:db8::1]:1?transport=tcp",
        "turns:192.0.2.1?transport=udp",
    ] {
        let read: ServerUri = uri.parse().unwrap();
        assert_eq!(read.to_string(), uri);
    }
}

#[test]
fn what_is_no_server_uri_says_why() {
    for (uri, error) in [
        ("example.org", ServerUriError::NoScheme),
        ("http:example.org", ServerUriError::Scheme),
        ("stun:example.org?transport=udp", ServerUriError::StunQuery),
        ("turn:example.org?transport=sctp", ServerUriError::Query),
        ("stun:alice@example.org", ServerUriError::StunUser),
        ("turn:@example.org", ServerUriError::EmptyUser),
        ("turn:%zz@example.org", ServerUriError::User),
        ("turn:%ff@example.org", ServerUriError::User),
        ("stun:[2001:db8::1", ServerUriError::Bracket),
        ("stun:[192.0.2.1]", ServerUriError::Ipv6),
        ("stun:[2001:db8::1]3478", ServerUriError::AfterBracket),
        ("stun:", ServerUriError::Host),
        ("stun:exam ple.org", ServerUriError::Host),
        ("stun:example.org:0", ServerUriError::Port),
        ("stun:example.org:65536", ServerUriError::Port),
        ("stun:example.org:", ServerUriError::Port),
        ("stun:2001:db8::1", ServerUriError::Port),
    ] {
        assert_eq!(ServerUri::parse(uri), Err(error), "{uri}");
    }
}
