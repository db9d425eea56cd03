//! Every STUN datagram of fourteen calls of Chromium 156 and Firefox 153: what browsers really
//! send. `data/browser_checks.txt` has, for each call, the credentials of both sides and the
//! datagrams in their order, in hexadecimal.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

use std::collections::BTreeMap;

use ortc_ice::stun::{
    AttributeType, Class, IntegrityKey, Message, MessageBuilder, Method, TransactionId, is_stun,
};

const RECORDED: &str = include_str!("data/browser_checks.txt");

struct Recorded {
    bytes: Vec<u8>,
    key: IntegrityKey,
}

/// All datagrams, each with the key that must have made its MESSAGE-INTEGRITY: the receiver's
/// password for a request, the same for its answer.
fn recorded() -> Vec<Recorded> {
    let mut all = Vec::new();
    let mut keys = BTreeMap::new();
    let mut asked: BTreeMap<TransactionId, IntegrityKey> = BTreeMap::new();
    for line in RECORDED.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["call", _] => keys.clear(),
            ["side", ufrag, password] => {
                keys.insert(*ufrag, IntegrityKey::new(password.as_bytes()));
            }
            [datagram] => {
                let bytes = hex::decode(datagram).unwrap();
                let message = Message::parse(&bytes).unwrap();
                let id = message.transaction_id();
                let key = match message.class() {
                    Class::Request => keys
                        .get(message.split_username().unwrap().0)
                        .cloned()
                        .unwrap(),
                    Class::Success | Class::Error => asked.get(&id).cloned().unwrap(),
                    Class::Indication => panic!("no browser sent one"),
                };
                asked.insert(id, key.clone());
                all.push(Recorded { bytes, key });
            }
            _ => panic!("unexpected line: {line}"),
        }
    }
    all
}

#[test]
fn every_message_integrity_and_fingerprint_of_the_browsers_holds() {
    let all = recorded();
    for Recorded { bytes, key } in &all {
        let message = Message::parse(bytes).unwrap();
        assert!(is_stun(bytes));
        assert!(message.verify_integrity(key) && message.verify_fingerprint());
        assert_eq!(message.method(), Method::BINDING);
        assert_eq!(message.unknown_comprehension_required().count(), 0);
        match message.class() {
            Class::Request => {
                assert!(message.priority().is_some());
                assert!(message.controlling().is_some() != message.controlled().is_some());
            }
            Class::Success => assert!(message.xor_mapped_address().is_some()),
            Class::Error => assert_eq!(message.error_code().unwrap().code, 487),
            Class::Indication => panic!("no browser sent one"),
        }
    }
    assert_eq!(all.len(), 459);
}

#[test]
fn every_message_of_the_browsers_is_what_the_builder_writes_from_its_attributes() {
    for Recorded { bytes, key } in recorded() {
        let message = Message::parse(&bytes).unwrap();
        let mut out = b"before".to_vec(); // the builder appends
        let (class, method, id) = (message.class(), message.method(), message.transaction_id());
        let mut builder = MessageBuilder::new(&mut out, class, method, id);
        for attribute in message.attributes() {
            match attribute.kind {
                AttributeType::MESSAGE_INTEGRITY => builder.integrity(&key),
                AttributeType::FINGERPRINT => builder.fingerprint(),
                AttributeType::PRIORITY => builder.priority(message.priority().unwrap()),
                AttributeType::ICE_CONTROLLING => {
                    builder.controlling(message.controlling().unwrap())
                }
                AttributeType::ICE_CONTROLLED => builder.controlled(message.controlled().unwrap()),
                AttributeType::USE_CANDIDATE => builder.use_candidate(),
                AttributeType::XOR_MAPPED_ADDRESS => {
                    builder.xor_mapped_address(message.xor_mapped_address().unwrap())
                }
                AttributeType::USERNAME => {
                    let (receiver, sender) = message.split_username().unwrap();
                    builder.username(receiver, sender).unwrap()
                }
                AttributeType::ERROR_CODE => {
                    builder.error_code(message.error_code().unwrap()).unwrap()
                }
                kind => builder.attribute(kind, attribute.value).unwrap(),
            };
        }
        assert_eq!(hex::encode(&out[6..]), hex::encode(&bytes));
    }
}
