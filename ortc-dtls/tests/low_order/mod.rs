//! Points of X25519 that make every secret zero.
#![allow(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

/// The u-coordinates whose order divides the cofactor, in all their encodings below 2^255.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// The same, with and without the top bit, which does not count (RFC 7748 §5).
pub(crate) fn points() -> impl Iterator<Item = Vec<u8>> {
    LOW_ORDER.into_iter().flat_map(|point| {
        let point = hex::decode(point).unwrap();
        let mut high = point.clone();
        *high.last_mut().unwrap() |= 0x80;
        [point, high]
    })
}
