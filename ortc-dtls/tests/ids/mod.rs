//! Pairs whose sides want connection ids.
#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use std::sync::Arc;

use ortc_dtls::crypto::Provider;
use ortc_dtls::{Config, Endpoint, Version};

use crate::pair::{Pair, pair_by_role, provider};

pub(crate) const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];

/// A pair whose sides want ids of these lengths.
pub(crate) fn pair_with(
    version: Version,
    lengths: [Option<u8>; 2],
    adapt: impl Fn(Config) -> Config,
) -> (Pair, Arc<dyn Provider>) {
    let provider = provider();
    let pair = pair_by_role([&[version]; 2], &provider, |role, config| {
        let length = lengths[role as usize];
        adapt(config.key_log(true).connection_id_length(length))
    });
    (pair, provider)
}

/// Such a pair after its handshake.
pub(crate) fn connected(version: Version, lengths: [Option<u8>; 2]) -> (Pair, Arc<dyn Provider>) {
    let (mut pair, provider) = pair_with(version, lengths, |config| config);
    assert!(pair.connect());
    pair.settle();
    (pair, provider)
}

/// The id that an endpoint was given first.
pub(crate) fn own(endpoint: &Endpoint) -> Vec<u8> {
    endpoint
        .connection_ids()
        .next()
        .map_or_else(Vec::new, |id| id.octets().to_vec())
}
