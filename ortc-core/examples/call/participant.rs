//! One side of one call: a connection, what it sends, and where what it receives goes.

use core::error::Error;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use ortc_core::{
    Autostart, CertificateFingerprint, Datagram, DisconnectReason, DtmfContainer, Ecn, Event,
    Frame, MediaKind, MediaStream, MediaStreamTrack, Path, RTCConnection,
    RTCIceCandidateDescription, RTCTrack, RTCTrackDescription, SendTrackStats,
};

use crate::dialler::Dialler;
use crate::duties::{Description, Duties, HangUp, Tones};
use crate::lossy::LossySocket;
use crate::report::{Dtls, Report, SentTrack, milliseconds};
use crate::signalling::{Message, Recording, send};
use crate::sink::Sink;
use crate::source::{Clip, Format, TimedFrame, load};

/// How long the side that hangs up waits after the last frame: for what is still repaired.
const LINGER: Duration = Duration::from_secs(1);
/// When a side gives up to connect: beyond what the call may take, so that it has failed already.
const PATIENCE: Duration = Duration::from_secs(6);

/// One side of one call.
pub(crate) struct Participant {
    pub(crate) connection: RTCConnection,
    duties: Duties,
    sending: Vec<Sending>,
    sinks: BTreeMap<u32, Sink>,
    /// What was told of tracks that are not described yet.
    recordings: BTreeMap<u32, Recording>,
    dialler: Option<Dialler>,
    phase: Phase,
    /// Whether the other side has sent everything.
    peer_done: bool,
    began: Instant,
    connecting: Option<Instant>,
    report: Report,
}

enum Phase {
    Connecting,
    /// Media flows.
    Talking {
        since: Instant,
    },
    /// Everything was sent and signalled as such.
    Done {
        hang_up: Option<Instant>,
    },
    Over,
}

struct Sending {
    format: Format,
    track: RTCTrack,
    waiting: VecDeque<TimedFrame>,
    sent: u64,
    duration: Duration,
}

impl Participant {
    /// Adds what it sends to the connection and signals its side of the description.
    pub(crate) fn new(
        mut connection: RTCConnection,
        duties: Duties,
        port: u16,
        now: Instant,
    ) -> Result<Self, Box<dyn Error>> {
        let mut stream = MediaStream::new(format!("{}-files", duties.file_name));
        let mut clips = Vec::new();
        for &format in &duties.formats {
            let source = MediaStreamTrack::new(format.kind(), format.codec(), format.codec());
            let track = stream.add_track(&source);
            clips.push((format, track, load(format, duties.limit)?));
        }
        connection.add_stream(&stream, Autostart::Yes)?;
        let mut sending = Vec::new();
        let mut recordings = Vec::new();
        for (format, source, clip) in clips {
            let track = connection.track(&source).ok_or("a track was not added")?;
            let mut codecs = track.codecs(&connection)?.to_vec();
            codecs.sort_by_key(|codec| Format::of(&codec.name) != Some(format));
            track.set_codecs(&mut connection, codecs)?;
            recordings.extend(recording(track, &clip));
            sending.push(Sending {
                format,
                track,
                sent: 0,
                duration: clip.frames.last().map_or(Duration::ZERO, |last| last.due),
                waiting: clip.frames.into(),
            });
        }
        let dialler = match duties.tones {
            Tones::Dials => Some(Dialler::new(
                connection.add_dtmf_handler(DtmfContainer::First)?,
            )),
            Tones::Listens => None,
        };
        let report = Report {
            who: duties.who.clone(),
            answer: duties.answer,
            port,
            ..Report::default()
        };
        let participant = Self {
            connection,
            duties,
            sending,
            sinks: BTreeMap::new(),
            recordings: BTreeMap::new(),
            dialler,
            phase: Phase::Connecting,
            peer_done: false,
            began: now,
            connecting: None,
            report,
        };
        participant.describe(recordings)?;
        Ok(participant)
    }

    fn describe(&self, recordings: Vec<Recording>) -> Result<(), Box<dyn Error>> {
        if self.duties.description == Description::Own {
            let local = self.connection.local();
            let sha256 = local
                .dtls
                .fingerprint
                .as_ref()
                .and_then(|set| set.get("sha-256"));
            send(&Message {
                fingerprint: sha256.cloned().map(CertificateFingerprint::new),
                ..Message::default()
            })?;
            send(&Message {
                ice_info: local.ice.clone(),
                ..Message::default()
            })?;
        }
        // Before the tracks: the first frame of a described track may come at once.
        for recording in recordings {
            send(&Message {
                recording: Some(recording),
                answer: self.duties.answer,
                ..Message::default()
            })?;
        }
        for sending in &self.sending {
            send(&Message {
                track: Some(sending.track.get_description(&self.connection)?),
                answer: self.duties.answer,
                ..Message::default()
            })?;
        }
        Ok(())
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Takes a message as the draft's section 9.1 does.
    pub(crate) fn handle_message(
        &mut self,
        message: Message,
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        if self.is_over() {
            return Ok(());
        }
        if let Some(fingerprint) = message.fingerprint.as_ref().and_then(|set| set.strongest()) {
            self.connection.set_remote_fingerprint(*fingerprint, now)?;
            self.report.verified = Some(format!("{} {fingerprint}", fingerprint.algorithm()));
        }
        if let Some(ice) = message.ice_info {
            self.connection.set_remote_ice(ice, now)?;
            self.connection.connect(now)?;
            self.connecting = Some(now);
        }
        if let Some(candidate) = message.candidate {
            self.connection.set_remote_candidate(&candidate, now)?;
            self.report.remote_candidates.push(show(&candidate));
        }
        if let Some(track) = message.track {
            self.receive(&track, now)?;
        }
        if let Some(recording) = message.recording {
            self.recordings.insert(recording.ssrc.parse()?, recording);
        }
        self.peer_done |= message.done == Some(true);
        Ok(())
    }

    fn receive(&mut self, track: &RTCTrackDescription, now: Instant) -> Result<(), Box<dyn Error>> {
        self.connection.receive_track(track, now)?;
        let format = track
            .codecs
            .first()
            .and_then(|codec| Format::of(&codec.name));
        let format = format.ok_or("the peer's first codec is none that goes into a file")?;
        let ssrc = track.ssrc()?;
        let recording = self.recordings.remove(&ssrc);
        let sink = Sink::new(
            format,
            &self.duties.folder,
            self.duties.file_name,
            recording,
        );
        self.sinks.insert(ssrc, sink);
        Ok(())
    }

    pub(crate) fn handle_datagram(&mut self, path: Path, contents: &mut [u8], now: Instant) {
        let ecn = Ecn::default();
        let datagram = Datagram {
            path,
            contents,
            ecn,
        };
        self.connection.handle_datagram(datagram, now);
    }

    /// When something is due: of the connection, a frame, a tone, the end of the call.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let own = match &self.phase {
            Phase::Talking { since } => {
                let frames = self
                    .sending
                    .iter()
                    .filter_map(|sending| Some(*since + sending.waiting.front()?.due));
                let tones = self.dialler.as_ref().and_then(Dialler::poll_timeout);
                frames.chain(tones).min()
            }
            Phase::Done { hang_up } => *hang_up,
            Phase::Connecting => self.connecting.map(|since| since + PATIENCE),
            Phase::Over => None,
        };
        let connection = self.connection.poll_timeout().map(|timeout| timeout.at);
        own.into_iter().chain(connection).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        self.connection.handle_timeout(now);
        match self.phase {
            Phase::Talking { since } => self.talk(since, now)?,
            Phase::Done { hang_up: None }
                if self.peer_done && self.duties.hang_up == HangUp::WhenBothAreDone =>
            {
                self.phase = Phase::Done {
                    hang_up: Some(now + LINGER),
                };
            }
            Phase::Done { hang_up: Some(at) } if at <= now => self.connection.close(now),
            Phase::Connecting if self.connecting.is_some_and(|since| since + PATIENCE <= now) => {
                self.say("gives up to connect", now);
                self.connection.close(now);
            }
            Phase::Connecting | Phase::Done { .. } | Phase::Over => {}
        }
        Ok(())
    }

    fn talk(&mut self, since: Instant, now: Instant) -> Result<(), Box<dyn Error>> {
        for sending in &mut self.sending {
            let due = |next: &TimedFrame| since + next.due <= now;
            while sending.waiting.front().is_some_and(due) {
                let Some(next) = sending.waiting.pop_front() else {
                    break;
                };
                let frame = Frame::new(next.payload, next.time);
                self.connection.send_frame(sending.track, &frame, now)?;
                sending.sent += 1;
            }
        }
        if let Some(dialler) = &mut self.dialler {
            dialler.handle_timeout(&mut self.connection, now)?;
        }
        let frames_sent = self
            .sending
            .iter()
            .all(|sending| sending.waiting.is_empty());
        if frames_sent && self.dialler.as_ref().is_none_or(Dialler::is_done) {
            self.phase = Phase::Done { hang_up: None };
            self.say("everything is sent", now);
            send(&Message {
                done: Some(true),
                answer: self.duties.answer,
                ..Message::default()
            })?;
        }
        Ok(())
    }

    /// Sends what waits and takes the events.
    pub(crate) fn flush(
        &mut self,
        socket: &mut LossySocket,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        loop {
            while let Some(event) = self.connection.poll_event() {
                self.on_event(event, socket, now)?;
            }
            buf.clear();
            let Some(transmit) = self.connection.poll_transmit(buf, now) else {
                return Ok(());
            };
            socket.send_to(buf, transmit.path.remote);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events are for applications of other kinds"
    )]
    fn on_event(
        &mut self,
        event: Event,
        socket: &LossySocket,
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        match event {
            Event::Candidate(candidate) => {
                self.connection.set_local_candidate(&candidate, now)?;
                self.report.local_candidates.push(show(&candidate));
                if self.duties.description == Description::Own {
                    send(&Message {
                        candidate: Some(*candidate),
                        ..Message::default()
                    })?;
                }
            }
            Event::ActiveCandidate(pair) => {
                let pair = format!("{} - {}", show(&pair.local), show(&pair.remote));
                self.say(&format!("active pair {pair}"), now);
                self.report.active_pair = Some(pair);
            }
            Event::Connected => self.connected(now),
            Event::Unverified(_) => {
                self.report.verified = None;
                return Err("the peer is connected and its fingerprint was not signalled".into());
            }
            Event::Disconnected(reason) => {
                self.say(&reason.to_string(), now);
                if reason != DisconnectReason::ConsentExpired {
                    self.end(&reason.to_string(), socket, now)?;
                }
            }
            Event::TrackConnected(track) => self.say(&format!("{} arrives", track.label()), now),
            Event::ToneStarted { tone, .. } => {
                if let Some(dialler) = &mut self.dialler {
                    dialler.tone_started(tone, now);
                }
            }
            Event::Dtmf { tone, .. } => {
                self.report.tones_received.push(tone);
                self.say(&format!("hears the tone {tone}"), now);
            }
            Event::Frame(frame) => {
                if let Some(sink) = self.sinks.get_mut(&frame.ssrc) {
                    let first = sink.progress.frames == 0;
                    sink.write(&frame, now)?;
                    if first && sink.format.kind() == MediaKind::Video && !frame.key_frame {
                        self.connection.request_key_frame(frame.ssrc, now)?;
                    }
                }
            }
            Event::Gap(gap) => {
                if let Some(sink) = self.sinks.get_mut(&gap.ssrc) {
                    sink.gap(gap);
                    if sink.format.kind() == MediaKind::Video {
                        // A file cannot make a key frame; the report shows that it was asked.
                        self.connection.request_key_frame(gap.ssrc, now)?;
                    }
                    self.say(
                        &format!("{} packets are missing for good", gap.packets),
                        now,
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn connected(&mut self, now: Instant) {
        let stats = self.connection.stats(now);
        let dtls = stats.dtls.map(|dtls| Dtls {
            version: dtls.version.map_or_else(String::new, |it| it.to_string()),
            cipher_suite: dtls
                .cipher_suite
                .map_or_else(String::new, |it| it.to_string()),
            role: format!("{:?}", dtls.role).to_lowercase(),
            srtp_profile: stats
                .srtp_profile
                .map_or_else(String::new, |profile| profile.name().to_owned()),
        });
        self.report.dtls = dtls;
        // Again after an interruption: media goes on.
        if matches!(self.phase, Phase::Connecting) {
            let after = self.connecting.map(|since| now.duration_since(since));
            self.report.connected_after_ms = after.map(milliseconds);
            self.phase = Phase::Talking { since: now };
            if let Some(dialler) = &mut self.dialler {
                dialler.start(now);
            }
        }
        self.say("connected", now);
    }

    /// Finishes the files and hands in the report.
    pub(crate) fn end(
        &mut self,
        reason: &str,
        socket: &LossySocket,
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        if self.is_over() {
            return Ok(());
        }
        self.phase = Phase::Over;
        for sink in self.sinks.values_mut() {
            sink.finish()?;
        }
        let stats = self.connection.stats(now);
        let mut report = core::mem::take(&mut self.report);
        report.ended = reason.to_owned();
        report.lost_on_purpose = socket.lost.clone();
        report.dropped = stats
            .drops
            .iter()
            .map(|(reason, count)| (reason.to_string(), count))
            .collect();
        report.tones_sent = self
            .dialler
            .as_ref()
            .map_or_else(String::new, |dialler| dialler.sent.clone());
        for sending in &self.sending {
            let ssrc = sending.track.ssrc();
            let found = stats.sending.iter().find(|track| track.ssrc == ssrc);
            report
                .sent
                .extend(found.map(|track| sending.summary(track)));
        }
        for (ssrc, sink) in &self.sinks {
            let found = stats.receiving.iter().find(|track| track.ssrc == *ssrc);
            report
                .received
                .extend(found.map(|track| sink.summary(track)));
        }
        send(&Message {
            report: Some(Box::new(report)),
            ..Message::default()
        })
    }

    fn say(&self, text: &str, now: Instant) {
        let time = now.duration_since(self.began).as_secs_f64();
        eprintln!("{time:>8.3} s  {}: {text}", self.duties.who);
    }
}

impl Sending {
    fn summary(&self, track: &SendTrackStats) -> SentTrack {
        SentTrack {
            codec: self.format.codec().to_owned(),
            ssrc: track.ssrc,
            frames: self.sent,
            packets: track.stream.packets,
            octets: track.stream.octets,
            retransmitted: track.stream.retransmitted,
            seconds: self.duration.as_secs_f64(),
            rtt_ms: track.stream.rtt.map(milliseconds),
            key_frame_requests: track.key_frame_requests,
        }
    }
}

fn recording(track: RTCTrack, clip: &Clip) -> Option<Recording> {
    let (channels, pre_skip, end) = clip.recording?;
    Some(Recording {
        ssrc: track.ssrc().to_string(),
        channels,
        pre_skip,
        end,
    })
}

fn show(candidate: &RTCIceCandidateDescription) -> String {
    let address: Option<SocketAddr> = candidate.socket_address().ok();
    let address = address.map_or_else(
        || candidate.connection_address.clone(),
        |address| address.to_string(),
    );
    format!("{} {} {address}", candidate.kind, candidate.transport)
}
