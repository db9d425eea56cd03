//! Our endpoint behind a socket.

use core::net::SocketAddr;
use core::time::Duration;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{Config, Endpoint, Event, Role};

use crate::PATIENCE;

/// Our endpoint behind a socket.
pub(crate) struct Driver {
    pub(crate) endpoint: Endpoint,
    pub(crate) socket: UdpSocket,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) events: Vec<Event>,
}

impl Driver {
    pub(crate) fn new(
        config: Config,
        role: Role,
        socket: UdpSocket,
        peer: Option<SocketAddr>,
    ) -> Self {
        Self {
            endpoint: Endpoint::new(Arc::new(config), role, Instant::now()),
            socket,
            peer,
            events: Vec::new(),
        }
    }

    /// Runs until an event satisfies `done`.
    pub(crate) fn run(&mut self, done: impl Fn(&Event) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut contents = [0; 2048];
        loop {
            assert!(
                Instant::now() < end,
                "{:?} {:?}",
                self.events,
                self.endpoint.stats()
            );
            let mut out = Vec::new();
            while let Some(peer) = self.peer {
                out.clear();
                if self
                    .endpoint
                    .poll_transmit(&mut out, Instant::now())
                    .is_none()
                {
                    break;
                }
                let _ = self.socket.send_to(&out, peer);
            }
            if self.events.iter().any(&done) {
                return;
            }
            self.socket
                .set_read_timeout(Some(Duration::from_millis(5)))
                .unwrap();
            if let Ok((len, from)) = self.socket.recv_from(&mut contents) {
                self.peer = Some(from);
                self.endpoint
                    .handle_datagram(&mut contents[..len], Instant::now());
            }
            self.endpoint.handle_timeout(Instant::now());
            while let Some(event) = self.endpoint.poll_event() {
                self.events.push(event);
            }
        }
    }

    pub(crate) fn material(&self) -> String {
        let keying = self.endpoint.srtp_keying().unwrap();
        let parts = [
            &keying.client_key,
            &keying.server_key,
            &keying.client_salt,
            &keying.server_salt,
        ];
        parts
            .iter()
            .map(|part| hex::encode_upper(&part[..]))
            .collect()
    }
}
