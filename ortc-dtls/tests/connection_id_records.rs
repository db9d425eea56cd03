//! Records with connection ids that wolfSSL 5.9.4 made, with the keys of its connections to this
//! crate. RFC 9146 and RFC 9147 have no such vectors.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod pair;

use craft::Forger;
use craft13::Epoch;
use ortc_dtls::Role;
use ortc_dtls::wire::ContentType;
use pair::providers;

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

#[test]
fn dtls12_with_aes_128_gcm() {
    let client_random = hex("2f615c25ac0be0f5b4d984ee2a6e1ea13ae69c453f23194a4cb326e75758c2b8");
    let server_random = hex("4a79f7dd2642cb764d89c773207977ddfe9d99855668bc62f0a5b7524bdf1c8c");
    let master = hex(concat!(
        "4d264c10652fc5855203749c94705163445f00f243a1b7da",
        "e689b27d01f762eb5e1137c773430449ee6ca20d42eb92c2",
    ));
    let id = hex("28c07d3d76e4b676");
    // The epoch's first record is the Finished.
    for (number, record) in [
        "19fefd000100000000000128c07d3d76e4b6760020814057009d25c7f7314439832c1460d97e8132bf93f343f9940aa0017a7c21f8",
        "19fefd000100000000000228c07d3d76e4b6760020814057009d25c7f8c25b8ab3c374953a67f49dd14e9ba3cd5fe8aa0470321e75",
        "19fefd000100000000000328c07d3d76e4b6760020814057009d25c7f914e1b164a4963555637706c69828c5ba1d062d6fb0d5fe50",
    ]
    .into_iter()
    .enumerate()
    {
        for provider in providers() {
            let randoms = [&client_random[..], &server_random];
            let server = Forger::from_secrets(&provider, &master, randoms, Role::Server);
            let inner = server.open_with_id(&id, &hex(record)).unwrap();
            let expected = [format!("hello {number}").as_bytes(), &[23]].concat();
            assert_eq!(inner, expected);
        }
    }
}

#[test]
fn dtls13_with_aes_128_gcm() {
    let secret = hex("f61046747da8a152769d18e97f3abe290e76565c73b5eb9c9d027461c0f860db");
    let id = hex("8b1a37d10bec8bc5");
    for (number, record) in [
        "3f8b1a37d10bec8bc546d80018d99da4d14d8d48efae4d01727e5a03f4d6ae2df20c58ef44",
        "3f8b1a37d10bec8bc58f9a0018a5c10913775d36a53b57a8e947653d68c6fd800410817bd1",
        "3f8b1a37d10bec8bc558790018a80198a17f7cf8a2f5c528c31c01aee7eeae0f3c57e6108d",
    ]
    .into_iter()
    .enumerate()
    {
        for provider in providers() {
            let server = Epoch::new(&provider, &secret, 3);
            let plain = server.open_with_id(&id, &hex(record)).unwrap();
            assert_eq!(plain.kind, ContentType::APPLICATION_DATA);
            assert_eq!(plain.contents, format!("hello {number}").as_bytes());
        }
    }
}
