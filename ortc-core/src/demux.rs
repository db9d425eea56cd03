//! Which layer a datagram belongs to, by its first octets (RFC 7983 §7, RFC 5761 §4).

/// A layer that reads datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

/// The layer, or `None` for what is neither.
pub(crate) fn layer(datagram: &[u8]) -> Option<Layer> {
    match *datagram {
        [0..=3, ..] => Some(Layer::Stun),
        [20..=63, ..] => Some(Layer::Dtls),
        [128..=191, second, ..] if ortc_rtp::wire::rtcp::is_rtcp(second) => Some(Layer::Rtcp),
        [128..=191, _, ..] => Some(Layer::Rtp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges of RFC 7983 §7 and RFC 5761 §4, for every first octet.
    #[test]
    fn the_first_octet_decides_as_rfc_7983_says() {
        for first in 0..=255_u8 {
            let expected = match first {
                0..=3 => Some(Layer::Stun),
                20..=63 => Some(Layer::Dtls),
                128..=191 => Some(Layer::Rtp),
                _ => None,
            };
            assert_eq!(layer(&[first, 96]), expected);
        }
        assert_eq!(layer(&[0x80, 200]), Some(Layer::Rtcp));
        assert_eq!(layer(&[0x80, 191]), Some(Layer::Rtp));
        assert_eq!(layer(&[0x80, 224]), Some(Layer::Rtp));
        assert_eq!(layer(&[]), None);
        assert_eq!(layer(&[0x80]), None);
    }
}
