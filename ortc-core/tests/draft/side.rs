//! RTCConnectionSide, RTCIceConnectionInfo, RTCDtlsConnectionInfo, CertificateFingerprint
//! (draft §2.3.6 to §2.3.8).

use ortc_core::{RTCDtlsConnectionInfo, RTCIceConnectionInfo};
use serde_json::json;

use super::{alone, exact};

#[test]
fn ice_and_dtls_are_the_two_members() {
    let (connection, _) = alone();
    assert!(connection.local().ice.is_some());
    assert!(connection.local().dtls.fingerprint.is_some());
}

#[test]
fn username_frag_and_password_are_as_the_example_signals_them() {
    let info: RTCIceConnectionInfo =
        exact(r#"{"usernameFrag": "abcd", "password": "0123456789abcdefghijkl"}"#);
    assert_eq!(info.username_frag, "abcd");
    assert!(
        !format!("{info:?}").contains("0123456789"),
        "never in a log"
    );
}

#[test]
fn fingerprint_is_keyed_by_the_textual_name_of_the_hash() {
    let print = vec!["AB"; 32].join(":");
    let text = json!({ "fingerprint": { "sha-256": print } }).to_string();
    let info: RTCDtlsConnectionInfo = exact(&text);
    let set = info.fingerprint.unwrap();
    assert_eq!(set.get("SHA-256").unwrap().to_string(), print);
    assert!(set.get("sha-1").is_none());
}

#[test]
fn fingerprint_of_the_local_side_has_sha_1_and_sha_256() {
    let (connection, _) = alone();
    let set = connection.local().dtls.fingerprint.clone().unwrap();
    assert!(set.get("sha-1").is_some() && set.get("sha-256").is_some());
    assert_eq!(set.iter().count(), 5);
}
