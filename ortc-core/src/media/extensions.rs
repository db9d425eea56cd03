//! Names of RTP header extensions and the ids that carry them on this connection.

use std::collections::BTreeMap;

use ortc_rtp::wire::{ExtensionElements, RtpPacket};

use crate::api::RtpExtHeaders;

/// Media identification (RFC 9143 §16.2).
pub(crate) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// RTP stream identifier (RFC 8852 §3.1).
pub(crate) const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
/// Stream identifier that a retransmission repairs (RFC 8852 §3.2).
pub(crate) const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";

/// Ids used when the application names none: the extensions that bind an SSRC to a track.
pub(crate) const DEFAULT_IDS: [(&str, u8); 3] = [(MID, 1), (RID, 2), (REPAIRED_RID, 3)];

/// Extensions whose value is text (RFC 8285 leaves the form to each; these are SDES items).
fn is_text(uri: &str) -> bool {
    uri.starts_with("urn:ietf:params:rtp-hdrext:sdes:")
}

/// URI to id, both ways.
#[derive(Clone, Debug)]
pub(crate) struct ExtensionIds {
    by_uri: BTreeMap<String, u8>,
}

impl ExtensionIds {
    pub(crate) fn new(by_uri: BTreeMap<String, u8>) -> Self {
        Self { by_uri }
    }

    pub(crate) fn to_table(&self) -> BTreeMap<String, u8> {
        self.by_uri.clone()
    }

    pub(crate) fn id(&self, uri: &str) -> Option<u8> {
        self.by_uri.get(uri).copied()
    }

    fn uri(&self, id: u8) -> Option<&str> {
        self.by_uri
            .iter()
            .find_map(|(uri, known)| (*known == id).then_some(uri.as_str()))
    }

    /// The block that carries these values; a name without an id, or a value that no element
    /// holds, is left out.
    pub(crate) fn encode(&self, headers: &RtpExtHeaders) -> ExtensionElements {
        let mut elements = ExtensionElements::new();
        for (uri, value) in headers {
            let Some(&id) = self.by_uri.get(uri) else {
                continue;
            };
            let decoded = if is_text(uri) {
                None
            } else {
                decode_hex(value)
            };
            let data = decoded.as_deref().unwrap_or(value.as_bytes());
            if elements.push(id, data).is_err() {
                tracing::debug!(uri, "header extension value does not fit an element");
            }
        }
        elements
    }

    /// The values that a packet carries, by name.
    pub(crate) fn decode(&self, packet: &RtpPacket<'_>) -> RtpExtHeaders {
        packet
            .extensions()
            .map(|(id, data)| match self.uri(id) {
                Some(uri) if is_text(uri) => {
                    (uri.to_owned(), String::from_utf8_lossy(data).into_owned())
                }
                Some(uri) => (uri.to_owned(), encode_hex(data)),
                None => (id.to_string(), encode_hex(data)),
            })
            .collect()
    }

    /// Whether the packet carries the values by which a description binds an SSRC: all of MID and
    /// RID that the description has, and at least one of them.
    pub(crate) fn binds(&self, described: &RtpExtHeaders, packet: &RtpPacket<'_>) -> bool {
        let mut bound = false;
        for uri in [MID, RID] {
            let Some(wanted) = described.get(uri) else {
                continue;
            };
            let id = self.by_uri.get(uri);
            let carried = packet.extensions().find(|(known, _)| Some(known) == id);
            if carried.is_none_or(|(_, data)| data != wanted.as_bytes()) {
                return false;
            }
            bound = true;
        }
        bound
    }
}

fn encode_hex(data: &[u8]) -> String {
    use core::fmt::Write;
    data.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |octet: &u8| char::from(*octet).to_digit(16);
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            let [high, low] = pair else { return None };
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        })
        .collect()
}
