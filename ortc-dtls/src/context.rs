//! What the state machines of a handshake act on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::certificate::PeerCertificate;
use crate::config::Config;
use crate::connection_id::{ConnectionId, Ids};
use crate::event::{CloseReason, Event, KeyLogLine, ProtocolError};
use crate::fingerprint::{self, Fingerprint};
use crate::flight::{Acknowledgements, Carried, Flight};
use crate::record::{Inbound, MAX_CONTENTS, Outbound, Protection, ReadEpoch};
use crate::stats::Stats;
use crate::v13::Acks;
use crate::wire::ProtocolVersion;
use crate::wire::extension::Extensions;

/// Everything of an endpoint but its state.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    /// The latest instant seen.
    pub(crate) now: Instant,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
    pub(crate) flight: Flight,
    pub(crate) acks: Acks,
    /// Once the server has chosen it.
    pub(crate) version: Option<ProtocolVersion>,
    /// Octets of contents that a protected record of the peer may have.
    pub(crate) receive_limit: usize,
    pub(crate) peer: Option<PeerCertificate>,
    /// What the peer must have; `None` for what the configuration says.
    expected: Option<Vec<Fingerprint>>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) stats: Stats,
    /// Records that were held may be readable now.
    pub(crate) early_due: bool,
    /// What an outside carrier was shown.
    pub(crate) carried: Option<Box<Carried>>,
    /// Connection ids, while they are offered or in use.
    pub(crate) ids: Option<Box<Ids>>,
}

/// Octets of contents that a record has room for in spite of the longest connection id that we
/// write.
const MIN_ROOM: usize = 64;

impl Context {
    pub(crate) fn new(config: Arc<Config>, ids: Option<Ids>, now: Instant) -> Self {
        let flight = Flight::new(config.first_retransmission, config.max_retransmission);
        Self {
            config,
            now,
            inbound: Inbound::default(),
            outbound: Outbound::new(),
            flight,
            acks: Acks::default(),
            version: None,
            receive_limit: MAX_CONTENTS,
            peer: None,
            expected: None,
            events: VecDeque::with_capacity(4),
            stats: Stats::default(),
            early_due: false,
            carried: None,
            ids: ids.map(Box::new),
        }
    }

    /// Keeps the peer's certificate, unless it is not the expected one.
    pub(crate) fn learn_peer(&mut self, der: &[u8]) -> Result<(), CloseReason> {
        let peer = PeerCertificate::new(der).map_err(ProtocolError::Certificate)?;
        self.peer = Some(peer);
        self.compare_peer()
    }

    /// Says which certificate the peer must have.
    pub(crate) fn expect(&mut self, fingerprints: &[Fingerprint]) -> Result<(), CloseReason> {
        self.expected = Some(fingerprints.to_vec());
        self.compare_peer()
    }

    /// Whether only certain certificates will do.
    pub(crate) fn expects_someone(&self) -> bool {
        !self.expected().is_empty()
    }

    fn expected(&self) -> &[Fingerprint] {
        self.expected.as_ref().unwrap_or(&self.config.expected)
    }

    fn compare_peer(&mut self) -> Result<(), CloseReason> {
        let expected = self.expected.as_ref().unwrap_or(&self.config.expected);
        match &mut self.peer {
            Some(peer) if !expected.is_empty() => {
                peer.is_expected = fingerprint::satisfied_by(expected, peer.der());
                if peer.is_expected {
                    Ok(())
                } else {
                    Err(CloseReason::FingerprintMismatch)
                }
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn install(&mut self, read: Protection, write: Protection) {
        self.inbound.install(read);
        self.outbound.install(write);
        self.early_due = true;
    }

    pub(crate) fn negotiate_dtls12(&mut self) {
        self.version = Some(ProtocolVersion::DTLS12);
        self.acks.clear();
        self.outbound.set_version(ProtocolVersion::DTLS12);
        self.flight.set_acknowledgements(Acknowledgements::Unknown);
    }

    /// Plaintext records have the version of DTLS 1.2 all the same (RFC 9147 §4).
    pub(crate) fn negotiate_dtls13(&mut self) {
        self.version = Some(ProtocolVersion::DTLS13);
        self.outbound.set_version(ProtocolVersion::DTLS12);
        self.flight.set_acknowledgements(Acknowledgements::Possible);
    }

    pub(crate) fn is_dtls13(&self) -> bool {
        self.version == Some(ProtocolVersion::DTLS13)
    }

    /// Starts the flight that answers the one that ended with this message.
    pub(crate) fn begin_flight(&mut self, answers: u16) {
        self.acks.clear();
        self.flight.begin(Some(answers), self.now);
    }

    pub(crate) fn install_read_epoch(&mut self, epoch: ReadEpoch) {
        self.inbound.install_epoch(epoch);
        self.early_due = true;
    }

    /// Whether records of our size have room for this connection id of the peer's.
    pub(crate) fn fits(&self, id: &[u8]) -> bool {
        id.len() + Outbound::MAX_OVERHEAD + MIN_ROOM <= self.config.mtu
    }

    /// Whether datagrams of this size have room for something besides the peer's connection id.
    pub(crate) fn has_room(&self, mtu: usize) -> bool {
        self.outbound.id().octets().len() + Outbound::MAX_OVERHEAD + MIN_ROOM <= mtu
    }

    /// A server learns which connection id the client wants; it
    /// answers with its own.
    pub(crate) fn on_id_offer(&mut self, offered: &Extensions<'_>) -> Result<(), CloseReason> {
        if self.ids.is_none() {
            return Ok(());
        }
        let offered = offered.connection_id()?;
        // Nothing is answered to a client whose id leaves no room.
        match offered.filter(|id| self.fits(id)) {
            Some(id) => self.agree_on_ids(id),
            None => self.ids = None,
        }
        Ok(())
    }

    /// A client learns which connection id the server wants.
    pub(crate) fn on_id_answer(&mut self, answered: &Extensions<'_>) -> Result<(), CloseReason> {
        match answered.connection_id()? {
            Some(id) if self.fits(id) => self.agree_on_ids(id),
            Some(_) => return Err(ProtocolError::NothingInCommon("connection id").into()),
            None => self.ids = None,
        }
        Ok(())
    }

    fn agree_on_ids(&mut self, peer: &[u8]) {
        if let (Some(ids), Some(peer)) = (&mut self.ids, ConnectionId::new(peer)) {
            ids.agree();
            self.outbound.set_id(peer);
        }
    }

    /// All that is protected from now on has this connection id of the peer's, and what a carrier was
    /// shown with another is made anew (RFC 9147 §9).
    pub(crate) fn write_id(&mut self, id: ConnectionId) {
        self.outbound.set_id(id);
        self.flight.renew();
    }

    /// Octets of the connection ids of ours; none when there are none.
    pub(crate) fn id_len(&self) -> usize {
        self.ids.as_ref().map_or(0, |ids| ids.len())
    }

    /// Whether a protected record with this connection id, empty for none, is what we asked for.
    pub(crate) fn accepts_id(&self, id: &[u8]) -> bool {
        match &self.ids {
            Some(ids) => ids.accepts(id),
            None => id.is_empty(),
        }
    }

    pub(crate) fn log_key(&mut self, label: &str, random: &[u8], secret: &[u8]) {
        if self.config.key_log {
            let line = KeyLogLine::new(label, random, secret);
            self.events.push_back(Event::KeyLog(line));
        }
    }
}
