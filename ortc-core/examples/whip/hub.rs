//! The one loop: datagrams, requests and time, for all sessions on one UDP port.

use core::error::Error;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use axum::http::StatusCode;
use ortc_core::{ConnectionId, RTCSocket, ReceivedRtp, Route, SocketOptions};
use tokio::sync::mpsc;

use crate::key_frames::KeyFrames;
use crate::offer::{self, Remote, Section, Way};
use crate::options::Arguments;
use crate::refusal::Refusal;
use crate::room::{Room, Sessions, sources};
use crate::screen::Screen;
use crate::sdp::Description;
use crate::session::{Beginning, Part, Publisher, Session};
use crate::sockets::{DATAGRAM, Sockets};
use crate::system;
use crate::web::{Answered, Opening, Order};

/// Datagrams read in a row before anything else is done.
const BURST: usize = 64;
/// How often the table is drawn, and requests that were put off are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Sessions at once: beyond them newcomers are told to come back.
const MAX_SESSIONS: usize = 1_000;

pub(crate) struct Hub {
    sockets: Sockets,
    shared: RTCSocket,
    orders: mpsc::Receiver<Order>,
    sessions: Sessions,
    by_id: BTreeMap<ConnectionId, u64>,
    /// What the URL of a session ends with: nobody can guess it (RFC 9725 §5).
    by_token: BTreeMap<String, u64>,
    rooms: BTreeMap<String, Room>,
    key_frames: KeyFrames,
    packets: Vec<ReceivedRtp>,
    next: u64,
    out: Vec<u8>,
    tick_at: Instant,
    screen: Screen,
    arguments: Arguments,
}

impl Hub {
    pub(crate) async fn bind(
        arguments: &Arguments,
        orders: mpsc::Receiver<Order>,
    ) -> Result<Self, Box<dyn Error>> {
        let sockets = Sockets::bind(arguments.addresses.clone(), arguments.media_port).await?;
        let options = SocketOptions::new(system::seed()?);
        let options = sockets
            .addresses()
            .fold(options, SocketOptions::local_address);
        let now = system::now();
        Ok(Self {
            sockets,
            shared: RTCSocket::new(options, now)?,
            orders,
            sessions: Sessions::new(),
            by_id: BTreeMap::new(),
            by_token: BTreeMap::new(),
            rooms: BTreeMap::new(),
            key_frames: KeyFrames::default(),
            packets: Vec::new(),
            next: 1,
            out: Vec::with_capacity(DATAGRAM),
            tick_at: now + TICK,
            screen: Screen::default(),
            arguments: arguments.clone(),
        })
    }

    pub(crate) fn addresses(&self) -> String {
        let addresses = self.sockets.addresses().map(|address| address.to_string());
        let texts: Vec<_> = addresses.collect();
        texts.join(", ")
    }

    pub(crate) async fn run(mut self) -> Result<(), Box<dyn Error>> {
        loop {
            let due = tokio::time::Instant::from_std(self.next_deadline());
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.handle_order(order),
                    None => return Ok(()),
                },
                ready = self.sockets.readable() => {
                    ready?;
                    self.handle_datagrams()?;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            self.handle_timeouts();
            self.flush();
        }
    }

    fn next_deadline(&self) -> Instant {
        let sessions = self.sessions.values().filter_map(Session::poll_timeout);
        sessions
            .min()
            .map_or(self.tick_at, |at| at.min(self.tick_at))
    }

    /// Whoever asked and has gone needs no answer.
    fn handle_order(&mut self, order: Order) {
        let now = system::now();
        match order {
            Order::Open(opening, reply) => {
                let _ = reply.send(self.open(opening, now));
            }
            Order::Patch {
                session,
                if_match,
                fragment,
                reply,
            } => {
                let found = self.session(&session);
                let patched = found.and_then(|session| {
                    let fragment = Description::parse_fragment(&fragment).map_err(|error| {
                        Refusal::new(StatusCode::BAD_REQUEST, error.to_string())
                    })?;
                    session.patch(if_match.as_deref(), &fragment, now)
                });
                let _ = reply.send(patched);
            }
            Order::End { session, reply } => {
                let found = self.session(&session);
                let ended = found.map(|session| {
                    session.said.push("ends the session".to_owned());
                    session.connection.close(now);
                });
                let _ = reply.send(ended);
            }
            Order::Show { reply } => {
                let table = crate::screen::table(&self.sessions, now);
                let _ = reply.send(table);
            }
        }
    }

    fn session(&mut self, token: &str) -> Result<&mut Session, Refusal> {
        let number = self.by_token.get(token);
        let session = number.and_then(|number| self.sessions.get_mut(number));
        session
            .filter(|session| !session.is_over())
            .ok_or_else(Refusal::no_session)
    }

    fn open(&mut self, opening: Opening, now: Instant) -> Result<Answered, Refusal> {
        let Opening {
            way,
            room,
            offer,
            agent,
        } = opening;
        let offer = Description::parse(&offer)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        let remote = Remote::read(&offer)?;
        let sections = self.agree(&offer, way, &room)?;
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(full());
        }
        let number = self.next;
        let part = match way {
            Way::Publish => Part::Publisher(Publisher::default()),
            Way::Play => Part::Player(Vec::new()),
        };
        let beginning = Beginning {
            place: self.shared.admit().map_err(|_| full())?,
            arguments: &self.arguments,
            number,
            room: room.clone(),
            agent,
        };
        let token = token()?;
        let mut session = Session::new(beginning, part, remote.dtls, now)?;
        self.next += 1;
        let answer = match way {
            Way::Publish => session.publish(remote, &sections, now),
            Way::Play => session.play(remote, &sections, now),
        };
        let etag = session.etag();
        self.by_id
            .extend(session.connection.socket_id().map(|id| (id, number)));
        if answer.is_err() {
            session.connection.close(now);
        }
        self.sessions.insert(number, session);
        let answer = answer?;
        let known = self.rooms.entry(room).or_default();
        match way {
            Way::Publish => known.publisher = Some(number),
            Way::Play => known.players.push(number),
        }
        self.by_token.insert(token.clone(), number);
        Ok(Answered {
            token,
            etag,
            answer,
        })
    }

    fn agree(&self, offer: &Description, way: Way, room: &str) -> Result<Vec<Section>, Refusal> {
        let known = self.rooms.get(room);
        match way {
            Way::Publish => {
                if known.is_some_and(|room| room.publisher.is_some()) {
                    return Err(Refusal::new(
                        StatusCode::CONFLICT,
                        format!("Somebody publishes in {room} already."),
                    )
                    .retry_after(5));
                }
                let supported = offer::capabilities();
                let usable = |kind, codec: &_| {
                    let may = supported.supports(kind, codec);
                    may.then(|| self.arguments.rank(kind, codec)).flatten()
                };
                let sections = offer::sections(offer, way, usable)?;
                let none = sections.iter().all(|section| section.agreed.is_none());
                if none {
                    return Err(Refusal::new(
                        StatusCode::NOT_ACCEPTABLE,
                        "The offer sends neither audio nor video.",
                    ));
                }
                Ok(sections)
            }
            Way::Play => {
                let sources = sources(known, &self.sessions);
                if sources.is_empty() {
                    // draft-ietf-wish-whep §4.2.
                    return Err(Refusal::new(
                        StatusCode::CONFLICT,
                        format!("Nobody publishes in {room} yet."),
                    )
                    .retry_after(2));
                }
                let descriptions = || sources.iter().map(|source| &source.description);
                let usable = |kind, codec: &_| {
                    let source = descriptions().find(|source| source.kind == kind)?;
                    offer::fitness(source.codecs.first()?, codec)
                };
                let sections = offer::sections(offer, way, usable)?;
                if sections.iter().all(|section| section.agreed.is_none()) {
                    let codecs = descriptions().flat_map(|source| &source.codecs);
                    let names: Vec<_> = codecs.map(|codec| codec.name.as_str()).collect();
                    return Err(Refusal::new(
                        StatusCode::NOT_ACCEPTABLE,
                        format!(
                            "There is {} in {room}, and the offer receives none of it.",
                            names.join(" and ")
                        ),
                    ));
                }
                Ok(sections)
            }
        }
    }

    fn handle_datagrams(&mut self) -> Result<(), Box<dyn Error>> {
        let mut datagram = [0; DATAGRAM];
        for _ in 0..BURST {
            let Some((path, len)) = self.sockets.receive(&mut datagram)? else {
                return Ok(());
            };
            let now = system::now();
            let contents = datagram.get_mut(..len).unwrap_or_default();
            if let Route::Connection(id) = self.shared.handle_datagram(path, contents, now)
                && let Some(number) = self.by_id.get(&id)
                && let Some(session) = self.sessions.get_mut(number)
            {
                session.handle_datagram(path, contents, now);
            }
        }
        Ok(())
    }

    fn handle_timeouts(&mut self) {
        let now = system::now();
        for session in self.sessions.values_mut() {
            session.handle_timeout(now);
        }
        if self.tick_at <= now {
            self.tick_at = now + TICK;
            self.screen.draw(&self.sessions, now);
        }
    }

    fn flush(&mut self) {
        let now = system::now();
        self.tell_socket(now);
        while let Some((id, mut pending)) = self.shared.poll_pending() {
            if let Some(number) = self.by_id.get(&id)
                && let Some(session) = self.sessions.get_mut(number)
            {
                session.handle_datagram(pending.path, &mut pending.contents, now);
            }
        }
        for room in self.rooms.values() {
            let (packets, key_frames) = (&mut self.packets, &mut self.key_frames);
            room.carry(&mut self.sessions, packets, key_frames, now);
        }
        for session in self.sessions.values_mut() {
            session.handle_events(now);
            while let Some(transmit) = session.connection.poll_transmit(&mut self.out, now) {
                self.sockets.send(&transmit.path, &self.out);
                self.out.clear();
            }
            for text in session.said.drain(..) {
                let who = match &session.part {
                    Part::Publisher(_) => "publisher",
                    Part::Player(_) => "player",
                };
                let (number, room) = (session.number, &session.room);
                self.screen.log(&format!("{room}: {who} {number}: {text}"));
            }
        }
        self.forget_the_gone(now);
    }

    fn tell_socket(&mut self, now: Instant) {
        for session in self.sessions.values_mut() {
            while let Some(update) = session.connection.poll_socket_update() {
                self.shared.handle_update(update, now);
            }
        }
    }

    fn forget_the_gone(&mut self, now: Instant) {
        let over = self.sessions.values().filter(|session| session.is_over());
        let over: Vec<u64> = over.map(|session| session.number).collect();
        if over.is_empty() {
            return;
        }
        self.tell_socket(now);
        for number in over {
            for room in self.rooms.values_mut() {
                room.leave(number, &mut self.sessions);
            }
            self.sessions.remove(&number);
            self.key_frames.forget(number);
            self.by_id.retain(|_, session| *session != number);
            self.by_token.retain(|_, session| *session != number);
        }
        self.rooms.retain(|_, room| !room.is_empty());
    }
}

fn full() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "There are as many sessions as there may be.",
    )
    .retry_after(10)
}

/// 128 bits that nobody can guess.
fn token() -> Result<String, Refusal> {
    let seed = system::seed()
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let octets = seed.iter().take(16);
    Ok(octets.map(|octet| format!("{octet:02x}")).collect())
}
