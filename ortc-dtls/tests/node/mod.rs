//! A handshake over a link of the virtual network.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{Config, Endpoint, Event, Role};
use ortc_testkit::link::Link;
use ortc_testkit::net::{Machine, Net};

struct Node {
    endpoint: Endpoint,
    local: SocketAddr,
    remote: SocketAddr,
    connected: bool,
}

impl Machine for Node {
    fn handle_datagram(&mut self, _: SocketAddr, _: SocketAddr, contents: &mut [u8], now: Instant) {
        self.endpoint.handle_datagram(contents, now);
        while let Some(event) = self.endpoint.poll_event() {
            assert_eq!(event, Event::Connected);
            self.connected = true;
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        self.endpoint.poll_transmit(buf, now)?;
        Some((self.local, self.remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }
}

/// How long it takes until both sides are connected.
pub(crate) fn time_to_connect(configs: &[Arc<Config>; 2], link: Link, seed: u64) -> Duration {
    let mut net = Net::new(seed).link(link);
    let now = net.now();
    let addresses = ["10.0.0.1:1", "10.0.0.2:2"].map(|text| text.parse().unwrap());
    let nodes = [Role::Client, Role::Server].map(|role| {
        let me = role as usize;
        let node = Node {
            endpoint: Endpoint::new(configs[me].clone(), role, now),
            local: addresses[me],
            remote: addresses[1 - me],
            connected: false,
        };
        net.add(node, &[addresses[me]])
    });
    let end = now + Duration::from_secs(3600);
    let both = |net: &mut Net<Node>| nodes.iter().all(|&node| net.node(node).connected);
    assert!(net.run_until(end, both), "seed {seed} never connects");
    let keys = nodes.map(|node| net.node(node).endpoint.srtp_keying().unwrap());
    assert_eq!(keys[0], keys[1]);
    net.elapsed()
}
