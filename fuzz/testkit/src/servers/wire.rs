//! What STUN and TURN servers have on the wire beyond a check: written out here, so that a mistake
//! of the clients is not made twice.

use core::net::{IpAddr, SocketAddr};

use ortc_ice::stun::{AttributeType, MAGIC_COOKIE, Message, TransactionId};

/// MAPPED-ADDRESS and its kind (RFC 8489 §14.1).
pub(super) fn plain_address(address: SocketAddr) -> Vec<u8> {
    let mut value = vec![0, family(address.ip())];
    value.extend_from_slice(&address.port().to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => value.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => value.extend_from_slice(&ip.octets()),
    }
    value
}

/// XOR-MAPPED-ADDRESS and its kind (RFC 8489 §14.2): the same, all but the family XORed with what
/// follows the first four octets of the message.
pub(super) fn xored_address(address: SocketAddr, id: TransactionId) -> Vec<u8> {
    let mut value = plain_address(address);
    apply(&mut value, id);
    value
}

/// The reverse of `xored_address`.
pub(super) fn read_xored_address(value: &[u8], id: TransactionId) -> Option<SocketAddr> {
    let mut value = value.to_vec();
    if value.len() < 4 {
        return None;
    }
    apply(&mut value, id);
    let port = u16::from_be_bytes([value[2], value[3]]);
    let ip = match (value[1], &value[4..]) {
        (1, octets) => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        (2, octets) => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn apply(value: &mut [u8], id: TransactionId) {
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let mask: Vec<u8> = cookie.into_iter().chain(id.0).collect();
    for (octet, mask) in value[2..4].iter_mut().zip(&cookie) {
        *octet ^= mask;
    }
    for (octet, mask) in value[4..].iter_mut().zip(&mask) {
        *octet ^= mask;
    }
}

/// 1 for IPv4, 2 for IPv6 (RFC 8489 §14.1).
pub(super) const fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 2,
    }
}

/// The value of the first attribute of this type.
pub(super) fn value_of<'a>(message: &Message<'a>, kind: AttributeType) -> Option<&'a [u8]> {
    message
        .attributes()
        .find(|attribute| attribute.kind == kind)
        .map(|attribute| attribute.value)
}

/// The attributes that have to be understood and are not among these (RFC 8489 §6.3.1).
pub(super) fn unknown(message: &Message<'_>, known: &[AttributeType]) -> Vec<AttributeType> {
    message
        .attributes()
        .map(|attribute| attribute.kind)
        .filter(|kind| kind.0 < 0x8000 && !known.contains(kind))
        .collect()
}
