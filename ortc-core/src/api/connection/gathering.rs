//! Local candidates: where they come from, and what becomes of them.

use core::net::SocketAddr;
use std::time::Instant;

use ortc_ice::{Candidate, CandidateKind, GatherEvent, LocalCandidate, Path};

use crate::transport::Asker;

use super::super::description::RTCIceCandidateDescription;
use super::super::error::{ConnectionError, DescriptionError};
use super::super::event::Event;
use super::super::options::LocalCandidates;
use super::super::socket::{SocketCandidates, SocketChange};
use super::{Applied, Discovered, RTCConnection};

/// Local addresses that one connection gathers from.
const MAX_ADDRESSES: usize = 64;

impl RTCConnection {
    /// Adds an address that the embedder has bound a UDP socket to; `update` gathers from it.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::LocalAddress`] when it is listed, unspecified or multicast,
    /// [`ConnectionError::TooMany`] beyond 64.
    pub fn add_local_address(&mut self, address: SocketAddr) -> Result<(), ConnectionError> {
        self.open()?;
        self.list_address(address)
    }

    /// Takes an address off the list: the next `update` withdraws what was gathered from it.
    pub fn remove_local_address(&mut self, address: SocketAddr) {
        self.gathering.addresses.retain(|known| *known != address);
    }

    /// The socket of an address is gone, and with it, at once, everything that used it: an interface
    /// went down. Data moves to another valid pair if there is one, and all other pairs are tried.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Closed`].
    pub fn local_address_lost(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        self.remove_local_address(address);
        let ice = &mut self.transport.ice;
        ice.remove_local_candidate(address, now)?;
        let discovered = &mut self.gathering.discovered;
        discovered.retain(|known| known.candidate.base() != address);
        if let Some(gatherer) = self.gatherer() {
            gatherer.remove_base(address, now);
        }
        self.pump(now);
        Ok(())
    }

    pub(super) fn list_address(&mut self, address: SocketAddr) -> Result<(), ConnectionError> {
        let ip = address.ip();
        let usable = !ip.is_unspecified() && !ip.is_multicast() && address.port() != 0;
        if !usable || self.gathering.addresses.contains(&address) {
            return Err(ConnectionError::LocalAddress);
        }
        if self.gathering.addresses.len() == MAX_ADDRESSES {
            return Err(ConnectionError::TooMany {
                what: "the list of addresses",
                limit: MAX_ADDRESSES,
            });
        }
        self.gathering.addresses.push(address);
        Ok(())
    }

    /// Gathers again from the addresses that are listed now (draft `update`), for when interfaces
    /// have changed. Credentials stay. Every candidate is told again, new ones as they are found;
    /// those of addresses that are not listed any more are withdrawn. A working path stays until
    /// data leaves on another.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Ice`] when candidates are applied at once and the agent holds as many as
    /// it may, [`ConnectionError::Gather`] when there are too many addresses for the servers:
    /// nothing is told then.
    pub fn update(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.open()?;
        self.advance(now);
        self.gather()
    }

    pub(super) fn gather(&mut self) -> Result<(), ConnectionError> {
        let now = self.now;
        let asks = self.gatherer().is_some();
        let mut found = Vec::with_capacity(self.gathering.addresses.len());
        let ice = &mut self.transport.ice;
        if !asks {
            for address in &self.gathering.addresses {
                let candidate = Candidate::host(*address).map_err(DescriptionError::Candidate)?;
                found.push(ice.prepare_local_candidate(candidate, now)?);
            }
        }
        for shared in self.gathering.shared.list() {
            if let Ok(candidate) = shared.candidate() {
                found.push(ice.prepare_local_candidate(candidate, now)?);
            }
        }
        let at_once = self.gathering.policy == LocalCandidates::AtOnce;
        if at_once {
            for candidate in &found {
                ice.add_local_candidate(candidate.clone(), now)?;
            }
        }
        if let Some(uplink) = &mut self.uplink {
            let in_use = ice.data_path().map(|path| path.local);
            if uplink.gather(&self.gathering.addresses, in_use.as_slice(), now)?
                && let Some(relayed) = in_use
            {
                ice.withdraw_local_candidate(relayed, now)?;
                let discovered = &mut self.gathering.discovered;
                discovered.retain(|known| known.candidate.address() != relayed);
            }
        }
        // Nothing fails from here on.
        if asks {
            // What is still good is told again; what is new comes as the gatherer finds it.
            for known in &self.gathering.discovered {
                let event = Event::Candidate(Box::new(known.description.clone()));
                self.output.events.push(event);
            }
        } else {
            self.withdraw_unlisted(&found);
            let discovered = &mut self.gathering.discovered;
            discovered.reserve_exact(found.len().saturating_sub(discovered.len()));
            for candidate in found {
                self.tell_candidate(candidate);
            }
            if self.gathering.shared.is_complete() {
                self.output.events.push(Event::EndOfCandidates);
            }
        }
        if asks || at_once {
            self.pump(now);
            self.claim_paths();
        }
        Ok(())
    }

    /// What was gathered from addresses that are not listed any more.
    fn withdraw_unlisted(&mut self, found: &[Candidate]) {
        let listed = |known: &Discovered| {
            let address = known.candidate.address();
            found.iter().any(|found| found.address() == address)
        };
        let discovered = core::mem::take(&mut self.gathering.discovered);
        let (kept, gone) = discovered.into_iter().partition::<Vec<_>, _>(listed);
        self.gathering.discovered = kept;
        for known in gone {
            let address = known.candidate.address();
            // It fails when the connection is closed, which nobody asks then.
            let _ = self
                .transport
                .ice
                .withdraw_local_candidate(address, self.now);
        }
    }

    /// Tells of a candidate that is applied already if it is to be so at once.
    fn tell_candidate(&mut self, candidate: Candidate) {
        let description = RTCIceCandidateDescription {
            dtls: self.described_dtls(),
            ..RTCIceCandidateDescription::from_candidate(&candidate)
        };
        let at_once = self.gathering.policy == LocalCandidates::AtOnce;
        let discovered = &mut self.gathering.discovered;
        let same = |known: &&mut Discovered| known.description == description;
        match discovered.iter_mut().find(same) {
            Some(known) if at_once => known.applied = Applied::Yes,
            Some(_) => {}
            None => discovered.push(Discovered {
                description: description.clone(),
                candidate,
                applied: if at_once { Applied::Yes } else { Applied::No },
            }),
        }
        self.output
            .events
            .push(Event::Candidate(Box::new(description)));
    }

    /// What the gatherer says.
    pub(super) fn on_gathered(&mut self, event: GatherEvent) {
        match event {
            GatherEvent::Candidate(found) => self.candidate_found(&found),
            GatherEvent::CandidateGone(gone) => self.candidate_gone(&gone),
            GatherEvent::Resolve { query, host } => {
                let (query, name) = (query.into(), host);
                self.output.events.push(Event::Resolve { query, name });
            }
            GatherEvent::OpenStream(open) => self.ask_for_stream(open, Asker::Gatherer),
            GatherEvent::CloseStream(stream) => {
                self.output.events.push(Event::CloseStream(stream));
            }
            GatherEvent::ServerFailed { server, reason } => {
                if let Some(uri) = self.gatherer().and_then(|known| known.server(server)) {
                    let server = uri.clone();
                    let event = Event::IceServerFailed { server, reason };
                    self.output.events.push(event);
                }
            }
            GatherEvent::Complete => {
                self.output.events.push(Event::EndOfCandidates);
            }
            // Its pairs will fail.
            GatherEvent::PermissionRefused { .. } | _ => {}
        }
    }

    /// A candidate was found after `gather` had returned.
    fn candidate_found(&mut self, found: &LocalCandidate) {
        let (now, ice) = (self.now, &mut self.transport.ice);
        let Ok(candidate) = found.candidate() else {
            return;
        };
        let at_once = self.gathering.policy == LocalCandidates::AtOnce;
        let placed = if at_once {
            ice.add_local_candidate(candidate, now)
        } else {
            ice.prepare_local_candidate(candidate, now)
        };
        let placed = match placed {
            Ok(placed) => placed,
            Err(error) => return tracing::debug!(%error, "a candidate is left out"),
        };
        let known = |known: &Discovered| {
            (known.candidate.address(), known.candidate.base()) == (placed.address(), placed.base())
                && known.candidate.tcp_type() == placed.tcp_type()
        };
        if !self.gathering.discovered.iter().any(known) {
            self.tell_candidate(placed);
            self.claim_paths();
        }
    }

    /// A candidate is not good any more. A host candidate is withdrawn, as its socket may still
    /// work; of the others nothing works.
    fn candidate_gone(&mut self, gone: &LocalCandidate) {
        let Ok(candidate) = gone.candidate() else {
            return;
        };
        let address = candidate.address();
        let discovered = &mut self.gathering.discovered;
        discovered.retain(|known| {
            (known.candidate.address(), known.candidate.base()) != (address, candidate.base())
                || known.candidate.tcp_type() != candidate.tcp_type()
        });
        let (now, ice) = (self.now, &mut self.transport.ice);
        let _ = if candidate.kind() == CandidateKind::Host {
            ice.withdraw_local_candidate(address, now)
        } else {
            ice.remove_local_candidate(address, now)
        };
    }

    /// Takes the candidates of the shared socket, as
    /// [`SocketEvent::Candidates`](super::super::SocketEvent::Candidates) gave them: new ones are
    /// told, those that are gone are withdrawn. Without a shared socket it does nothing.
    pub fn handle_socket_candidates(&mut self, candidates: &SocketCandidates, now: Instant) {
        let now = self.advance(now);
        if self.open().is_err() || self.link.is_none() {
            return;
        }
        let before = core::mem::replace(&mut self.gathering.shared, candidates.clone());
        for gone in before.list().iter().filter(|known| !candidates.has(known)) {
            self.candidate_gone(gone);
        }
        for found in candidates.list() {
            self.candidate_found(found);
        }
        if candidates.is_complete() && !before.is_complete() {
            self.output.events.push(Event::EndOfCandidates);
        }
        self.pump(now);
    }

    /// Tells who routes or relays of the paths between the applied and the remote candidates.
    pub(super) fn claim_paths(&mut self) {
        if self.has_listener() {
            let remotes: Vec<SocketAddr> = self.transport.ice.remote_addresses().collect();
            for remote in remotes {
                self.claim_paths_to(remote);
            }
        }
    }

    pub(super) fn claim_paths_to(&mut self, remote: SocketAddr) {
        if !self.has_listener() {
            return;
        }
        let discovered = self.gathering.discovered.iter();
        let applied = discovered
            .filter(|known| known.applied == Applied::Yes && known.candidate.tcp_type().is_none());
        let mut locals: Vec<SocketAddr> = applied.map(|known| known.candidate.base()).collect();
        locals.dedup();
        for local in locals
            .into_iter()
            .filter(|local| local.is_ipv4() == remote.is_ipv4())
        {
            self.tell_socket(SocketChange::Path(Path::udp(local, remote)));
        }
    }

    /// Whether somebody wants to know of paths.
    fn has_listener(&self) -> bool {
        let relays = self.uplink.as_ref().is_some_and(|up| up.gatherer.is_some());
        self.link.is_some() || relays
    }
}
