//! What the embedder's loop calls: datagrams and time in; datagrams, events and the next deadline
//! out.

use std::time::Instant;

use ortc_dtls::Event as DtlsEvent;
use ortc_ice::{Datagram, Event as IceEvent, Path, Transmit};
use rand_core::Rng;

use crate::demux::{Layer, layer};
use crate::stats::DropReason;
use crate::timer::TimerKey;
use crate::transport::{Asker, RoleConflict, SrtpContexts, frame_run};

use super::super::description::RTCIceCandidateDescription;
use super::super::event::{ActivePair, DisconnectReason, Event, TapDirection, Timeout, Timer};
use super::super::socket::SocketChange;
use super::{Expectation, RTCConnection, State};

impl RTCConnection {
    /// Takes a datagram from the socket bound to `path.local`; its octets are decrypted in place.
    /// Whatever it is, the worst it can do is to be counted in [`stats`](Self::stats).
    #[inline]
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.advance(now);
        self.count_received(datagram.contents.len());
        if self.open().is_err() {
            return self.output.drops.count(DropReason::Closed);
        }
        if self.uplink.is_some() {
            return self.handle_from_network(datagram, now);
        }
        self.handle_arrival(datagram, now);
    }

    /// A datagram of the peer, or of who would like to be.
    #[inline]
    pub(super) fn handle_arrival(&mut self, datagram: Datagram<'_>, now: Instant) {
        match layer(datagram.contents) {
            Some(Layer::Rtp) => self.handle_srtp(datagram, Layer::Rtp, now),
            Some(Layer::Rtcp) => self.handle_srtp(datagram, Layer::Rtcp, now),
            Some(Layer::Stun) => {
                if self.transport.ice.handle_datagram(datagram, now).is_err() {
                    self.output.drops.count(DropReason::Stun);
                }
                self.pump(now);
            }
            Some(Layer::Dtls) => {
                match self
                    .transport
                    .handle_dtls(&datagram.path, datagram.contents, now)
                {
                    Ok(()) => self.pump(now),
                    Err(reason) => self.output.drops.count(reason),
                }
            }
            None => self.output.drops.count(DropReason::UnknownProtocol),
        }
    }

    pub(super) fn count_received(&mut self, octets: usize) {
        self.traffic.datagrams_received += 1;
        self.traffic.octets_received += u64::try_from(octets).unwrap_or_default();
    }

    fn handle_srtp(&mut self, datagram: Datagram<'_>, layer: Layer, now: Instant) {
        let Some(srtp) = &mut self.transport.srtp else {
            if let Err(reason) = self.transport.hold_media(&datagram.path, datagram.contents) {
                self.output.drops.count(reason);
            }
            return;
        };
        let unprotected = match layer {
            Layer::Rtcp => srtp.receiver.unprotect_rtcp(datagram.contents),
            Layer::Rtp | Layer::Stun | Layer::Dtls => {
                srtp.receiver.unprotect_rtp(datagram.contents)
            }
        };
        let packet = match unprotected {
            Ok(len) => datagram.contents.get(..len).unwrap_or_default(),
            Err(error) => return self.output.drops.count(error.into()),
        };
        self.transport.ice.authenticated_traffic(datagram.path, now);
        if self.output.tap.is_some() {
            self.output.tap(TapDirection::Received, packet, now);
        }
        match layer {
            Layer::Rtcp => self.media.handle_rtcp(packet, &mut self.output, now),
            Layer::Rtp | Layer::Stun | Layer::Dtls => {
                self.media.handle_rtp(packet, &mut self.output, now);
            }
        }
    }

    /// Does what is due. Early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.open().is_err() {
            return;
        }
        if self
            .transport
            .ice
            .poll_timeout()
            .is_some_and(|timeout| timeout.at <= now)
        {
            self.transport.ice.handle_timeout(now);
        }
        if let Some(gatherer) = self.gatherer() {
            gatherer.handle_timeout(now);
        }
        let has_path = self.transport.ice.data_path().is_some();
        if let Some(running) = self.transport.running_mut()
            && has_path
        {
            if running.endpoint.poll_timeout().is_some_and(|at| at <= now) {
                running.endpoint.handle_timeout(now);
            }
            if let Err(RoleConflict) = running.handle_role_timeout(now) {
                return self.fail(DisconnectReason::DtlsRoleConflict);
            }
        }
        self.media.handle_timeout(&mut self.output, now);
        self.pump(now);
    }

    /// Appends the next datagram to `buf` and says where it goes; `None` when nothing waits.
    /// Call it until then after each of the other calls, or when [`Timer::Output`] is due.
    #[inline]
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<Transmit> {
        let now = self.advance(now);
        let start = buf.len();
        let transmit = loop {
            let transmit = self.next_transmit(buf, start, now)?;
            if let Some(wrapped) = self.wrap(transmit, buf, start) {
                break wrapped;
            }
        };
        let datagrams = transmit
            .segment
            .map_or(1, |segment| transmit.len.div_ceil(segment.max(1)));
        self.traffic.datagrams_sent += u64::try_from(datagrams).unwrap_or_default();
        self.traffic.octets_sent += u64::try_from(transmit.len).unwrap_or_default();
        Some(transmit)
    }

    fn next_transmit(&mut self, buf: &mut Vec<u8>, start: usize, now: Instant) -> Option<Transmit> {
        let path = match self.state {
            State::Closed => return None,
            State::Closing(path) => path,
            State::New | State::Connecting | State::Connected | State::Interrupted => {
                if let Some(transmit) = self.poll_gatherer(buf, now) {
                    return Some(transmit);
                }
                if let Some(transmit) = self.transport.ice.poll_transmit(buf, now) {
                    return Some(transmit);
                }
                self.transport.ice.data_path()
            }
        };
        if let Some(path) = path
            && let Some(first) = self.write_secured(buf, now)
        {
            let len = buf.len() - start;
            let segment = (first < len).then_some(first);
            let datagrams = Transmit {
                path,
                len,
                segment,
                ecn: ortc_ice::Ecn::default(),
            };
            if let ortc_ice::Transport::Stream(_) = path.transport {
                return framed(datagrams, buf, start);
            }
            return Some(datagrams);
        }
        if matches!(self.state, State::Closing(_)) {
            // The relay had to last until here.
            if let Some(gatherer) = self.gatherer() {
                gatherer.close(now);
            }
            if let Some(transmit) = self.poll_gatherer(buf, now) {
                return Some(transmit);
            }
            self.state = State::Closed;
            self.uplink = None;
        }
        None
    }

    fn poll_gatherer(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<Transmit> {
        self.gatherer()?.poll_transmit(buf, now)
    }

    /// RTCP and media first when closing, so that BYE leaves before close_notify ends the keys'
    /// welcome; the handshake first otherwise. Says how long the first datagram is.
    fn write_secured(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<usize> {
        if matches!(self.state, State::Closing(_)) {
            return self
                .write_media(buf, now)
                .or_else(|| self.write_dtls(buf, now));
        }
        self.write_dtls(buf, now)
            .or_else(|| self.write_media(buf, now))
    }

    fn write_dtls(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<usize> {
        self.transport
            .running_mut()?
            .endpoint
            .poll_transmit(buf, now)
    }

    fn write_media(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<usize> {
        let srtp = self.transport.srtp.as_mut()?;
        self.media
            .poll_packets(buf, &mut srtp.sender, &mut self.output, now)
    }

    /// The next event.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.output.events.pop()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, at the latest; already reached
    /// when output waits, `None` when nothing will ever be due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        let due = Timeout {
            at: self.now,
            timer: Timer::Output,
        };
        let path = match self.state {
            State::Closed => return None,
            // Whatever is left leaves now, or there is nothing left.
            State::Closing(_) => return Some(due),
            State::New | State::Connecting | State::Connected | State::Interrupted => {
                self.transport.ice.data_path()
            }
        };
        if path.is_some() && self.transport.srtp.is_some() && !self.media.outbox.is_empty() {
            return Some(due);
        }
        let ice = self
            .transport
            .ice
            .poll_timeout()
            .map(|timeout| timeout.at)
            .into_iter()
            .chain(self.slot())
            .chain(self.gatherer_timeout())
            .min()
            .map(|at| (at, Timer::Ice));
        // Without a path nothing of DTLS can leave, so none of it is due.
        let running = self.transport.running().filter(|_| path.is_some());
        let dtls = running.and_then(|running| {
            running
                .endpoint
                .poll_timeout()
                .into_iter()
                .chain(running.role_timeout())
                .min()
        });
        let media = self.media.timers.next().map(|(at, key)| {
            let timer = match key {
                TimerKey::Reports => Timer::Rtcp,
                TimerKey::Receive(_) => Timer::Receive,
                TimerKey::Tones(_) => Timer::Dtmf,
            };
            (at, timer)
        });
        [ice, dtls.map(|at| (at, Timer::Dtls)), media]
            .into_iter()
            .flatten()
            .min()
            .map(|(at, timer)| Timeout { at, timer })
    }

    /// Moves what the layers have to say until they are quiet. A step answers at most once to each
    /// layer, and no layer answers itself, so it ends.
    pub(super) fn pump(&mut self, now: Instant) {
        loop {
            let mut quiet = true;
            while let Some(event) = self.gatherer().and_then(|known| known.poll_event()) {
                quiet = false;
                self.on_gathered(event);
            }
            while let Some(event) = self.transport.ice.poll_event() {
                quiet = false;
                self.on_ice(event, now);
            }
            while let Some(event) = self.next_dtls_event() {
                quiet = false;
                self.on_dtls(event, now);
            }
            if quiet || self.open().is_err() {
                break;
            }
        }
        self.use_slots(now);
    }

    /// Checks on a shared socket leave in its slots.
    fn use_slots(&mut self, now: Instant) {
        let ice = &mut self.transport.ice;
        if let Some(link) = &mut self.link {
            link.slots.run(ice.wants_slot(), now, || {
                ice.grant_slot(now);
                ice.wants_slot()
            });
        }
    }

    fn gatherer_timeout(&self) -> Option<Instant> {
        let gatherer = self.uplink.as_ref()?.gatherer.as_ref()?;
        gatherer.poll_timeout().map(|timeout| timeout.at)
    }

    /// When a check leaves on a shared socket.
    fn slot(&self) -> Option<Instant> {
        let link = self.link.as_ref()?;
        let waits = || self.transport.ice.wants_slot().then_some(self.now);
        link.slots.taken().or_else(waits)
    }

    fn next_dtls_event(&mut self) -> Option<DtlsEvent> {
        self.transport.running_mut()?.endpoint.poll_event()
    }

    fn on_ice(&mut self, event: IceEvent, now: Instant) {
        match event {
            IceEvent::ActivePair {
                local,
                remote,
                path,
            } => {
                self.claim_path(path);
                if let Some(uplink) = &mut self.uplink {
                    uplink.keep(&[path.local], now);
                }
                self.output
                    .events
                    .push(Event::ActiveCandidate(Box::new(ActivePair {
                        local: RTCIceCandidateDescription::from_candidate(&local),
                        remote: RTCIceCandidateDescription::from_candidate(&remote),
                    })));
            }
            IceEvent::Connected => {
                let lot = self.dtls_lot();
                self.transport.pair_is_valid(lot, now);
                if self.state == State::Interrupted {
                    // What gathered in between is as stale as what was dropped at its start.
                    self.media.outbox.clear_media();
                    self.state = State::Connected;
                    self.output.events.push(Event::Connected);
                    if self.transport.srtp.is_some() {
                        self.release_tones(now);
                    }
                }
            }
            IceEvent::ConsentExpired if self.state == State::Connected => {
                self.state = State::Interrupted;
                self.media.outbox.clear_media();
                self.media.outbox.forget_resends();
                let reason = DisconnectReason::ConsentExpired;
                self.output.events.push(Event::Disconnected(reason));
            }
            IceEvent::Failed => self.fail(DisconnectReason::IceFailed),
            IceEvent::OpenStream(open) => self.ask_for_stream(open, Asker::Agent),
            IceEvent::CloseStream(stream) => {
                if let Some(uplink) = &mut self.uplink {
                    uplink.disconnect(stream);
                }
                self.output.events.push(Event::CloseStream(stream));
            }
            IceEvent::Resolve { query, name } => {
                let query = query.into();
                self.output.events.push(Event::Resolve { query, name });
            }
            IceEvent::RoleChanged(role) => tracing::debug!(?role, "ICE role"),
            IceEvent::PathSuspected(path) => {
                tracing::debug!("the active path is suspected");
                self.tell_socket(SocketChange::Suspected(path));
            }
            // Consent expires only once something was connected; nothing else concerns us.
            IceEvent::ConsentExpired | IceEvent::CheckAttribute { .. } | _ => {}
        }
    }

    fn on_dtls(&mut self, event: DtlsEvent, now: Instant) {
        match event {
            DtlsEvent::Connected => {
                self.come_up();
                self.expectation = Expectation::Settled;
                self.install_keys(now);
            }
            DtlsEvent::Unverified => {
                self.come_up();
                if let Some(fingerprint) = self.remote.dtls.fingerprint.clone() {
                    self.expectation = Expectation::Asked;
                    self.output.events.push(Event::Unverified(fingerprint));
                }
            }
            // `Connected` follows.
            DtlsEvent::Verified => self.expectation = Expectation::Settled,
            DtlsEvent::ApplicationData(data) => self.output.media(Event::ApplicationData(data)),
            DtlsEvent::KeyLog(line) => {
                self.output.events.push(Event::KeyLog(line));
            }
            DtlsEvent::Closed(reason) => self.fail(DisconnectReason::Dtls(reason)),
            // ICE moves connections from path to path, so that no connection ids are negotiated; and a
            // peer that sends no more has gone, so that none is half closed.
            DtlsEvent::ConnectionId(_) | DtlsEvent::ReadClosed | _ => {}
        }
    }

    /// The handshake is done.
    fn come_up(&mut self) {
        self.remote.dtls.fingerprint = self.peer_fingerprints();
        if self.state == State::Connecting {
            self.state = State::Connected;
            self.output.events.push(Event::Connected);
        }
    }

    /// The peer is who it should be: SRTP begins, and what was held is opened.
    fn install_keys(&mut self, now: Instant) {
        let Some(running) = self.transport.running() else {
            return;
        };
        let (role, keying) = (running.role, running.endpoint.srtp_keying());
        let mut seeds = [[0; 8]; 2];
        seeds.iter_mut().for_each(|seed| self.rng.fill_bytes(seed));
        let contexts = keying
            .ok()
            .and_then(|keying| SrtpContexts::new(&keying, role, seeds));
        let Some(contexts) = contexts else {
            // A peer without use_srtp can still exchange application data.
            tracing::debug!("no SRTP profile was negotiated");
            return;
        };
        self.media.srtp_overhead = contexts.profile.rtp_overhead();
        self.transport.srtp = Some(Box::new(contexts));
        self.release_tones(now);
        let path = self.transport.ice.data_path();
        let held = self.transport.early_media.take();
        for (mut datagram, path) in held.into_iter().zip(core::iter::repeat(path)) {
            let Some(path) = path else { return };
            if let Some(layer) = layer(&datagram) {
                let datagram = Datagram {
                    path,
                    contents: &mut datagram,
                    ecn: Default::default(),
                };
                self.handle_srtp(datagram, layer, now);
            }
        }
    }

    /// A check of ours was answered there, and data leaves on it.
    fn claim_path(&mut self, path: Path) {
        self.tell_socket(SocketChange::Valid(path));
    }
}

/// Datagrams on their way to a stream.
fn framed(datagrams: Transmit, buf: &mut Vec<u8>, start: usize) -> Option<Transmit> {
    // The path MTU is far below what a frame holds.
    frame_run(buf, start, datagrams.segment).then(|| Transmit {
        len: buf.len() - start,
        segment: None,
        ..datagrams
    })
}
