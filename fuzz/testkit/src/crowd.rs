//! Thousands of connections on one socket, each with a peer that sends checks and media.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use ortc_core::ice::stun::{Class, IntegrityKey, MessageBuilder, Method, TransactionId};
use ortc_core::{
    ConnectionId, LocalCandidates, Path, RTCConnection, RTCConnectionOptions,
    RTCIceCandidateDescription, RTCIceConnectionInfo, RTCSocket, SocketOptions,
};

use crate::call::{address_a, seed};

/// A socket and the connections on it.
#[derive(Debug)]
pub struct Crowd {
    /// The socket.
    pub socket: RTCSocket,
    /// The connections, in the order of their admission.
    pub members: Vec<Member>,
    /// The time.
    pub now: Instant,
}

/// One connection, and what its peer sends.
#[derive(Debug)]
pub struct Member {
    /// Its name on the socket.
    pub id: ConnectionId,
    /// Between which addresses its datagrams travel.
    pub path: Path,
    /// A check of the peer.
    pub check: Vec<u8>,
    /// The peer's answer to a check of ours.
    pub answer: Vec<u8>,
    /// What a media packet begins with.
    pub media: Vec<u8>,
}

impl Crowd {
    /// So many connections with credentials of their own; each peer has been heard.
    #[must_use]
    pub fn new(size: u32) -> Self {
        let now = crate::net::Net::<crate::call::Peer>::new(0).now();
        let options = SocketOptions::new([5; 32]).local_address(address_a());
        let mut socket = RTCSocket::new(options, now).unwrap();
        let members = (0..size).map(|number| join(&mut socket, number, now));
        let members = members.collect();
        let mut crowd = Self {
            socket,
            members,
            now,
        };
        for member in &crowd.members {
            let (path, check) = (member.path, &member.check);
            crowd.socket.handle_datagram(path, check, now);
        }
        crowd
    }
}

/// The address of a peer.
#[must_use]
pub fn peer_address(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0A01_0000 + number), 7_000).into()
}

fn join(socket: &mut RTCSocket, number: u32, now: Instant) -> Member {
    let place = socket.admit().unwrap();
    let id = place.id();
    let options = RTCConnectionOptions::new(seed(number.into(), 3))
        .socket(place)
        .local_candidates(LocalCandidates::AtOnce);
    let mut connection = RTCConnection::new(options, now).unwrap();
    let remote = RTCIceConnectionInfo {
        username_frag: format!("peer{number}"),
        password: "passwordOfTwentyTwoOctets".to_owned(),
    };
    let address = peer_address(number);
    connection.set_remote_ice(remote.clone(), now).unwrap();
    connection
        .set_remote_candidate(&candidate(address), now)
        .unwrap();
    connection.connect(now).unwrap();
    while let Some(update) = connection.poll_socket_update() {
        socket.handle_update(update, now);
    }
    // Its first slot comes after those of everybody before it.
    let at = now + Duration::from_millis(5) * (number + 1);
    connection.handle_timeout(at);
    let mut ours = Vec::new();
    let _ = connection.poll_transmit(&mut ours, at).unwrap();

    let ice = connection.local().ice.clone().unwrap();
    let key = IntegrityKey::new(ice.password.as_bytes());
    let (mut check, mut answer) = (Vec::new(), Vec::new());
    let mut message = MessageBuilder::new(
        &mut check,
        Class::Request,
        Method::BINDING,
        TransactionId([9; 12]),
    );
    message
        .username(&ice.username_frag, &remote.username_frag)
        .unwrap();
    message.priority(0x6E00_01FF);
    message.controlling(7);
    message.integrity(&key).fingerprint();

    let id_of_ours = TransactionId(ours[8..20].try_into().unwrap());
    let mut message = MessageBuilder::new(&mut answer, Class::Success, Method::BINDING, id_of_ours);
    message.xor_mapped_address(address_a());
    message
        .integrity(&IntegrityKey::new(remote.password.as_bytes()))
        .fingerprint();
    Member {
        id,
        path: Path::udp(address_a(), address),
        check,
        answer,
        media: vec![0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    }
}

/// A host candidate with this address.
#[must_use]
pub fn candidate(address: SocketAddr) -> RTCIceCandidateDescription {
    RTCIceCandidateDescription {
        foundation: "1".to_owned(),
        component: 1,
        transport: "udp".to_owned(),
        tcp_type: None,
        priority: 2_130_706_431,
        connection_address: address.ip().to_string(),
        connection_port: address.port(),
        kind: "host".to_owned(),
        rel_address: None,
        rel_port: None,
        dtls: None,
    }
}
