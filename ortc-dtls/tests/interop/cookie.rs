//! OpenSSL as the client of an endpoint that asks for a cookie by itself (RFC 6347 §4.2.1).

use crate::{EC, RSA, accept_client};

#[test]
fn server_that_asks_an_openssl_client_for_a_cookie() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    accept_client("ck", EC, &[], suite, |config| config.cookie_exchange(true));
}

/// Both hellos in fragments.
#[test]
fn server_that_asks_an_openssl_client_with_small_datagrams_for_a_cookie() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    accept_client("cm", RSA, &["-mtu", "256"], suite, |config| {
        config.cookie_exchange(true).mtu(256).unwrap()
    });
}
