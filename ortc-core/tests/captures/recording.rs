//! The recordings, read once.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Instant;

use ortc_core::dtls::SrtpKeying;
use ortc_core::dtls::crypto::{Hash, ring_provider};
use ortc_core::dtls::keying::{SRTP_LABEL, Tls12Secrets, dtls13_export};
use ortc_core::ice::Credentials;
use ortc_core::{Profile, RTCDtlsConnectionInfo, RTCIceConnectionInfo, RTCTrackDescription};
use ortc_dtls::wire::HandshakeType;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::ServerHello;
use ortc_dtls::wire::record::RecordHeader;
use ortc_srtp::{MasterKey, Receiver, UnprotectError};
use serde::Deserialize;
use serde_json::Value;

macro_rules! recordings {
    ($($name:literal),* $(,)?) => {
        &[$((
            $name,
            include_str!(concat!("../data/captures/", $name, ".json")),
            include_bytes!(concat!("../data/captures/", $name, ".bin")),
        )),*]
    };
}

const RECORDINGS: &[(&str, &str, &[u8])] = recordings![
    "b01-chrome-ortc-dtls13-browserserver",
    "b03-chrome-ortc-iceconflict",
    "b05-firefox-ortc-dtls12-browserclient",
    "b09-chrome-ortc-loss",
    "c01-chrome-offer-dtls13-browserclient",
    "c02-chrome-offer-dtls12-browserclient",
    "c03-chrome-offer-dtls12-browserserver",
    "c07-chrome-offer-h264",
    "c08-chrome-offer-g711-audioonly",
    "c10-chrome-offer-loss",
    "f01-firefox-offer-dtls13-browserclient",
    "f02-firefox-offer-dtls12-browserclient",
    "f03-firefox-offer-dtls12-browserserver",
    "f08-firefox-offer-g711-audioonly",
];

/// Who sent a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum End {
    #[serde(alias = "B")]
    Browser,
    #[serde(alias = "P")]
    Peer,
}

impl End {
    pub(crate) const BOTH: [Self; 2] = [Self::Browser, Self::Peer];

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Browser => Self::Peer,
            Self::Peer => Self::Browser,
        }
    }

    /// The letter of the recordings.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Browser => 'B',
            Self::Peer => 'P',
        }
    }
}

/// What a datagram is, as the recording says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

/// One datagram as it was on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    /// Since the first datagram of the call.
    pub(crate) at: Duration,
    pub(crate) from: End,
    pub(crate) kind: Kind,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: &'static [u8],
}

/// What a call's JSON file says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Facts {
    pub(crate) dtls: String,
    pub(crate) profile: u16,
    pub(crate) dtls_client: End,
    pub(crate) keying_material: String,
    pub(crate) secret: Secret,
    pub(crate) tones: String,
    datagrams: usize,
    pub(crate) packets: Vec<Count>,
    pub(crate) rtcp: BTreeMap<String, usize>,
    addresses: Vec<SocketAddr>,
    pub(crate) descriptions: String,
    pub(crate) extension_ids: BTreeMap<String, u8>,
    pub(crate) retransmission: BTreeMap<String, u8>,
    browser_side: Side,
    peer_side: Side,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Secret {
    pub(crate) label: String,
    pub(crate) random: String,
    pub(crate) value: String,
}

/// How many RTP packets one source sent with one payload type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Count {
    pub(crate) direction: End,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) packets: usize,
}

/// What one end signalled.
#[derive(Debug, Deserialize)]
pub(crate) struct Side {
    pub(crate) ice: RTCIceConnectionInfo,
    pub(crate) dtls: RTCDtlsConnectionInfo,
    #[serde(default)]
    pub(crate) candidates: Vec<Value>,
    pub(crate) tracks: Vec<RTCTrackDescription>,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) json: &'static str,
    pub(crate) facts: Facts,
    pub(crate) datagrams: Vec<Recorded>,
    opened: OnceLock<Vec<Opened>>,
}

/// One RTP or RTCP packet without its protection.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) at: Duration,
    pub(crate) from: End,
    pub(crate) kind: Kind,
    pub(crate) packet: Vec<u8>,
}

/// All calls.
pub(crate) fn calls() -> &'static [Call] {
    static CALLS: OnceLock<Vec<Call>> = OnceLock::new();
    CALLS.get_or_init(|| RECORDINGS.iter().map(Call::read).collect())
}

#[expect(
    clippy::disallowed_methods,
    reason = "one arbitrary origin of virtual time"
)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

impl Call {
    fn read(&(name, json, mut octets): &(&'static str, &'static str, &'static [u8])) -> Self {
        let facts: Facts = serde_json::from_str(json).unwrap();
        let mut datagrams = Vec::with_capacity(facts.datagrams);
        while let Some((head, rest)) = octets.split_first_chunk::<10>() {
            let [t0, t1, t2, t3, from, kind, source, destination, l0, l1] = *head;
            let (contents, rest) = rest.split_at(usize::from(u16::from_be_bytes([l0, l1])));
            octets = rest;
            datagrams.push(Recorded {
                at: Duration::from_micros(u32::from_be_bytes([t0, t1, t2, t3]).into()),
                from: if from == b'B' {
                    End::Browser
                } else {
                    End::Peer
                },
                kind: [Kind::Stun, Kind::Dtls, Kind::Rtp, Kind::Rtcp][usize::from(kind)],
                source: facts.addresses[usize::from(source)],
                destination: facts.addresses[usize::from(destination)],
                contents,
            });
        }
        assert!(octets.is_empty(), "{name}: half a record");
        assert_eq!(datagrams.len(), facts.datagrams, "{name}");
        Self {
            name,
            json,
            facts,
            datagrams,
            opened: OnceLock::new(),
        }
    }

    pub(crate) fn side(&self, end: End) -> &Side {
        match end {
            End::Browser => &self.facts.browser_side,
            End::Peer => &self.facts.peer_side,
        }
    }

    pub(crate) fn credentials(&self, end: End) -> Credentials {
        let ice = &self.side(end).ice;
        Credentials::new(ice.username_frag.as_str(), ice.password.as_str()).unwrap()
    }

    pub(crate) fn datagrams_of(&self, kind: Kind) -> impl Iterator<Item = &Recorded> {
        self.datagrams
            .iter()
            .filter(move |datagram| datagram.kind == kind)
    }

    /// Addresses that an end received datagrams at.
    pub(crate) fn addresses(&self, end: End) -> BTreeSet<SocketAddr> {
        self.datagrams
            .iter()
            .filter(|datagram| datagram.from == end.other())
            .map(|datagram| datagram.destination)
            .collect()
    }

    /// Whether packets of this end are missing in the recording: the peer of the lossy calls left
    /// some out.
    pub(crate) fn loses(&self, from: End) -> bool {
        self.name.ends_with("-loss") && from == End::Peer
    }

    /// Whether a payload type is that of retransmissions.
    pub(crate) fn is_retransmission(&self, payload_type: u8) -> bool {
        self.facts
            .retransmission
            .contains_key(&payload_type.to_string())
    }

    /// SRTP keys and salts out of the secret that the browser logged.
    pub(crate) fn keying(&self) -> SrtpKeying {
        let (secret, provider) = (&self.facts.secret, ring_provider());
        let value = hex::decode(&secret.value).unwrap();
        SrtpKeying::derive(self.facts.profile, |out| match secret.label.as_str() {
            "CLIENT_RANDOM" => {
                let master: [u8; 48] = value[..].try_into().unwrap();
                let random = hex::decode(&secret.random).unwrap();
                let secrets = Tls12Secrets {
                    hash: Hash::Sha256,
                    master: master.into(),
                    client_random: random[..].try_into().unwrap(),
                    server_random: self.server_random(),
                };
                secrets.export(&*provider, SRTP_LABEL, None, out)
            }
            "EXPORTER_SECRET" => {
                dtls13_export(&*provider, Hash::Sha256, &value, SRTP_LABEL, &[], out)
            }
            other => panic!("{other}"),
        })
        .unwrap()
    }

    fn server_random(&self) -> [u8; 32] {
        let found = self.datagrams_of(Kind::Dtls).find_map(|datagram| {
            let mut copy = datagram.contents.to_vec();
            let (_, contents, _) = RecordHeader::split(&mut copy)?;
            let (fragment, _) = Fragment::split(contents).ok()?;
            (fragment.kind == HandshakeType::SERVER_HELLO)
                .then(|| *ServerHello::parse(fragment.body).unwrap().random)
        });
        found.unwrap()
    }

    /// What opens the packets of one end.
    pub(crate) fn receiver(&self, from: End) -> Receiver {
        let profile = Profile::from_id(self.facts.profile).unwrap();
        let keying = self.keying();
        let (key, salt) = if from == self.facts.dtls_client {
            (keying.client_key, keying.client_salt)
        } else {
            (keying.server_key, keying.server_salt)
        };
        Receiver::new(&MasterKey::new(profile, &key, &salt).unwrap(), [3; 8])
    }

    /// Every packet of both ends but for copies, in order of time. `secured` tests the opening
    /// itself.
    pub(crate) fn opened(&self) -> &[Opened] {
        self.opened.get_or_init(|| {
            let mut receivers = End::BOTH.map(|end| self.receiver(end));
            let mut opened = Vec::new();
            for datagram in &self.datagrams {
                let receiver = &mut receivers[usize::from(datagram.from == End::Peer)];
                let mut packet = datagram.contents.to_vec();
                let len = match datagram.kind {
                    Kind::Rtp => receiver.unprotect_rtp(&mut packet),
                    Kind::Rtcp => receiver.unprotect_rtcp(&mut packet),
                    Kind::Stun | Kind::Dtls => continue,
                };
                match len {
                    Ok(len) => packet.truncate(len),
                    Err(UnprotectError::Replay) => continue,
                    Err(error) => panic!("{} at {:?}: {error}", self.name, datagram.at),
                }
                opened.push(Opened {
                    at: datagram.at,
                    from: datagram.from,
                    kind: datagram.kind,
                    packet,
                });
            }
            opened
        })
    }

    pub(crate) fn opened_of(&self, from: End, kind: Kind) -> impl Iterator<Item = &Opened> {
        self.opened()
            .iter()
            .filter(move |opened| opened.from == from && opened.kind == kind)
    }
}
