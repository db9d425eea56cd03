//! One session: a publisher or a player, and its connection.

use core::error::Error as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use axum::http::StatusCode;
use ortc_core::{
    Autostart, ConnectionError, Datagram, DisconnectReason, DtlsRole, Ecn, Event, LocalCandidates,
    MediaKind, MediaStream, MediaStreamTrack, Path, RTCConnection, RTCConnectionOptions,
    RTCIceCandidateDescription, RTCTrack, RTCTrackDescription, ReceiveMode, ReceivedRtp, SendError,
    SharedSocket, UnknownTrack,
};

use crate::answer::{self, Local};
use crate::offer::{self, Agreed, MID, Remote, Section};
use crate::options::{Arguments, Ice};
use crate::refusal::Refusal;
use crate::sdp::Description;
use crate::system;

/// Packets leave as large as they came, with header extensions of this side: browsers send 1,200
/// octets of RTP, others up to 1,400. So large a datagram fits Ethernet below IPv6 (RFC 8200 §3).
const MTU: usize = 1_452;

/// How long a session waits to be connected after the client's last request: those who never are
/// make room. Of those who have gone the connection tells, lite or not.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Session {
    pub(crate) connection: RTCConnection,
    pub(crate) number: u64,
    pub(crate) room: String,
    pub(crate) part: Part,
    /// What the client calls itself.
    pub(crate) agent: String,
    /// Lines for the log.
    pub(crate) said: Vec<String>,
    /// When the client's last request came.
    heard: Instant,
    /// When it connected first.
    pub(crate) connected: Option<Instant>,
    remote_ufrag: String,
    candidates: Vec<RTCIceCandidateDescription>,
    lite: bool,
    dtls: DtlsRole,
    /// Counts ICE sessions, for the entity tag.
    restarts: u32,
}

/// What a session does in its room.
pub(crate) enum Part {
    Publisher(Publisher),
    Player(Vec<Playing>),
}

#[derive(Default)]
pub(crate) struct Publisher {
    pub(crate) sources: Vec<Source>,
    /// Packets for the players.
    pub(crate) received: Vec<ReceivedRtp>,
}

/// A track of a publisher.
pub(crate) struct Source {
    /// Its SSRC is empty until it is known.
    pub(crate) description: RTCTrackDescription,
}

/// A track of a player.
pub(crate) struct Playing {
    pub(crate) kind: MediaKind,
    pub(crate) track: RTCTrack,
    /// SSRC of the publisher's track that it sends on.
    pub(crate) source: Option<u32>,
    pub(crate) wants_key_frame: bool,
    /// Whether it was told that a packet could not be sent on.
    has_missed: bool,
}

/// What a session is made with.
pub(crate) struct Beginning<'a> {
    pub(crate) place: SharedSocket,
    pub(crate) arguments: &'a Arguments,
    pub(crate) number: u64,
    pub(crate) room: String,
    pub(crate) agent: String,
}

/// What became of a PATCH.
#[derive(Debug)]
pub(crate) enum Patched {
    /// Candidates were added.
    Trickled,
    /// ICE has begun anew: the new entity tag, and the fragment with this side's credentials.
    Restarted { etag: String, fragment: String },
}

impl Session {
    /// A session whose connection knows nothing yet. It has a place on the socket from now on, so it
    /// ends by `close`, whatever becomes of the offer.
    pub(crate) fn new(
        beginning: Beginning<'_>,
        part: Part,
        dtls: DtlsRole,
        now: Instant,
    ) -> Result<Self, Refusal> {
        let Beginning {
            place,
            arguments,
            number,
            room,
            agent,
        } = beginning;
        let seed = system::seed()
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let options = RTCConnectionOptions::new(seed)
            .wall_clock(system::wall_clock())
            .socket(place)
            .local_candidates(LocalCandidates::AtOnce)
            .ice(arguments.ice.into())
            .dtls_role(dtls)
            .capabilities(offer::capabilities())
            .mtu(MTU);
        Ok(Self {
            connection: RTCConnection::new(options, now).map_err(unusable)?,
            number,
            room,
            part,
            agent,
            said: Vec::new(),
            heard: now,
            connected: None,
            remote_ufrag: String::new(),
            candidates: Vec::new(),
            lite: arguments.ice == Ice::Lite,
            dtls,
            restarts: 0,
        })
    }

    /// Takes the sections that a publisher sends, and writes the answer.
    pub(crate) fn publish(
        &mut self,
        remote: Remote,
        sections: &[Section],
        now: Instant,
    ) -> Result<String, Refusal> {
        self.connect(remote, now)?;
        for section in sections {
            if let Some(agreed) = &section.agreed {
                self.receive(agreed.description(&section.mid), now)?;
            }
        }
        self.handle_events(now);
        Ok(self.answer(sections, |_| None))
    }

    /// Adds tracks for the sections that a player receives, and writes the answer.
    pub(crate) fn play(
        &mut self,
        remote: Remote,
        sections: &[Section],
        now: Instant,
    ) -> Result<String, Refusal> {
        self.connect(remote, now)?;
        let mut stream = MediaStream::new(self.room.as_str());
        let mut tracks = Vec::new();
        for section in sections {
            if let Some(agreed) = &section.agreed {
                let id = format!("{}-{}", self.room, agreed.kind);
                let source = MediaStreamTrack::new(agreed.kind, id.as_str(), id.as_str());
                tracks.push((stream.add_track(&source), agreed, &section.mid));
            }
        }
        let added = self.connection.add_stream(&stream, Autostart::Yes);
        added.map_err(unusable)?;
        let mut described = BTreeMap::new();
        for (source, agreed, mid) in tracks {
            described.insert(agreed.kind, self.send(&source, agreed, mid)?);
        }
        self.handle_events(now);
        Ok(self.answer(sections, |agreed| described.get(&agreed.kind)))
    }

    fn connect(&mut self, remote: Remote, now: Instant) -> Result<(), Refusal> {
        let connection = &mut self.connection;
        remote.ice.username_frag.clone_into(&mut self.remote_ufrag);
        connection
            .set_remote_fingerprint(remote.fingerprint, now)
            .map_err(unusable)?;
        connection.set_remote_lite(remote.lite, now);
        connection
            .set_remote_ice(remote.ice, now)
            .map_err(unusable)?;
        connection.connect(now).map_err(unusable)?;
        self.hear_candidates(remote.candidates.into_iter(), remote.last_candidate, now);
        self.handle_events(now);
        Ok(())
    }

    fn answer<'a>(
        &self,
        sections: &[Section],
        sent: impl Fn(&Agreed) -> Option<&'a RTCTrackDescription>,
    ) -> String {
        let local = self.connection.local();
        let fingerprint = local.dtls.fingerprint.as_ref();
        let (Some(ice), Some(fingerprint)) =
            (&local.ice, fingerprint.and_then(|all| all.get("sha-256")))
        else {
            // A connection that is open has both.
            return String::new();
        };
        let local = Local {
            number: self.number,
            ice,
            lite: self.lite,
            fingerprint: *fingerprint,
            dtls: self.dtls,
            candidates: &self.candidates,
        };
        answer::answer(&local, sections, sent)
    }

    /// Makes ready for a track of the publisher.
    fn receive(&mut self, track: RTCTrackDescription, now: Instant) -> Result<(), Refusal> {
        if !track.ssrc.is_empty() {
            self.connection
                .receive_track_as(&track, ReceiveMode::Raw, now)
                .map_err(unusable)?;
        }
        if let Part::Publisher(publisher) = &mut self.part {
            publisher.sources.push(Source { description: track });
        }
        Ok(())
    }

    /// The first packet of a track whose SSRC the offer did not say.
    fn discovered(&mut self, unknown: &UnknownTrack, now: Instant) {
        let Part::Publisher(publisher) = &mut self.part else {
            return;
        };
        let of_type = |track: &RTCTrackDescription| {
            let mut codecs = track.codecs.iter();
            codecs.any(|codec| codec.payload_id == unknown.payload_type)
        };
        let mut tracks = publisher
            .sources
            .iter_mut()
            .map(|source| &mut source.description);
        let nameless = tracks.find(|track| track.ssrc.is_empty() && of_type(track));
        if let Some(track) = nameless {
            track.ssrc = unknown.ssrc.to_string();
            if let Err(error) = self
                .connection
                .receive_track_as(track, ReceiveMode::Raw, now)
            {
                self.said
                    .push(format!("a track cannot be received: {error}"));
            }
        }
    }

    /// Adds a track for a section of a player, and describes it.
    fn send(
        &mut self,
        source: &MediaStreamTrack,
        agreed: &Agreed,
        mid: &str,
    ) -> Result<RTCTrackDescription, Refusal> {
        let connection = &mut self.connection;
        let track = connection.track(source).ok_or_else(|| {
            Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The track was not added.",
            )
        })?;
        let rtx = agreed.rtx.map(|rtx| (agreed.codec.payload_id, rtx));
        let prepare = |connection: &mut RTCConnection| {
            track.set_codecs(connection, vec![agreed.codec.clone()])?;
            track.set_rtx(connection, rtx.into_iter().collect())?;
            track.set_rtp_ext_header_ids(connection, agreed.extensions.clone())?;
            let headers = BTreeMap::from([(MID.to_owned(), mid.to_owned())]);
            track.set_rtp_ext_headers(connection, headers)?;
            track.get_description(connection)
        };
        let description = prepare(connection).map_err(unusable)?;
        if let Part::Player(tracks) = &mut self.part {
            tracks.push(Playing {
                kind: agreed.kind,
                track,
                source: None,
                wants_key_frame: false,
                has_missed: false,
            });
        }
        Ok(description)
    }

    pub(crate) fn sources(&self) -> &[Source] {
        match &self.part {
            Part::Publisher(publisher) => &publisher.sources,
            Part::Player(_) => &[],
        }
    }

    /// Lets the tracks of a player send on these sources, those that it does not yet.
    pub(crate) fn follow(&mut self, sources: &[Source]) {
        let Part::Player(tracks) = &mut self.part else {
            return;
        };
        for playing in tracks {
            let mut all = sources.iter().map(|source| &source.description);
            let source = all.find(|source| source.kind == playing.kind);
            let Some((source, ssrc)) =
                source.and_then(|source| Some((source, source.ssrc().ok()?)))
            else {
                continue;
            };
            if playing.source == Some(ssrc) {
                continue;
            }
            playing.source = Some(ssrc);
            playing.wants_key_frame = playing.kind == MediaKind::Video;
            if let Err(error) = playing.track.forward_from(&mut self.connection, source) {
                self.said.push(format!(
                    "cannot play the {} of this publisher: {error}",
                    playing.kind
                ));
            }
        }
    }

    /// The publisher has left: another may come.
    pub(crate) fn lose_source(&mut self) {
        if let Part::Player(tracks) = &mut self.part {
            tracks.iter_mut().for_each(|playing| playing.source = None);
        }
    }

    /// Sends a packet of the publisher on to the player.
    pub(crate) fn forward(&mut self, packet: &ReceivedRtp, now: Instant) {
        let Part::Player(tracks) = &mut self.part else {
            return;
        };
        let mut tracks = tracks.iter_mut();
        let Some(playing) = tracks.find(|playing| playing.source == Some(packet.ssrc)) else {
            return;
        };
        match self.connection.forward(playing.track, packet, now) {
            // It goes on with what comes once it is connected.
            Ok(_) | Err(SendError::NotConnected) => {}
            Err(error) => {
                if !core::mem::replace(&mut playing.has_missed, true) {
                    self.said.push(format!("misses packets: {error}"));
                }
            }
        }
    }

    /// The entity tag of the ICE session (RFC 9725 §4.3.1).
    pub(crate) fn etag(&self) -> String {
        format!("\"{:x}-{}\"", self.number, self.restarts)
    }

    /// Takes candidates or a restart (RFC 9725 §4.3).
    pub(crate) fn patch(
        &mut self,
        if_match: Option<&str>,
        fragment: &Description,
        now: Instant,
    ) -> Result<Patched, Refusal> {
        let if_match = if_match.ok_or_else(|| {
            Refusal::new(
                StatusCode::PRECONDITION_REQUIRED,
                "A PATCH needs If-Match, with the entity tag of the session or * for a restart.",
            )
        })?;
        let current = self.etag();
        self.heard = now;
        let mut tags = if_match.split(',').map(str::trim);
        if !tags.any(|tag| tag == "*" || tag == current) {
            return Err(Refusal::new(
                StatusCode::PRECONDITION_FAILED,
                format!("The entity tag of the session is {current} by now."),
            ));
        }
        let credentials = fragment
            .anywhere("ice-ufrag")
            .zip(fragment.anywhere("ice-pwd"));
        let fresh = credentials.filter(|(ufrag, _)| *ufrag != self.remote_ufrag);
        let restarted = match fresh {
            Some((ufrag, password)) => Some(self.restart(ufrag, password, now)?),
            None => None,
        };
        let last = fragment.anywhere("end-of-candidates").is_some();
        self.hear_candidates(fragment.candidates(), last, now);
        self.handle_events(now);
        Ok(restarted.unwrap_or(Patched::Trickled))
    }

    fn restart(&mut self, ufrag: &str, password: &str, now: Instant) -> Result<Patched, Refusal> {
        let remote = ortc_core::RTCIceConnectionInfo {
            username_frag: ufrag.to_owned(),
            password: password.to_owned(),
        };
        let local = self.connection.restart_ice(now).map_err(unusable)?;
        self.connection
            .set_remote_ice(remote, now)
            .map_err(unusable)?;
        ufrag.clone_into(&mut self.remote_ufrag);
        self.restarts += 1;
        self.said.push("ICE begins anew".to_owned());
        Ok(Patched::Restarted {
            etag: self.etag(),
            fragment: answer::fragment(&local, self.lite, &self.candidates),
        })
    }

    /// What cannot be used is passed over, as both protocols ask.
    fn hear_candidates(
        &mut self,
        candidates: impl Iterator<Item = RTCIceCandidateDescription>,
        last: bool,
        now: Instant,
    ) {
        for candidate in candidates {
            if let Err(error) = self.connection.set_remote_candidate(&candidate, now) {
                tracing::debug!(%error, "a candidate was passed over");
            }
        }
        if last {
            // Only a connection that is closed refuses it.
            let _ = self.connection.end_of_remote_candidates(now);
        }
    }

    pub(crate) fn handle_datagram(&mut self, path: Path, contents: &mut [u8], now: Instant) {
        let datagram = Datagram {
            path,
            contents,
            ecn: Ecn::default(),
        };
        self.connection.handle_datagram(datagram, now);
        // At once, so that however many datagrams wait no event is lost.
        self.handle_events(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        self.handle_events(now);
        if self.patience_ends().is_some_and(|end| now >= end) {
            self.said.push("has not connected within 30 s".to_owned());
            self.connection.close(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let connection = self.connection.poll_timeout().map(|timeout| timeout.at);
        connection.into_iter().chain(self.patience_ends()).min()
    }

    fn patience_ends(&self) -> Option<Instant> {
        let waits = self.connected.is_none() && !self.is_over();
        waits.then(|| self.heard + PATIENCE)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.connection.is_closed()
    }

    pub(crate) fn handle_events(&mut self, now: Instant) {
        while let Some(event) = self.connection.poll_event() {
            self.handle_event(event, now);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events need nothing here"
    )]
    fn handle_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Rtp(packet) => {
                if let Part::Publisher(publisher) = &mut self.part {
                    publisher.received.push(packet);
                }
            }
            Event::Candidate(candidate) if !self.candidates.contains(&candidate) => {
                self.candidates.push(*candidate);
            }
            Event::Connected => {
                self.connected.get_or_insert(now);
                self.said.push("connected".to_owned());
                self.want_key_frames(|_| true);
            }
            Event::Disconnected(reason) => {
                self.said.push(reason.to_string());
                if reason == DisconnectReason::ConsentExpired {
                    // The session ends with it (RFC 9725 §4.2).
                    self.connection.close(now);
                }
            }
            Event::ReceiveCodec { codec, .. } => {
                self.said.push(format!("sends {}", codec.name));
            }
            Event::UnknownTrack(unknown) => self.discovered(&unknown, now),
            Event::KeyFrameRequested(track) => self.want_key_frames(|of| of == track),
            _ => {}
        }
    }

    fn want_key_frames(&mut self, of: impl Fn(RTCTrack) -> bool) {
        if let Part::Player(tracks) = &mut self.part {
            for playing in tracks.iter_mut().filter(|playing| of(playing.track)) {
                playing.wants_key_frame = playing.kind == MediaKind::Video;
            }
        }
    }
}

/// The stack does not take what the offer says.
fn unusable(error: ConnectionError) -> Refusal {
    let mut text = format!("The offer cannot be used: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    Refusal::new(StatusCode::NOT_ACCEPTABLE, text + ".")
}
