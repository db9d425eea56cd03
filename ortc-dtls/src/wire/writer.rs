//! Writing length-prefixed structures (RFC 5246 §4): a scope patches the length that it opened.

/// Appends what `body` appends, preceded by its length in one octet.
///
/// What is written through here is our own and bounded by construction far below the prefix.
pub(crate) fn vector8(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    scope::<1>(out, body);
}

/// As [`vector8`], with two octets.
pub(crate) fn vector16(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    scope::<2>(out, body);
}

/// As [`vector8`], with three octets.
pub(crate) fn vector24(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    scope::<3>(out, body);
}

pub(crate) fn u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn scope<const N: usize>(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; N]);
    body(out);
    let len = (out.len() - at - N).to_be_bytes();
    if let (Some(prefix), Some(low)) = (out.get_mut(at..at + N), len.last_chunk::<N>()) {
        debug_assert!(len.iter().rev().skip(N).all(|&octet| octet == 0));
        prefix.copy_from_slice(low);
    }
}
