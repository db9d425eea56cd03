//! The test vectors of RFC 5769.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::SocketAddr;

use ortc_ice::stun::{
    AttributeType, Class, IntegrityKey, Message, MessageBuilder, Method, is_stun,
};

/// The password of sections 2.1 to 2.3.
const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

/// RFC 5769 §2.1.
const REQUEST: &str = "
    00 01 00 58  21 12 a4 42  b7 e7 a7 01  bc 34 d6 86  fa 87 df ae
    80 22 00 10  53 54 55 4e  20 74 65 73  74 20 63 6c  69 65 6e 74
    00 24 00 04  6e 00 01 ff
    80 29 00 08  93 2f f9 b1  51 26 3b 36
    00 06 00 09  65 76 74 6a  3a 68 36 76  59 20 20 20
    00 08 00 14  9a ea a7 0c  bf d8 cb 56  78 1e f2 b5  b2 d3 f2 49  c1 b5 71 a2
    80 28 00 04  e5 7a 3b cf";

/// RFC 5769 §2.2.
const IPV4_RESPONSE: &str = "
    01 01 00 3c  21 12 a4 42  b7 e7 a7 01  bc 34 d6 86  fa 87 df ae
    80 22 00 0b  74 65 73 74  20 76 65 63  74 6f 72 20
    00 20 00 08  00 01 a1 47  e1 12 a6 43
    00 08 00 14  2b 91 f5 99  fd 9e 90 c3  8c 74 89 f9  2a f9 ba 53  f0 6b e7 d7
    80 28 00 04  c0 7d 4c 96";

/// RFC 5769 §2.3.
const IPV6_RESPONSE: &str = "
    01 01 00 48  21 12 a4 42  b7 e7 a7 01  bc 34 d6 86  fa 87 df ae
    80 22 00 0b  74 65 73 74  20 76 65 63  74 6f 72 20
    00 20 00 14  00 02 a1 47  01 13 a9 fa  a5 d3 f1 79  bc 25 f4 b5  be d2 b9 d9
    00 08 00 14  a3 82 95 4e  4b e6 7b f1  17 84 c9 7c  82 92 c2 75  bf e3 ed 41
    80 28 00 04  c8 fb 0b 4c";

/// RFC 5769 §2.4.
const LONG_TERM_REQUEST: &str = "
    00 01 00 60  21 12 a4 42  78 ad 34 33  c6 ad 72 c0  29 da 41 2e
    00 06 00 12  e3 83 9e e3  83 88 e3 83  aa e3 83 83  e3 82 af e3  82 b9 00 00
    00 15 00 1c  66 2f 2f 34  39 39 6b 39  35 34 64 36  4f 4c 33 34  6f 4c 39 46
                 53 54 76 79  36 34 73 41
    00 14 00 0b  65 78 61 6d  70 6c 65 2e  6f 72 67 00
    00 08 00 14  f6 70 24 65  6d d6 4a 3e  02 b8 e0 71  2e 85 c9 a2  8c a8 96 66";

/// MD5 of `マトリックス:example.org:TheMatrIX`, the key of RFC 8489 §9.2.2.
const LONG_TERM_KEY: &str = "e8ca7ad59d5eb0518e312911d2dab2a9";

fn octets(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// Changing any bit must be noticed by one of the two checks, or by parsing.
fn every_bit_matters(bytes: &[u8], key: &IntegrityKey, has_fingerprint: bool) {
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.to_vec();
        if let Some(octet) = changed.get_mut(bit / 8) {
            *octet ^= 1 << (bit % 8);
        }
        let accepted = Message::parse(&changed).is_ok_and(|message| {
            message.verify_integrity(key) && (!has_fingerprint || message.verify_fingerprint())
        });
        assert!(!accepted, "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(
            Message::parse(bytes.split_at(len).0).is_err(),
            "length {len}"
        );
    }
}

#[test]
fn section_2_1_sample_request() {
    let bytes = octets(REQUEST);
    let message = Message::parse(&bytes).unwrap();
    assert!(is_stun(&bytes));
    assert_eq!(
        (message.class(), message.method()),
        (Class::Request, Method::BINDING)
    );
    let software = message.attributes().next().unwrap();
    assert_eq!(
        (software.kind, software.value),
        (AttributeType::SOFTWARE, &b"STUN test client"[..])
    );
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert_eq!(message.split_username(), Some(("evtj", "h6vY")));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!(message.controlled(), Some(0x932f_f9b1_5126_3b36));
    assert_eq!(
        (message.controlling(), message.use_candidate()),
        (None, false)
    );
    let key = IntegrityKey::new(PASSWORD);
    assert!(message.verify_integrity(&key) && message.verify_fingerprint());
    assert!(!message.verify_integrity(&IntegrityKey::new(b"VOkJxbRl1RmTxUk/WvJxBu")));
    every_bit_matters(&bytes, &key, true);
}

#[test]
fn section_2_2_sample_ipv4_response() {
    let bytes = octets(IPV4_RESPONSE);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Success, Method::BINDING)
    );
    let mapped: SocketAddr = "192.0.2.1:32853".parse().unwrap();
    assert_eq!(message.xor_mapped_address(), Some(mapped));
    let key = IntegrityKey::new(PASSWORD);
    assert!(message.verify_integrity(&key) && message.verify_fingerprint());
    every_bit_matters(&bytes, &key, true);
}

#[test]
fn section_2_3_sample_ipv6_response() {
    let bytes = octets(IPV6_RESPONSE);
    let message = Message::parse(&bytes).unwrap();
    let mapped: SocketAddr = "[2001:db8:1234:5678:11:2233:4455:6677]:32853"
        .parse()
        .unwrap();
    assert_eq!(message.xor_mapped_address(), Some(mapped));
    let key = IntegrityKey::new(PASSWORD);
    assert!(message.verify_integrity(&key) && message.verify_fingerprint());
    every_bit_matters(&bytes, &key, true);
}

#[test]
fn section_2_4_sample_request_with_long_term_authentication() {
    let bytes = octets(LONG_TERM_REQUEST);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.username(), Some("マトリックス"));
    let attribute = |kind| {
        let found = message
            .attributes()
            .find(|attribute| attribute.kind == kind);
        found.map(|attribute| attribute.value)
    };
    assert_eq!(
        attribute(AttributeType::NONCE),
        Some(&b"f//499k954d6OL34oL9FSTvy64sA"[..])
    );
    assert_eq!(attribute(AttributeType::REALM), Some(&b"example.org"[..]));
    let key = IntegrityKey::new(&octets(LONG_TERM_KEY));
    assert!(message.verify_integrity(&key));
    assert!(!message.has_fingerprint() && !message.verify_fingerprint());
    every_bit_matters(&bytes, &key, false);
}

/// The padding is ours to choose, so only vectors padded with zeros come out octet for octet.
#[test]
fn section_2_4_is_what_the_builder_writes() {
    let bytes = octets(LONG_TERM_REQUEST);
    let message = Message::parse(&bytes).unwrap();
    let mut out = Vec::new();
    let id = message.transaction_id();
    let mut builder = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, id);
    for attribute in message.attributes() {
        if attribute.kind == AttributeType::MESSAGE_INTEGRITY {
            builder.integrity(&IntegrityKey::new(&octets(LONG_TERM_KEY)));
        } else {
            builder.attribute(attribute.kind, attribute.value).unwrap();
        }
    }
    assert_eq!(hex::encode(out), hex::encode(bytes));
}
