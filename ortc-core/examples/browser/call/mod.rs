//! One page's call: its connection, what it is sent, and what becomes of what it sends.

mod copies;

use core::error::Error;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use ortc_core::dtls::Version;
use ortc_core::dtls::wire::NamedGroup;
use ortc_core::{
    Autostart, Datagram, DescriptionForm, DisconnectReason, DtlsRole, DtmfContainer, Ecn, Event,
    LocalCandidates, MediaKind, MediaStream, MediaStreamTrack, Path, PeerVerification, RTCCodec,
    RTCConnection, RTCConnectionOptions, RTCDTMFHandler, RTCTrack, RTCTrackDescription,
    RTCTrackFilter, ReceiveMode, ReceivedFrame, ReceivedRtp, SharedSocket,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, error::TrySendError};

use self::copies::{Copy, Received, codec_first};
use crate::figures::Figures;
use crate::film::{Films, Projector};
use crate::options::{Arguments, Ice};
use crate::record::Recorder;
use crate::source::Format;
use crate::system;

/// What is the same for all calls.
pub(crate) struct Settings {
    out: PathBuf,
    dtls: DtlsRole,
    ice: ortc_core::ice::Config,
    lite: bool,
    versions: Vec<Version>,
    groups: Vec<NamedGroup>,
    verification: PeerVerification,
}

impl From<&Arguments> for Settings {
    fn from(arguments: &Arguments) -> Self {
        Self {
            out: arguments.out.clone(),
            dtls: arguments.dtls.into(),
            ice: arguments.ice.into(),
            lite: arguments.ice == Ice::Lite,
            verification: match arguments.trust_first {
                true => PeerVerification::TrustFirst,
                false => PeerVerification::default(),
            },
            versions: match arguments.dtls_version {
                Some(only) => vec![only.into()],
                None => vec![Version::DTLS13, Version::DTLS12],
            },
            groups: match arguments.post_quantum {
                true => [&[NamedGroup::X25519MLKEM768], GROUPS].concat(),
                false => GROUPS.to_vec(),
            },
        }
    }
}

/// What browsers have in common for the key exchange.
const GROUPS: &[NamedGroup] = &[NamedGroup::X25519, NamedGroup::SECP256R1];

/// A tone of the default length with its gap, and some time to spare (draft §4.2.2.1).
const TONE: Duration = Duration::from_millis(200);

/// Packets of a page leave for others as large as they came, with header extensions of this side.
const MTU: usize = 1_300;

/// A page that has not said within this that it is ready for a track will not say so: the draft's
/// example does not.
const READY: Duration = Duration::from_secs(2);

/// Whether a page hears itself or others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    Alone,
    Room,
}

pub(crate) struct Call {
    pub(crate) connection: RTCConnection,
    number: u64,
    texts: mpsc::Sender<String>,
    company: Company,
    out: PathBuf,
    /// The page's tracks by SSRC.
    described: BTreeMap<u32, RTCTrackDescription>,
    films: Vec<(RTCTrack, Projector)>,
    /// What comes back to the page, and what of others goes to it: by call and SSRC of the source.
    copies: BTreeMap<(u64, u32), Copy>,
    /// Sources that the page cannot receive, as far as it has said.
    refused: BTreeSet<(u64, u32)>,
    tones: Option<RTCDTMFHandler>,
    /// Tracks that the page was told of and is not known to be ready for, and since when.
    unready: Vec<(Instant, RTCTrack)>,
    /// The speech waits while tones are sent: nobody can hear both.
    silent_until: Instant,
    lite: bool,
    recorders: BTreeMap<u32, Recorder>,
    /// Packets for the others of the room.
    received: Vec<ReceivedRtp>,
    figures: Figures,
}

impl Call {
    pub(crate) fn new(
        place: SharedSocket,
        settings: &Settings,
        company: Company,
        (number, texts): (u64, mpsc::Sender<String>),
        now: Instant,
    ) -> Result<Self, Box<dyn Error>> {
        let options = RTCConnectionOptions::new(system::seed()?)
            .wall_clock(system::wall_clock())
            .socket(place)
            .local_candidates(LocalCandidates::AtOnce)
            .ice(settings.ice.clone())
            .dtls_versions(settings.versions.clone())
            .dtls_groups(settings.groups.clone())
            .dtls_role(settings.dtls)
            .peer_verification(settings.verification)
            .mtu(MTU)
            .descriptions(DescriptionForm::Extended);
        Ok(Self {
            connection: RTCConnection::new(options, now)?,
            number,
            texts,
            company,
            out: settings.out.clone(),
            described: BTreeMap::new(),
            films: Vec::new(),
            copies: BTreeMap::new(),
            refused: BTreeSet::new(),
            tones: None,
            unready: Vec::new(),
            silent_until: now,
            lite: settings.lite,
            recorders: BTreeMap::new(),
            received: Vec::new(),
            figures: Figures::default(),
        })
    }

    /// What the page has to know first (draft §9.1).
    pub(crate) fn introduce(&mut self, now: Instant) {
        let ice = self.connection.local().ice.clone();
        let mut ice = json!(ice);
        if let Some(members) = ice.as_object_mut().filter(|_| self.lite) {
            members.insert("lite".to_owned(), json!(true));
        }
        self.tell(&json!({ "iceInfo": ice }));
        self.handle_events(now);
    }

    fn tell(&mut self, message: &Value) {
        // A page that has left needs not be told.
        if let Err(TrySendError::Full(_)) = self.texts.try_send(message.to_string()) {
            self.say("the page does not read what it is told");
        }
    }

    fn say(&self, text: &str) {
        println!("call {}: {text}", self.number);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.connection.is_closed()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let connection = self.connection.poll_timeout().map(|timeout| timeout.at);
        let films = self.films.iter().map(|(_, film)| film.due());
        let unready = self.unready.iter().map(|(told, _)| *told + READY);
        let media = films.chain(unready);
        let media = media.filter(|_| self.connection.is_connected());
        connection.into_iter().chain(media).min()
    }

    pub(crate) fn handle_datagram(&mut self, path: Path, contents: &mut [u8], now: Instant) {
        let ecn = Ecn::default();
        self.connection.handle_datagram(
            Datagram {
                path,
                contents,
                ecn,
            },
            now,
        );
        // At once, so that however many datagrams wait no event is lost.
        self.handle_events(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        self.start_late(now);
        for (track, film) in &mut self.films {
            while let Some(frame) = film.next(now) {
                if now < self.silent_until && film.is_sound() {
                    continue;
                }
                // A film whose page is not connected goes on unseen.
                let _ = self.connection.send_frame(*track, &frame, now);
            }
        }
        self.handle_events(now);
    }

    /// Takes what the page signals; what cannot be used is told and changes nothing.
    pub(crate) fn handle_text(&mut self, text: &str, films: &Films, now: Instant) {
        if let Err(error) = self.try_text(text, films, now) {
            self.say(&error.to_string());
            self.tell(&json!({ "error": error.to_string() }));
        }
        self.handle_events(now);
    }

    fn try_text(&mut self, text: &str, films: &Films, now: Instant) -> Result<(), Box<dyn Error>> {
        let mut message: Value = serde_json::from_str(text)?;
        if let Some(ice) = message.get_mut("iceInfo").map(Value::take) {
            self.connection
                .set_remote_ice(serde_json::from_value(ice)?, now)?;
            self.connection.connect(now)?;
        }
        if let Some(candidate) = message.get_mut("candidate").map(Value::take) {
            let candidate = serde_json::from_value(candidate)?;
            self.connection.set_remote_candidate(&candidate, now)?;
        }
        if let Some(track) = message.get_mut("track").map(Value::take) {
            self.hear_track(serde_json::from_value(track)?, films, now)?;
        }
        if let Some(tones) = message.get("dial").and_then(Value::as_str) {
            let handler = self.tones.ok_or("the page has no audio track with tones")?;
            handler.insert_dtmf(&mut self.connection, tones, None, None, now)?;
            let count = u32::try_from(tones.len()).unwrap_or(u32::MAX);
            self.silent_until = now + TONE.saturating_mul(count) + TONE;
        }
        if let Some(ssrc) = message.get("ready").and_then(Value::as_str) {
            self.start(ssrc)?;
        }
        if message.get("hangUp").is_some() {
            self.connection.close(now);
        }
        Ok(())
    }

    /// The page sends a track: it is received, sent back, and answered with a clip of its kind.
    fn hear_track(
        &mut self,
        track: RTCTrackDescription,
        films: &Films,
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        let ssrc = track.ssrc()?;
        let mode = match self.company {
            Company::Alone => ReceiveMode::Frames,
            Company::Room => ReceiveMode::Both,
        };
        self.connection.receive_track_as(&track, mode, now)?;
        let news = self.described.insert(ssrc, track.clone()).is_none();
        if !news {
            return Ok(());
        }
        self.refused.clear();
        self.say(&format!("the page sends {} {ssrc}", track.kind));
        let known = self.described.values();
        let first = known.filter(|known| known.kind == track.kind).count() == 1;
        if first && let Some((codec, film)) = films.start(&track.codecs, now) {
            let sent = self.add_track("film", &track, &codec, now)?;
            self.films.push((sent, film));
        }
        Ok(())
    }

    /// Starts the tracks that the page says nothing of.
    fn start_late(&mut self, now: Instant) {
        if !self.connection.is_connected() {
            // Nobody can be ready yet.
            self.unready.iter_mut().for_each(|(told, _)| *told = now);
        }
        let late = |(told, _): &mut (Instant, RTCTrack)| now >= *told + READY;
        let late: Vec<_> = self.unready.extract_if(.., late).collect();
        for (_, track) in late {
            // One that was removed again needs no start.
            let _ = track.start(&mut self.connection);
        }
    }

    /// The page is ready for one of our tracks.
    fn start(&mut self, ssrc: &str) -> Result<(), Box<dyn Error>> {
        let tracks = self.connection.tracks(&RTCTrackFilter::default());
        let named = tracks.iter().find(|track| track.ssrc().to_string() == ssrc);
        let track = *named.ok_or("no such track")?;
        self.unready.retain(|(_, unready)| *unready != track);
        let copy = self.copies.values_mut().find(|copy| copy.track == track);
        if let Some(copy) = copy {
            // What came before went nowhere.
            copy.wants_key_frame = true;
        }
        Ok(track.start(&mut self.connection)?)
    }

    /// Sends one more track, in the payload types and with the repairs of the page's own.
    fn add_track(
        &mut self,
        name: &str,
        like: &RTCTrackDescription,
        codec: &RTCCodec,
        now: Instant,
    ) -> Result<RTCTrack, Box<dyn Error>> {
        let connection = &mut self.connection;
        let id = format!("{name}-{}", like.kind);
        let mut stream = MediaStream::new(id.as_str());
        let source = stream.add_track(&MediaStreamTrack::new(like.kind, id.as_str(), name));
        // It starts when the page is ready for it.
        connection.add_stream(&stream, Autostart::No)?;
        let track = connection.track(&source).ok_or("the track was not added")?;
        let dials = like.kind == MediaKind::Audio && self.tones.is_none();
        let mut codecs = codec_first(&like.codecs, codec);
        if dials {
            codecs.extend(like.codecs.iter().filter(|codec| codec.is_dtmf()).cloned());
        }
        track.set_codecs(connection, codecs)?;
        track.set_msid(connection, vec![name.to_owned()])?;
        if let Some(ids) = &like.rtp_ext_header_ids {
            track.set_rtp_ext_header_ids(connection, ids.clone())?;
        }
        if let Some(rtx) = &like.rtx {
            track.set_rtx(connection, rtx.payload_ids.clone())?;
        }
        if dials {
            self.tones = Some(connection.add_dtmf_handler(DtmfContainer::First)?);
        }
        let description = track.get_description(connection)?;
        self.tell(&json!({ "track": description }));
        self.unready.push((now, track));
        Ok(track)
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
            Event::Candidate(candidate) => self.tell(&json!({ "candidate": candidate })),
            Event::Connected => {
                self.say("connected");
                self.tell(&json!({ "connected": true }));
            }
            Event::ActiveCandidate(pair) => {
                let (ours, theirs) = (&pair.local, &pair.remote);
                let address = |side: &ortc_core::RTCIceCandidateDescription| {
                    format!(
                        "{} {}:{}",
                        side.kind, side.connection_address, side.connection_port
                    )
                };
                self.say(&format!(
                    "talks over {} - {}",
                    address(ours),
                    address(theirs)
                ));
            }
            Event::Disconnected(reason) => {
                self.say(&reason.to_string());
                if reason != DisconnectReason::ConsentExpired {
                    self.tell(&json!({ "disconnected": reason.to_string() }));
                }
            }
            Event::Dtmf { tone, .. } => {
                self.say(&format!("the page dials {tone}"));
                self.tell(&json!({ "heard": tone }));
            }
            Event::UnknownTrack(track) => {
                // Which id means what the description would have said.
                let headers = json!(track.rtp_ext_headers);
                self.say(&format!("nobody described {}: {headers}", track.ssrc));
            }
            Event::KeyFrameRequested(track) => self.key_frame_requested(track, now),
            Event::TrackConnected(track) => self.say(&format!("{} arrives", track.label())),
            Event::Frame(frame) => self.handle_frame(frame, now),
            Event::Rtp(packet) if self.company == Company::Room => self.received.push(packet),
            Event::Gap(gap) => self.request_key_frame(gap.ssrc, now),
            _ => {}
        }
    }

    fn handle_frame(&mut self, frame: ReceivedFrame, now: Instant) {
        let Some(track) = self.described.get(&frame.ssrc) else {
            return;
        };
        let kind = track.kind;
        let codec = track
            .codecs
            .iter()
            .find(|codec| codec.payload_id == frame.payload_type);
        let Some(codec) = codec.cloned() else { return };
        self.record(&frame, &codec, now);
        if self.company == Company::Alone {
            self.echo(&Received { kind, codec, frame }, now);
        }
    }

    fn record(&mut self, frame: &ReceivedFrame, codec: &RTCCodec, now: Instant) {
        let Some(format) = Format::of(&codec.name) else {
            return;
        };
        if !self.recorders.contains_key(&frame.ssrc) {
            if format != Format::Opus && !frame.key_frame {
                return self.request_key_frame(frame.ssrc, now);
            }
            let name = format!("call-{}-{}", self.number, frame.ssrc);
            match Recorder::create(&self.out, &name, format, &frame.payload) {
                Ok(recorder) => drop(self.recorders.insert(frame.ssrc, recorder)),
                Err(error) => return self.say(&format!("cannot record: {error}")),
            }
        }
        if let Some(recorder) = self.recorders.get_mut(&frame.ssrc)
            && let Err(error) = recorder.write(frame)
        {
            self.say(&format!("cannot record: {error}"));
        }
    }

    pub(crate) fn tell_figures(&mut self, now: Instant) {
        if self.connection.is_connected() {
            let figures = self.figures.of(&self.connection, now);
            self.tell(&json!({ "figures": figures }));
        }
    }

    /// Closes the files.
    pub(crate) fn finish(&mut self) {
        for recorder in core::mem::take(&mut self.recorders).into_values() {
            if let Err(error) = recorder.finish() {
                self.say(&format!("cannot finish a recording: {error}"));
            }
        }
        self.say("over");
    }
}
