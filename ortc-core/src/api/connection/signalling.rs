//! What the two sides tell each other before media: candidates, credentials, fingerprints.

use std::time::Instant;

use ortc_dtls::Fingerprint;
use ortc_ice::Credentials;
use rand_core::Rng;

use crate::media::Control;

use super::super::description::RTCIceCandidateDescription;
use super::super::error::{ConnectionError, DescriptionError, DtlsError};
use super::super::event::DisconnectReason;
use super::super::side::RTCIceConnectionInfo;
use super::super::socket::{RTCSocket, Slots, SocketChange, SocketUpdate};
use super::{Applied, Expectation, Link, RTCConnection, State};

impl RTCConnection {
    /// Applies a candidate that [`Event::Candidate`](crate::Event::Candidate) told of (draft `setLocalCandidate`): from now
    /// on it takes part in checks.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownLocalCandidate`] when it was not discovered here,
    /// [`ConnectionError::Ice`] when the agent holds as many as it may.
    #[doc(alias = "setLocalCandidate")]
    pub fn set_local_candidate(
        &mut self,
        candidate: &RTCIceCandidateDescription,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        let mut discovered = self.gathering.discovered.iter_mut();
        let found = discovered.find(|known| known.description == *candidate);
        let known = found.ok_or(ConnectionError::UnknownLocalCandidate)?;
        if known.applied == Applied::No {
            self.transport
                .ice
                .add_local_candidate(known.candidate.clone(), now)?;
            known.applied = Applied::Yes;
        }
        self.pump(now);
        self.claim_paths();
        Ok(())
    }

    /// Adds a candidate of the peer (draft `setRemoteCandidate`), before or after `connect`. When it
    /// hides its address behind a `.local` name, [`Event::Resolve`](crate::Event::Resolve) asks for that.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Description`] when it cannot be read or used, [`ConnectionError::Ice`]
    /// when the agent holds as many as it may.
    #[doc(alias = "setRemoteCandidate")]
    pub fn set_remote_candidate(
        &mut self,
        candidate: &RTCIceCandidateDescription,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        self.check_dtls(candidate.dtls.as_deref())?;
        let ice = &mut self.transport.ice;
        if candidate.is_named() {
            ice.add_remote_name(candidate.to_named_candidate()?, now)?;
        } else {
            let candidate = candidate.to_candidate()?;
            let address = candidate.address();
            // Before the check leaves, so that a relay lets its answer through.
            self.transport.ice.add_remote_candidate(candidate, now)?;
            self.claim_paths_to(address);
        }
        self.pump(now);
        self.take_dtls(candidate.dtls.as_deref(), now)
    }

    /// Says that the peer has no more candidates (RFC 8838 §9): if no pair works, the failure is
    /// known sooner. Without it the timer of RFC 8863 decides.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Closed`].
    pub fn end_of_remote_candidates(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        self.transport.ice.end_of_remote_candidates(now);
        self.pump(now);
        Ok(())
    }

    /// Sets the peer's ICE information (draft `remote.ice`). Before `connect` it may be set again;
    /// after it, other credentials are the peer's restart (RFC 8445 §9).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Description`] for credentials that break RFC 8839 §5.4.
    pub fn set_remote_ice(
        &mut self,
        ice: RTCIceConnectionInfo,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        let credentials = Credentials::new(ice.username_frag.as_str(), ice.password.as_str())
            .map_err(DescriptionError::Credentials)?;
        self.transport
            .ice
            .set_remote_credentials(credentials, now)?;
        self.tell_socket(SocketChange::RemoteUfrag(ice.username_frag.clone()));
        self.remote.ice = Some(ice);
        self.pump(now);
        Ok(())
    }

    /// Says whose certificate the peer must have, by any hash of RFC 8122, before, during or after
    /// the handshake; a second call replaces what was said. A mismatch ends the connection with no
    /// key exported.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Dtls`] when the peer has already shown another certificate: the
    /// connection has ended then, for this reason.
    pub fn set_remote_fingerprint(
        &mut self,
        fingerprint: Fingerprint,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        let set = self.transport.expect(fingerprint).map_err(DtlsError);
        self.expectation = Expectation::Settled;
        // A mismatch has ended the association, which is an event as well.
        self.pump(now);
        Ok(set?)
    }

    /// Takes the fingerprint that the peer showed: media begins to flow.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NothingToAccept`] unless [`Event::Unverified`](crate::Event::Unverified) was told.
    pub fn accept_remote_fingerprint(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        let Some(running) = self.transport.running_mut() else {
            return Err(ConnectionError::NothingToAccept);
        };
        if self.expectation != Expectation::Asked {
            return Err(ConnectionError::NothingToAccept);
        }
        running
            .endpoint
            .accept_peer()
            .map_err(|_| ConnectionError::NothingToAccept)?;
        self.expectation = Expectation::Settled;
        self.pump(now);
        Ok(())
    }

    /// Starts to connect (draft `connect`). Candidates that come later are considered too.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NoRemoteIce`] before `set_remote_ice`,
    /// [`ConnectionError::AlreadyConnecting`] the second time.
    pub fn connect(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.open()?;
        if self.state != State::New {
            return Err(ConnectionError::AlreadyConnecting);
        }
        if self.remote.ice.is_none() {
            return Err(ConnectionError::NoRemoteIce);
        }
        let now = self.advance(now);
        self.transport.ice.connect(now)?;
        self.state = State::Connecting;
        self.pump(now);
        Ok(())
    }

    /// Says whether the peer is a lite agent (RFC 8445 §2.5), as its signalling told; before
    /// `connect`, or when a restart changes it. Our own side is lite with
    /// [`ortc_ice::Config::lite`].
    pub fn set_remote_lite(&mut self, lite: bool, now: Instant) {
        let now = self.advance(now);
        self.transport.ice.set_remote_lite(lite);
        self.pump(now);
    }

    /// Says whether the peer offers the ICE option `renomination`, as its signalling told; ours is
    /// [`ortc_ice::Config::renomination`].
    pub fn set_remote_renomination(&mut self, offered: bool, now: Instant) {
        let now = self.advance(now);
        self.transport.ice.set_remote_renomination(offered);
        self.pump(now);
    }

    /// Restarts ICE (RFC 8445 §9), our extension: signal the new credentials and the candidates.
    /// The old path and DTLS stay until a new pair is valid.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Closed`].
    pub fn restart_ice(&mut self, now: Instant) -> Result<RTCIceConnectionInfo, ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        let credentials = self.transport.ice.restart(now);
        let ice = RTCIceConnectionInfo {
            username_frag: credentials.ufrag().to_owned(),
            password: credentials.password().to_owned(),
        };
        self.local.ice = Some(ice.clone());
        self.tell_socket(SocketChange::Credentials(credentials));
        self.pump(now);
        Ok(ice)
    }

    /// Closes the connection (draft `close`): RTCP BYE and close_notify are queued, one last event
    /// is told; then there is no deadline and everything that comes is ignored. A second call does
    /// nothing.
    pub fn close(&mut self, now: Instant) {
        if self.open().is_err() {
            return;
        }
        let now = self.advance(now);
        let path = self.transport.ice.data_path();
        // Tracks that were removed just now have said theirs, and it waits.
        let waiting = core::mem::take(&mut self.media.outbox.control);
        self.finish(State::Closing(path), DisconnectReason::Closed);
        let goodbyes = waiting.into_iter();
        let goodbyes = goodbyes.filter(|control| matches!(control, Control::Bye { .. }));
        self.media.outbox.control.extend(goodbyes);
        let sent = self
            .media
            .senders
            .iter()
            .filter(|(_, track)| track.stream.has_sent());
        let goodbyes: Vec<u32> = sent.map(|(_, track)| track.ssrc).collect();
        for ssrc in goodbyes {
            self.media.outbox.push_control(Control::Bye { ssrc });
        }
        if let Some(running) = self.transport.running_mut() {
            running.endpoint.close(now);
        }
        self.transport.ice.close();
    }

    /// Hands out the local socket (draft `getLocalSocket`), so that other connections can share
    /// it: make them with [`RTCSocket::fork`] or [`RTCSocket::admit`]. From then on the embedder
    /// asks the socket where each datagram belongs. Servers and relays go with it: what the
    /// connection asked for them ([`Event::Resolve`](crate::Event::Resolve), [`Event::OpenStream`](crate::Event::OpenStream)) is answered there.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::SocketTaken`] when it was handed out before, or came from the options.
    #[doc(alias = "getLocalSocket")]
    pub fn get_local_socket(&mut self) -> Result<RTCSocket, ConnectionError> {
        self.open()?;
        if self.link.is_some() {
            return Err(ConnectionError::SocketTaken);
        }
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let credentials = self.transport.ice.local_credentials().clone();
        let addresses = core::mem::take(&mut self.gathering.addresses);
        let gatherer = self.uplink.as_mut().and_then(|up| up.gatherer.take());
        let (socket, place) = RTCSocket::of(
            addresses,
            self.certificate.clone(),
            credentials,
            gatherer,
            seed,
            self.now,
        );
        self.transport.ice.share_socket(place.tag);
        self.gathering.shared = place.candidates;
        self.link = Some(Link {
            id: place.id,
            updates: std::collections::VecDeque::new(),
            slots: Slots::new(place.slots),
        });
        if let Some(ice) = &self.remote.ice {
            let ufrag = ice.username_frag.clone();
            self.tell_socket(SocketChange::RemoteUfrag(ufrag));
        }
        self.claim_paths();
        if let Some(path) = self.transport.ice.data_path() {
            self.tell_socket(SocketChange::Valid(path));
        }
        Ok(socket)
    }

    /// This connection's name on the shared socket, which [`Route`](super::super::Route) gives;
    /// `None` while it owns its socket.
    #[must_use]
    pub fn socket_id(&self) -> Option<super::ConnectionId> {
        self.link.as_ref().map(|link| link.id)
    }

    /// The next thing that the shared socket must know; carry it to [`RTCSocket::handle_update`].
    pub fn poll_socket_update(&mut self) -> Option<SocketUpdate> {
        self.link.as_mut()?.updates.pop_front()
    }
}
