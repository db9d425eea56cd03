//! RTCConnectionOptions, RTCIceServer and RTCSocket (draft §2.3.3 to §2.3.5).

use ortc_core::{
    ConnectionError, RTCConnection, RTCConnectionOptions, RTCIceServer, RTCSocket, SocketOptions,
};

use super::{alone, call, exact};

/// As the draft prints it, with the member names quoted.
const SERVERS: &str = r#"[ { "url":"stun:stun.example.net" } ,
    { "url":"turn:user@turn.example.org", "credential":"myPassword"} ]"#;

#[test]
fn ice_servers_are_read_when_the_connection_is_made() {
    let now = call(30).net.now();
    let servers: Vec<RTCIceServer> = serde_json::from_str(SERVERS).unwrap();
    let options = RTCConnectionOptions::new([1; 32]).ice_servers(servers);
    assert!(RTCConnection::new(options, now).is_ok());
    let wrong = vec![RTCIceServer::new("http://example.net")];
    let options = RTCConnectionOptions::new([1; 32]).ice_servers(wrong);
    let refused = RTCConnection::new(options, now);
    assert!(matches!(refused, Err(ConnectionError::Description(_))));
}

#[test]
fn socket_is_reused() {
    let (mut connection, now) = alone();
    let mut socket = connection.get_local_socket().unwrap();
    let options = RTCConnectionOptions::new([2; 32]).socket(socket.fork().unwrap());
    let other = RTCConnection::new(options, now).unwrap();
    assert_eq!(
        other.local(),
        connection.local(),
        "one description, two connections"
    );
}

#[test]
fn url_and_credential_are_as_the_example_prints_them() {
    let servers: Vec<RTCIceServer> = exact(SERVERS);
    assert_eq!(servers[0].url, ["stun:stun.example.net"]);
    assert_eq!(servers[1].credential.as_deref(), Some("myPassword"));
    let list: RTCIceServer = exact(r#"{"url":["stun:a.example","stun:b.example"]}"#);
    assert_eq!(list.url.len(), 2);
}

#[test]
fn rtc_socket_can_be_made_first() {
    let now = call(31).net.now();
    let address = "10.0.0.7:7".parse().unwrap();
    let mut socket =
        RTCSocket::new(SocketOptions::new([1; 32]).local_address(address), now).unwrap();
    let options = RTCConnectionOptions::new([2; 32]).socket(socket.admit().unwrap());
    assert!(RTCConnection::new(options, now).is_ok());
}
