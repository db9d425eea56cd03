//! `ortc-dtls`.

use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{CloseReason, Config, Endpoint, Event, KeyLogLine, Role};

use crate::{Keying, Side};

/// An endpoint of `ortc-dtls`; time stands still.
#[derive(Debug)]
pub struct Ours {
    endpoint: Endpoint,
    now: Instant,
    connected: bool,
    /// The peer said good-bye.
    is_closed: bool,
    data: Vec<Event>,
    secrets: Vec<KeyLogLine>,
}

impl Ours {
    /// Begins.
    #[must_use]
    pub fn new(config: Arc<Config>, role: Role, now: Instant) -> Self {
        Self {
            endpoint: Endpoint::new(config, role, now),
            now,
            connected: false,
            is_closed: false,
            data: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// The endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The endpoint, to be told something.
    pub fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    /// Whether the peer ended the connection with a close_notify.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The lines of the key log, if it is on.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(KeyLogLine::as_str)
    }

    fn drain(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Connected => self.connected = true,
                Event::KeyLog(line) => self.secrets.push(line),
                Event::ApplicationData(_) => self.data.push(event),
                Event::Closed(CloseReason::PeerClosed) => self.is_closed = true,
                Event::Closed(reason) => panic!("closed: {reason}"),
                _ => {}
            }
        }
    }
}

impl Side for Ours {
    fn receive(&mut self, datagram: &mut [u8]) {
        self.endpoint.handle_datagram(datagram, self.now);
        self.drain();
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.endpoint.poll_transmit(out, self.now).is_some()
    }

    fn is_connected(&self) -> bool {
        self.connected
    }

    fn keying(&mut self) -> Keying {
        let keying = self.endpoint.srtp_keying().unwrap();
        let parts = [
            &keying.client_key,
            &keying.server_key,
            &keying.client_salt,
            &keying.server_salt,
        ];
        Keying {
            profile: keying.profile,
            material: parts.iter().flat_map(|part| part.iter().copied()).collect(),
        }
    }

    fn send(&mut self, data: &[u8]) {
        self.endpoint.send(data, self.now).unwrap();
    }

    fn take(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(Event::ApplicationData(data)) = self.data.pop() else {
            return false;
        };
        out.extend_from_slice(&data);
        true
    }
}
