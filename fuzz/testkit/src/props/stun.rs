//! Properties of the STUN codec.
#![expect(
    clippy::missing_panics_doc,
    reason = "test code: a failed expectation is the report"
)]

use ortc_ice::stun::{AttributeType, HEADER_LEN, IntegrityKey, Message, MessageBuilder, is_stun};

/// Any octets: parsing is total, and a message that parses is what its parts say.
///
/// - Built again from class, method, id and attributes it parses to the same values, and has the
///   same octets where the padding was zero.
/// - Its fingerprint and integrity hold when they were just computed, and not after one bit of
///   what they cover changed.
pub fn message(data: &[u8]) {
    let Ok(message) = Message::parse(data) else {
        return;
    };
    assert_eq!(
        is_stun(data),
        data[0] <= 3,
        "what parses is stun by its first octet and cookie"
    );

    let again = rebuild(&message, |kind| kind.0);
    let reparsed = Message::parse(&again).unwrap();
    assert_eq!(again.len(), data.len());
    assert_eq!(values(&reparsed), values(&message));
    let same = reparsed
        .attributes()
        .zip(message.attributes())
        .all(|(ours, theirs)| ours == theirs);
    assert!(same);
    if has_zero_padding(data) {
        assert_eq!(again, data);
    }

    let key = IntegrityKey::new(&data[..HEADER_LEN]);
    let signed = sign(&message, &key);
    let parsed = Message::parse(&signed).unwrap();
    assert!(parsed.verify_integrity(&key) && parsed.verify_fingerprint());
    assert!(!parsed.verify_integrity(&IntegrityKey::new(b"another key")));
    let bit = data.iter().map(|octet| usize::from(*octet)).sum::<usize>() % (signed.len() * 8);
    let mut changed = signed.clone();
    changed[bit / 8] ^= 1 << (bit % 8);
    let accepted = Message::parse(&changed)
        .is_ok_and(|parsed| parsed.verify_integrity(&key) && parsed.verify_fingerprint());
    assert!(!accepted, "bit {bit} is covered by one of the two");
}

fn values(message: &Message<'_>) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {} {:?} {:?} {:?}",
        message.class(),
        message.method(),
        message.transaction_id(),
        message.username(),
        message.priority(),
        message.controlling(),
        message.controlled(),
        message.use_candidate(),
        message.xor_mapped_address(),
        message.error_code(),
        message.unknown_comprehension_required().collect::<Vec<_>>(),
    )
}

/// The message from its parts, each attribute under the number that `rename` gives it.
fn rebuild(message: &Message<'_>, rename: impl Fn(AttributeType) -> u16) -> Vec<u8> {
    let mut out = Vec::new();
    let (class, method, id) = (message.class(), message.method(), message.transaction_id());
    let mut builder = MessageBuilder::new(&mut out, class, method, id);
    for attribute in message.attributes() {
        let kind = AttributeType(rename(attribute.kind));
        if builder.attribute(kind, attribute.value).is_err() {
            panic!("what fitted one message fits another");
        }
    }
    out
}

/// The message with its own integrity and fingerprint, and nothing of those that it came with.
fn sign(message: &Message<'_>, key: &IntegrityKey) -> Vec<u8> {
    let mut out = Vec::new();
    let (class, method, id) = (message.class(), message.method(), message.transaction_id());
    let mut builder = MessageBuilder::new(&mut out, class, method, id);
    for attribute in message.attributes() {
        let theirs = [AttributeType::MESSAGE_INTEGRITY, AttributeType::FINGERPRINT];
        if theirs.contains(&attribute.kind) {
            break; // what follows was ignored, and need not even be well-formed
        }
        builder.attribute(attribute.kind, attribute.value).unwrap();
    }
    builder.integrity(key).fingerprint();
    out
}

fn has_zero_padding(data: &[u8]) -> bool {
    let mut rest = &data[HEADER_LEN..];
    while let [_, _, high, low, ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let end = 4 + len.next_multiple_of(4);
        if rest[4 + len..end].iter().any(|octet| *octet != 0) {
            return false;
        }
        rest = &rest[end..];
    }
    true
}
