//! The test vector of RFC 8489, appendix B, the key of its section 9.2.2, and its rules for long-term
//! credentials.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use ortc_ice::stun::{
    AttributeType, Class, ErrorCode, LongTermCredentials, Message, MessageBuilder, Method,
    PasswordAlgorithm, Refusal, SecurityFeatures, Session, Sha256Key, TransactionId, Verdict,
    user_hash,
};

/// RFC 8489 §B.1.
const REQUEST: &str = "
    00 01 00 9c  21 12 a4 42  78 ad 34 33  c6 ad 72 c0  29 da 41 2e
    00 1e 00 20  4a 3c f3 8f  ef 69 92 bd  a9 52 c6 78  04 17 da 0f
                 24 81 94 15  56 9e 60 b2  05 c4 6e 41  40 7f 17 04
    00 15 00 29  6f 62 4d 61  74 4a 6f 73  32 41 41 41  43 66 2f 2f
                 34 39 39 6b  39 35 34 64  36 4f 4c 33  34 6f 4c 39
                 46 53 54 76  79 36 34 73  41 00 00 00
    00 14 00 0b  65 78 61 6d  70 6c 65 2e  6f 72 67 00
    00 1c 00 20  e4 68 6c 8f  0e de b5 90  13 e0 70 90  01 0a 93 ef
                 cc bc cc 54  4c 0a 45 d9  f8 30 aa 6d  6f 73 5a 01";

const USER: &str = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
const REALM: &str = "example.org";

/// The nonce cookie with no feature, with password algorithms, with username anonymity, with both.
const PLAIN: &[u8] = b"obMatJos2AAAAx1";
const ALGORITHMS: &[u8] = b"obMatJos2gAAAx2";
const ANONYMITY: &[u8] = b"obMatJos2QAAAx3";
const BOTH: &[u8] = b"obMatJos2wAAAx4";

/// SHA-256 and then MD5, as in RFC 8489 §14.11.
const LIST: &[u8] = &[0, 2, 0, 0, 0, 1, 0, 0];

fn octets(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// With the password that the appendix gives as the one after its processing (`OpaqueString` itself
/// refuses U+00AD in what it gives as the one before).
fn credentials() -> LongTermCredentials {
    LongTermCredentials::new(USER, "TheMatrIX").unwrap()
}

/// The request of the appendix as it would be on the wire: its length field there counts the 20
/// octets of the header too, so that no receiver would take it for a message.
fn sample() -> Vec<u8> {
    let mut bytes = octets(REQUEST);
    assert!(Message::parse(&bytes).is_err());
    let length = bytes.len() - 20;
    bytes[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    bytes
}

/// Its integrity is over that length field: `sha256.rs` checks it as it is printed.
#[test]
fn section_b_1_sample_request_with_sha_256_and_userhash() {
    let bytes = sample();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.class(), Class::Request);
    assert_eq!(message.find(AttributeType::REALM), Some(REALM.as_bytes()));
    assert_eq!(
        message.find(AttributeType::USERHASH),
        Some(&user_hash(USER, REALM).unwrap()[..])
    );
    assert!(message.has_integrity_sha256() && !message.has_integrity());

    // Built again from its parts it is the same to the octet, but for the integrity.
    let key = credentials().key(REALM, PasswordAlgorithm::Sha256).unwrap();
    let again = signed_sample();
    assert_eq!(again[..again.len() - 32], bytes[..bytes.len() - 32]);
    let again = Message::parse(&again).unwrap();
    assert!(again.verify_integrity_sha256(key.sha256()));
    assert!(!message.verify_integrity_sha256(key.sha256()));
}

/// The sample with the integrity of its real length.
fn signed_sample() -> Vec<u8> {
    let bytes = sample();
    let message = Message::parse(&bytes).unwrap();
    let key = credentials().key(REALM, PasswordAlgorithm::Sha256).unwrap();
    let mut again = Vec::new();
    let id = message.transaction_id();
    let mut builder = MessageBuilder::new(&mut again, Class::Request, Method::BINDING, id);
    for (attribute, _) in message.covered() {
        builder.attribute(attribute.kind, attribute.value).unwrap();
    }
    builder.integrity_sha256(key.sha256());
    again
}

#[test]
fn any_bit_of_the_sample_request_matters() {
    let bytes = signed_sample();
    let key = credentials().key(REALM, PasswordAlgorithm::Sha256).unwrap();
    let accepts = |bytes: &[u8]| {
        Message::parse(bytes).is_ok_and(|message| message.verify_integrity_sha256(key.sha256()))
    };
    assert!(accepts(&bytes));
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!accepts(&changed), "bit {bit}");
    }
}

/// RFC 8489 §9.2.2: 'user', 'realm', 'pass'.
#[test]
fn the_key_is_that_of_the_example() {
    let credentials = LongTermCredentials::new("user", "pass").unwrap();
    let key = credentials.key("realm", PasswordAlgorithm::Md5).unwrap();
    let expected = Sha256Key::new(&octets("8493fbc53ba582fb4c044c456bdc40eb"));
    let message = signed_with(key.sha256(), 32);
    assert!(
        Message::parse(&message)
            .unwrap()
            .verify_integrity_sha256(&expected)
    );

    // Quotes and trailing nulls are no part of any of the three.
    let quoted = LongTermCredentials::new("\"user\"\0", "pass\0\0").unwrap();
    let key = quoted.key("\"realm\"", PasswordAlgorithm::Md5).unwrap();
    let message = signed_with(key.sha256(), 32);
    assert!(
        Message::parse(&message)
            .unwrap()
            .verify_integrity_sha256(&expected)
    );
}

#[test]
fn strings_are_prepared_by_opaque_string() {
    // RFC 8265 §4.3: other spaces become U+0020, and composition is canonical.
    let same = |a: &str, b: &str| {
        let key = |password| {
            let credentials = LongTermCredentials::new("user", password).unwrap();
            credentials.key("realm", PasswordAlgorithm::Sha256).unwrap()
        };
        let message = signed_with(key(a).sha256(), 32);
        Message::parse(&message)
            .unwrap()
            .verify_integrity_sha256(key(b).sha256())
    };
    assert!(same("foo\u{1680}bar", "foo bar"));
    assert!(same("e\u{301}", "\u{e9}"));
    assert!(!same("Correct", "correct"));
    let before = "The\u{AD}M\u{AA}tr\u{2168}";
    assert!(LongTermCredentials::new("user", before).is_err());
    for refused in ["", "my cat is a \u{9}by", "a\u{7f}"] {
        assert!(
            LongTermCredentials::new("user", refused).is_err(),
            "{refused:?}"
        );
    }
    assert!(LongTermCredentials::new(&"u".repeat(508), "p").is_ok());
    assert!(LongTermCredentials::new(&"u".repeat(509), "p").is_err());
}

/// RFC 8489 §14.6: 16 to 32 octets, a multiple of four, and less than 32 only where the usage says
/// so.
#[test]
fn truncated_integrity_is_taken_only_where_it_is_allowed() {
    let key = Sha256Key::new(b"key");
    for length in 0..=36 {
        let bytes = signed_with(&key, length);
        let message = Message::parse(&bytes).unwrap();
        assert!(message.has_integrity_sha256());
        assert_eq!(
            message.verify_integrity_sha256(&key),
            length == 32,
            "{length}"
        );
        for shortest in [0, 16, 20, 32] {
            let good = length % 4 == 0 && length <= 32 && length >= shortest.max(16);
            let verified = message.verify_truncated_sha256(&key, shortest);
            assert_eq!(verified, good, "{length} of {shortest}");
        }
    }
}

/// A message whose MESSAGE-INTEGRITY-SHA256 has this length and is right as far as it goes.
fn signed_with(key: &Sha256Key, length: usize) -> Vec<u8> {
    let mut full = Vec::new();
    let padded = u16::try_from(length.next_multiple_of(4)).unwrap();
    // The length field is covered, so the tag is made with the one of the final message; an
    // attribute in front of nothing has it.
    let id = TransactionId([9; 12]);
    let mut builder = MessageBuilder::new(&mut full, Class::Request, Method::BINDING, id);
    builder.priority(5);
    let before = full.len();
    let value = vec![0; length];
    let kind = AttributeType::MESSAGE_INTEGRITY_SHA256;
    let [k0, k1] = kind.0.to_be_bytes();
    let [l0, l1] = u16::try_from(length).unwrap().to_be_bytes();
    full.extend_from_slice(&[k0, k1, l0, l1]);
    full.extend_from_slice(&value);
    full.resize(before + 4 + usize::from(padded), 0);
    let body = u16::try_from(full.len() - 20).unwrap().to_be_bytes();
    full[2..4].copy_from_slice(&body);
    let tag = hmac(key, &full, before, length);
    for (to, from) in full[before + 4..before + 4 + length].iter_mut().zip(tag) {
        *to = from;
    }
    full
}

/// The tag of `full[..before]` under a length field that ends with a value of `length` octets: by
/// way of the builder when the length is the usual one, and of RFC 2104 otherwise.
fn hmac(key: &Sha256Key, full: &[u8], before: usize, length: usize) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    if length == 32 {
        let mut out = Vec::new();
        let id = TransactionId([9; 12]);
        let mut builder = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, id);
        builder.priority(5).integrity_sha256(key);
        return out[before + 4..].to_vec();
    }
    let mut hmac = Hmac::<sha2::Sha256>::new_from_slice(b"key").unwrap();
    let end = u16::try_from(before + 4 + length - 20).unwrap();
    hmac.update(&full[..2]);
    hmac.update(&end.to_be_bytes());
    hmac.update(&full[4..before]);
    hmac.finalize().into_bytes().to_vec()
}

/// What RFC 8489 §14.5 and §14.6 leave uncovered is not read.
#[test]
fn nothing_behind_integrity_is_read() {
    let key = Sha256Key::new(b"key");
    let mut bytes = Vec::new();
    let id = TransactionId([1; 12]);
    let mut builder = MessageBuilder::new(&mut bytes, Class::Success, Method::ALLOCATE, id);
    builder.integrity_sha256(&key);
    builder
        .attribute(AttributeType::LIFETIME, &[0, 0, 0, 9])
        .unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert!(message.verify_integrity_sha256(&key));
    assert_eq!(message.find_u32(AttributeType::LIFETIME), None);
}

#[test]
fn the_nonce_cookie_says_what_the_server_can() {
    let features = |nonce: &[u8]| {
        SecurityFeatures::from_nonce(nonce)
            .map(|it| (it.password_algorithms(), it.username_anonymity()))
    };
    assert_eq!(features(PLAIN), Some((false, false)));
    assert_eq!(features(ALGORITHMS), Some((true, false)));
    assert_eq!(features(ANONYMITY), Some((false, true)));
    assert_eq!(features(BOTH), Some((true, true)));
    assert_eq!(features(b"obMatJos2"), None, "too short");
    assert_eq!(features(b"obMatJos2A?AA"), None, "not base64");
    assert_eq!(features(b"f//499k954d6OL34oL9FSTvy64sA"), None);
}

/// One error response.
fn error(code: u16, attributes: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let id = TransactionId([3; 12]);
    let mut builder = MessageBuilder::new(&mut out, Class::Error, Method::ALLOCATE, id);
    let reason = b"";
    builder.error_code(ErrorCode { code, reason }).unwrap();
    for (kind, value) in attributes {
        builder.attribute(*kind, value).unwrap();
    }
    out
}

/// A request as the session signs it now, judged against this response.
fn exchange(session: &mut Session, response: &[u8]) -> Verdict {
    let (_, signed) = request(session);
    session.judge(&Message::parse(response).unwrap(), signed)
}

fn request(session: &Session) -> (Vec<u8>, ortc_ice::stun::Signed) {
    let mut out = Vec::new();
    let id = TransactionId([3; 12]);
    let mut builder = MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, id);
    let signed = session.sign(&mut builder).unwrap();
    (out, signed)
}

const NONCE: AttributeType = AttributeType::NONCE;
const THE_REALM: (AttributeType, &[u8]) = (AttributeType::REALM, b"example.org");
const THE_LIST: (AttributeType, &[u8]) = (AttributeType::PASSWORD_ALGORITHMS, LIST);

/// RFC 8489 §9.2.5, first paragraph.
#[test]
fn a_challenge_without_the_list_that_its_nonce_announces_is_not_followed() {
    for code in [401, 438] {
        let mut session = Session::new(credentials());
        let bid_down = error(code, &[THE_REALM, (NONCE, ALGORITHMS)]);
        let verdict = exchange(&mut session, &bid_down);
        assert_eq!(verdict, Verdict::Refused(Refusal::BidDown));
        assert!(!session.is_challenged());
    }
}

#[test]
fn the_first_known_algorithm_of_the_list_is_used_with_sha_256_integrity() {
    let lists: [(&[u8], Option<[u8; 2]>); 5] = [
        (LIST, Some([0, 2])),
        (&[0, 1, 0, 0, 0, 2, 0, 0], Some([0, 1])),
        (&[0, 9, 0, 1, 7, 0, 0, 0, 0, 2, 0, 0], Some([0, 2])),
        (&[0, 9, 0, 0], None),
        (&[0, 9, 0xFF, 0xFF], None),
    ];
    for (list, choice) in lists {
        let mut session = Session::new(credentials());
        let list_attribute = (AttributeType::PASSWORD_ALGORITHMS, list);
        let challenge = error(401, &[THE_REALM, (NONCE, ALGORITHMS), list_attribute]);
        let verdict = exchange(&mut session, &challenge);
        let Some(choice) = choice else {
            assert_eq!(verdict, Verdict::Refused(Refusal::Algorithm));
            continue;
        };
        assert_eq!(verdict, Verdict::Retry);
        let (bytes, _) = request(&session);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.find(AttributeType::PASSWORD_ALGORITHMS), Some(list));
        let sent = message.find(AttributeType::PASSWORD_ALGORITHM).unwrap();
        assert_eq!(sent, [choice[0], choice[1], 0, 0]);
        assert!(message.has_integrity_sha256() && !message.has_integrity());
        let algorithm = PasswordAlgorithm::from_number(u16::from_be_bytes(choice)).unwrap();
        let key = credentials().key(REALM, algorithm).unwrap();
        assert!(message.verify_integrity_sha256(key.sha256()));
    }
}

#[test]
fn the_name_is_hashed_exactly_when_the_server_asks_for_it() {
    for (nonce, hashed) in [
        (PLAIN, false),
        (ANONYMITY, true),
        (&b"plain nonce"[..], false),
    ] {
        let mut session = Session::new(credentials());
        let challenge = error(401, &[THE_REALM, (NONCE, nonce)]);
        assert_eq!(exchange(&mut session, &challenge), Verdict::Retry);
        let (bytes, _) = request(&session);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.username().is_some(), !hashed);
        let hash = message.find(AttributeType::USERHASH);
        assert_eq!(hash.is_some(), hashed);
        assert_eq!(message.find(NONCE), Some(nonce));
        assert!(message.has_integrity() && !message.has_integrity_sha256());
    }
}

#[test]
fn credentials_are_not_tried_twice_in_one_realm_but_once_in_another() {
    let mut session = Session::new(credentials());
    let challenge = error(401, &[THE_REALM, (NONCE, b"one")]);
    assert_eq!(exchange(&mut session, &challenge), Verdict::Retry);
    let again = error(401, &[THE_REALM, (NONCE, b"two")]);
    let verdict = exchange(&mut session, &again);
    assert_eq!(verdict, Verdict::Refused(Refusal::Credentials));
    let other = error(
        401,
        &[(AttributeType::REALM, b"example.net"), (NONCE, b"two")],
    );
    assert_eq!(exchange(&mut session, &other), Verdict::Retry);
}

#[test]
fn a_stale_nonce_is_replaced_unless_it_is_the_same_again() {
    let mut session = Session::new(credentials());
    let challenge = error(401, &[THE_REALM, (NONCE, b"one")]);
    assert_eq!(exchange(&mut session, &challenge), Verdict::Retry);
    let same = error(438, &[THE_REALM, (NONCE, b"one")]);
    let verdict = exchange(&mut session, &same);
    assert_eq!(verdict, Verdict::Refused(Refusal::SameNonce));

    // Two requests meet it: the first takes the new nonce, the second just goes again.
    let (_, first) = request(&session);
    let (_, second) = request(&session);
    let stale = error(438, &[THE_REALM, (NONCE, b"two")]);
    let stale = Message::parse(&stale).unwrap();
    assert_eq!(session.judge(&stale, first), Verdict::Retry);
    assert_eq!(session.judge(&stale, second), Verdict::Retry);
    let (bytes, _) = request(&session);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.find(NONCE), Some(&b"two"[..]));
}

/// RFC 8489 §9.2.5, last paragraph: once there was a list, MESSAGE-INTEGRITY-SHA256 only.
#[test]
fn what_was_agreed_on_is_not_given_up_with_a_new_nonce() {
    let mut session = Session::new(credentials());
    let challenge = error(401, &[THE_REALM, (NONCE, ALGORITHMS), THE_LIST]);
    assert_eq!(exchange(&mut session, &challenge), Verdict::Retry);
    let weaker = error(438, &[THE_REALM, (NONCE, b"no cookie")]);
    assert_eq!(exchange(&mut session, &weaker), Verdict::Retry);
    let (bytes, signed) = request(&session);
    assert!(Message::parse(&bytes).unwrap().has_integrity_sha256());
    let elsewhere = error(401, &[(AttributeType::REALM, b"other"), (NONCE, b"plain")]);
    let verdict = exchange(&mut session, &elsewhere);
    assert_eq!(verdict, Verdict::Refused(Refusal::BidDown));

    // A response with the old integrity is not believed either.
    let key = credentials().key(REALM, PasswordAlgorithm::Sha256).unwrap();
    let mut old = Vec::new();
    let id = TransactionId([3; 12]);
    MessageBuilder::new(&mut old, Class::Success, Method::ALLOCATE, id).integrity(key.sha1());
    let old = Message::parse(&old).unwrap();
    assert_eq!(session.judge(&old, signed), Verdict::Violated);
    let mut new = Vec::new();
    MessageBuilder::new(&mut new, Class::Success, Method::ALLOCATE, id)
        .integrity_sha256(key.sha256());
    let new = Message::parse(&new).unwrap();
    assert_eq!(session.judge(&new, signed), Verdict::Authentic);
}

#[test]
fn other_responses_are_ignored_when_the_list_is_missing_and_400_without_integrity() {
    let mut session = Session::new(credentials());
    let challenge = error(401, &[THE_REALM, (NONCE, PLAIN)]);
    assert_eq!(exchange(&mut session, &challenge), Verdict::Retry);
    let bare = error(400, &[]);
    assert_eq!(exchange(&mut session, &bare), Verdict::Ignore);
    let stripped = error(486, &[(NONCE, ALGORITHMS)]);
    assert_eq!(exchange(&mut session, &stripped), Verdict::Ignore);
    let forged = error(486, &[]);
    assert_eq!(exchange(&mut session, &forged), Verdict::Violated);
    let redirect = error(300, &[]);
    assert_eq!(exchange(&mut session, &redirect), Verdict::Unsigned);
}

#[test]
fn passwords_and_keys_do_not_show() {
    let credentials = LongTermCredentials::new("alice", "tell nobody").unwrap();
    let key = credentials.key(REALM, PasswordAlgorithm::Sha256).unwrap();
    let session = Session::new(credentials.clone());
    let shown = format!("{credentials:?} {key:?} {session:?}");
    assert!(shown.contains("alice") && !shown.contains("tell nobody"));
}

/// That the types erase themselves is their own promise.
#[test]
fn credentials_are_erased_on_drop() {
    const fn erased<T: zeroize::ZeroizeOnDrop>() {}
    erased::<LongTermCredentials>();
    erased::<ortc_ice::stun::IntegrityKey>();
    erased::<Sha256Key>();
}
