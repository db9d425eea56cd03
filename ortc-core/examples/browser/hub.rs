//! The one loop: datagrams, signalling and time, for all calls on one UDP port.

use core::error::Error;
use std::collections::BTreeMap;
use std::time::Instant;

use ortc_core::{ConnectionId, RTCSocket, Route, SocketOptions};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::sync::mpsc;

use crate::call::{Call, Company};
use crate::film::Films;
use crate::options::Arguments;
use crate::rooms::Rooms;
use crate::sockets::{DATAGRAM, Sockets};
use crate::system;
use crate::web::Order;

/// Datagrams read in a row before anything else is done.
const BURST: usize = 64;
/// How often a page hears figures.
const FIGURES: core::time::Duration = core::time::Duration::from_secs(1);

/// Enough to write a text for each page.
const FAREWELL: core::time::Duration = core::time::Duration::from_millis(200);

pub(crate) struct Hub {
    sockets: Sockets,
    shared: RTCSocket,
    orders: mpsc::Receiver<Order>,
    calls: BTreeMap<u64, Call>,
    by_id: BTreeMap<ConnectionId, u64>,
    rooms: Rooms,
    films: Films,
    next_call: u64,
    out: Vec<u8>,
    figures_at: Instant,
    loss: Loss,
    places: usize,
    settings: crate::call::Settings,
}

/// Loses datagrams on purpose.
struct Loss {
    percent: u32,
    dice: ChaCha20Rng,
}

impl Loss {
    fn takes(&mut self) -> bool {
        self.percent > 0 && self.dice.next_u32() % 100 < self.percent
    }
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
            calls: BTreeMap::new(),
            by_id: BTreeMap::new(),
            rooms: Rooms::default(),
            films: Films::load()?,
            next_call: 1,
            out: Vec::with_capacity(DATAGRAM),
            figures_at: now + FIGURES,
            loss: Loss {
                percent: u32::from(arguments.loss),
                dice: ChaCha20Rng::from_seed(system::seed()?),
            },
            places: arguments.calls,
            settings: crate::call::Settings::from(arguments),
        })
    }

    pub(crate) fn addresses(&self) -> String {
        let addresses = self.sockets.addresses().map(|address| address.to_string());
        let texts: Vec<_> = addresses.collect();
        texts.join(", ")
    }

    /// Runs until Ctrl-C.
    pub(crate) async fn run(mut self) -> Result<(), Box<dyn Error>> {
        let mut interrupted = core::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let due = tokio::time::Instant::from_std(self.next_deadline());
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.handle_order(order)?,
                    None => return Ok(()),
                },
                ready = self.sockets.readable() => {
                    ready?;
                    self.handle_datagrams()?;
                }
                () = tokio::time::sleep_until(due) => {}
                heard = &mut interrupted => {
                    heard?;
                    self.end().await;
                    return Ok(());
                }
            }
            self.handle_timeouts();
            self.flush();
        }
    }

    /// Ends all calls, so that the recordings are whole and the pages know.
    async fn end(&mut self) {
        let now = system::now();
        for call in self.calls.values_mut() {
            call.connection.close(now);
        }
        self.flush();
        // What the pages are told leaves by tasks of their own.
        tokio::time::sleep(FAREWELL).await;
    }

    fn next_deadline(&self) -> Instant {
        let calls = self.calls.values().filter_map(Call::poll_timeout);
        calls
            .min()
            .map_or(self.figures_at, |at| at.min(self.figures_at))
    }

    fn handle_order(&mut self, order: Order) -> Result<(), Box<dyn Error>> {
        let now = system::now();
        match order {
            Order::Open {
                room,
                texts,
                number,
            } => {
                // A page that finds no place is told so, and its signalling ends; the others go on.
                let free = self.calls.len() < self.places;
                let Some(place) = free.then(|| self.shared.admit().ok()).flatten() else {
                    // A page that has left already needs not be told.
                    let _ =
                        texts.try_send(json!({ "refused": "all places are taken" }).to_string());
                    return Ok(());
                };
                let call = self.next_call;
                self.next_call += 1;
                let company = match room.is_empty() {
                    true => Company::Alone,
                    false => Company::Room,
                };
                let mut opened = Call::new(place, &self.settings, company, (call, texts), now)?;
                self.by_id
                    .extend(opened.connection.socket_id().map(|id| (id, call)));
                opened.introduce(now);
                self.calls.insert(call, opened);
                self.rooms.enter(&room, call);
                // A page that has left already needs no answer.
                let _ = number.send(call);
            }
            Order::Text { call, text } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.handle_text(&text, &self.films, now);
                }
            }
            Order::Gone { call } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.connection.close(now);
                }
            }
        }
        Ok(())
    }

    fn handle_datagrams(&mut self) -> Result<(), Box<dyn Error>> {
        let mut datagram = [0; DATAGRAM];
        for _ in 0..BURST {
            let Some((path, len)) = self.sockets.receive(&mut datagram)? else {
                return Ok(());
            };
            if self.loss.takes() {
                continue;
            }
            let now = system::now();
            let contents = datagram.get_mut(..len).unwrap_or_default();
            if let Route::Connection(id) = self.shared.handle_datagram(path, contents, now)
                && let Some(call) = self
                    .by_id
                    .get(&id)
                    .and_then(|call| self.calls.get_mut(call))
            {
                call.handle_datagram(path, contents, now);
            }
        }
        Ok(())
    }

    fn handle_timeouts(&mut self) {
        let now = system::now();
        let tell = self.figures_at <= now;
        if tell {
            self.figures_at = now + FIGURES;
        }
        for call in self.calls.values_mut() {
            call.handle_timeout(now);
            if tell {
                call.tell_figures(now);
            }
        }
    }

    fn flush(&mut self) {
        let now = system::now();
        for call in self.calls.values_mut() {
            while let Some(update) = call.connection.poll_socket_update() {
                self.shared.handle_update(update, now);
            }
        }
        while let Some((id, mut pending)) = self.shared.poll_pending() {
            if let Some(call) = self
                .by_id
                .get(&id)
                .and_then(|call| self.calls.get_mut(call))
            {
                call.handle_datagram(pending.path, &mut pending.contents, now);
            }
        }
        // What one call received others may have to send.
        self.rooms.carry(&mut self.calls, now);
        for call in self.calls.values_mut() {
            call.handle_events(now);
            while let Some(transmit) = call.connection.poll_transmit(&mut self.out, now) {
                if !self.loss.takes() {
                    self.sockets.send(&transmit.path, &self.out);
                }
                self.out.clear();
            }
        }
        let (rooms, by_id) = (&mut self.rooms, &mut self.by_id);
        for (number, call) in &mut self.calls {
            if call.is_over() {
                while let Some(update) = call.connection.poll_socket_update() {
                    self.shared.handle_update(update, now);
                }
                rooms.leave(*number);
                by_id.retain(|_, call| call != number);
                call.finish();
            }
        }
        self.rooms.say_goodbye(&mut self.calls, now);
        self.calls.retain(|_, call| !call.is_over());
    }
}
