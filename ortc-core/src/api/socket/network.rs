//! What the socket does beside routing: it gathers candidates for all its connections, keeps their
//! allocations on relays, and reads streams that were accepted for them.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;
use std::time::Instant;

use ortc_ice::{
    Candidate, CandidateKind, GatherError, GatherEvent, Gathered, LocalCandidate, OpenStream, Path,
    ServerError, ServerUri, StreamId, Transmit,
};

use crate::transport::Uplink;

use super::super::event::{ResolveQuery, Resolving, Timeout, Timer};
use super::{ConnectionId, RTCSocket, Route, SocketCandidates, SocketError};

/// Octets from streams that may wait for [`RTCSocket::poll_arrival`].
const MAX_ARRIVED: usize = 1 << 20;

/// Something that the embedder should do for a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The candidates changed: give them to every connection of the socket, with
    /// [`RTCConnection::handle_socket_candidates`](crate::RTCConnection::handle_socket_candidates).
    Candidates(SocketCandidates),
    /// The addresses of a server are wanted, A and AAAA: answer with [`RTCSocket::resolved`].
    Resolve {
        /// Names the question in the answer.
        query: ResolveQuery,
        /// The host name.
        name: String,
    },
    /// A byte stream to a server is wanted: connect, and answer with [`RTCSocket::stream_opened`] or
    /// [`RTCSocket::stream_failed`].
    OpenStream(OpenStream),
    /// A stream is not needed any more: write what was taken out for it, then close it.
    CloseStream(StreamId),
    /// A server gives no candidates, or no more; [`RTCSocket::update`] asks it again.
    IceServerFailed {
        /// Which.
        server: ServerUri,
        /// Why.
        reason: ServerError,
    },
}

/// The servers and the streams of a socket.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) uplink: Uplink,
    events: VecDeque<SocketEvent>,
    /// The candidates changed since the event that told of them was taken.
    changed: bool,
    /// Datagrams that streams brought, one after the other, and whose they are.
    arrived: Vec<u8>,
    arrivals: VecDeque<(ConnectionId, Path, usize)>,
}

impl RTCSocket {
    /// Adds an address that the embedder has bound a UDP socket to; `update` gathers from it.
    pub fn add_local_address(&mut self, address: SocketAddr) {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }

    /// Takes an address off the list; `update` then withdraws what was gathered from it.
    pub fn remove_local_address(&mut self, address: SocketAddr) {
        self.addresses.retain(|known| *known != address);
    }

    /// Gathers again from the addresses that are listed now (draft `update`, for all connections at
    /// once). What works stays: a relay that is reached from an address which is not listed any more
    /// ends when the last connection has left it.
    ///
    /// # Errors
    ///
    /// [`SocketError::Gather`] when there are too many addresses, or one that nothing can be sent to.
    pub fn update(&mut self, now: Instant) -> Result<(), SocketError> {
        for address in &self.addresses {
            Candidate::host(*address).map_err(GatherError::Address)?;
        }
        let in_use = self.router.in_use();
        self.network.uplink.gather(&self.addresses, &in_use, now)?;
        self.network.changed = true;
        self.drain_gatherer();
        Ok(())
    }

    /// A connection sends elsewhere now, or nowhere: what only it still needed may go.
    pub(super) fn let_go(&mut self, now: Instant) {
        if self.network.uplink.is_leaving() {
            let in_use = self.router.in_use();
            self.network.uplink.keep(&in_use, now);
            self.drain_gatherer();
        }
    }

    /// Nobody is on the socket yet who could be told.
    pub(super) fn tells_nothing_old(&mut self) {
        self.network.changed = false;
    }

    /// The candidates so far.
    #[must_use]
    pub fn candidates(&self) -> SocketCandidates {
        match &self.network.uplink.gatherer {
            None => {
                let list = self.addresses.iter().copied().map(host).collect();
                SocketCandidates::new(list, true)
            }
            Some(gatherer) => {
                let list = gatherer.candidates().copied().collect();
                SocketCandidates::new(list, gatherer.is_complete())
            }
        }
    }

    /// A datagram that may be a server's, or of a peer behind a relay.
    pub(super) fn handle_from_network(
        &mut self,
        path: Path,
        contents: &[u8],
        now: Instant,
    ) -> Route {
        match self.network.uplink.handle_datagram(path, contents, now) {
            Gathered::NotMine => self.route(path, contents),
            Gathered::Consumed => {
                self.drain_gatherer();
                Route::Consumed
            }
            Gathered::Relayed { path, range } => {
                let inner = contents.get(range.clone()).unwrap_or_default();
                let route = self.route(path, inner);
                if let Route::Connection(id) = route {
                    return Route::Relayed { id, path, range };
                }
                route
            }
        }
    }

    /// Does what is due. Early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(gatherer) = &mut self.network.uplink.gatherer {
            gatherer.handle_timeout(now);
        }
        self.drain_gatherer();
    }

    /// Appends the next datagram to a server to `buf` and says where it goes.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<Transmit> {
        self.network
            .uplink
            .gatherer
            .as_mut()?
            .poll_transmit(buf, now)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; already reached when output waits,
    /// `None` without servers.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        let timeout = self.network.uplink.gatherer.as_ref()?.poll_timeout()?;
        let timer = if timeout.timer == ortc_ice::Timer::Output {
            Timer::Output
        } else {
            Timer::Ice
        };
        Some(Timeout {
            at: timeout.at,
            timer,
        })
    }

    /// The next event. Of changed candidates only the latest are told.
    pub fn poll_event(&mut self) -> Option<SocketEvent> {
        if let Some(event) = self.network.events.pop_front() {
            return Some(event);
        }
        core::mem::take(&mut self.network.changed)
            .then(|| SocketEvent::Candidates(self.candidates()))
    }

    /// Makes ready for the wire what a connection of this socket wants to send, `buf[start..]`: from
    /// a relayed address it goes through the server, anything else is as it was. `None` when the
    /// relay is gone, or does not know the peer yet: the octets are taken out of `buf` then. Carry
    /// what [`poll_socket_update`](crate::RTCConnection::poll_socket_update) gives before, so that
    /// it does know.
    pub fn encapsulate(
        &mut self,
        transmit: Transmit,
        buf: &mut Vec<u8>,
        start: usize,
    ) -> Option<Transmit> {
        self.network.uplink.wrap(transmit, buf, start)
    }

    /// The addresses of the server that [`SocketEvent::Resolve`] named; none when there are none.
    pub fn resolved(&mut self, query: ResolveQuery, addresses: &[IpAddr], now: Instant) {
        if let (Some(gatherer), Resolving::Server(query)) =
            (&mut self.network.uplink.gatherer, query.0)
        {
            match addresses {
                [] => gatherer.resolve_failed(query, now),
                found => gatherer.resolved(query, found, now),
            }
        }
        self.drain_gatherer();
    }

    /// The stream that [`SocketEvent::OpenStream`] asked for is open: `local` and `remote` are those
    /// of the event, `actual` is the local address that it has.
    pub fn stream_opened(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        stream: StreamId,
        actual: SocketAddr,
        now: Instant,
    ) {
        if let Some(gatherer) = &mut self.network.uplink.gatherer {
            gatherer.stream_opened(local, remote, stream, actual, now);
        }
        self.drain_gatherer();
    }

    /// The stream that [`SocketEvent::OpenStream`] asked for cannot be opened.
    pub fn stream_failed(&mut self, local: SocketAddr, remote: SocketAddr, now: Instant) {
        if let Some(gatherer) = &mut self.network.uplink.gatherer {
            gatherer.stream_failed(local, remote, now);
        }
        self.drain_gatherer();
    }

    /// A stream was accepted at the address of a passive TCP candidate; whose it is, its first check
    /// says. Whoever connects can do so, and up to 64 KiB of each stream are kept: limit how many
    /// are accepted, and close those that have brought nothing for a connection after some seconds.
    pub fn stream_accepted(&mut self, stream: StreamId, local: SocketAddr, remote: SocketAddr) {
        let path = Path::stream(stream, local, remote);
        self.network.uplink.connect(path);
    }

    /// A stream was closed. Of an accepted one tell its connection too.
    pub fn stream_closed(&mut self, stream: StreamId, now: Instant) {
        self.network.uplink.disconnect(stream);
        if let Some(gatherer) = &mut self.network.uplink.gatherer {
            gatherer.stream_closed(stream, now);
        }
        self.drain_gatherer();
    }

    /// Takes octets from a stream of a server or one that was accepted, however it cut them; then
    /// poll [`poll_arrival`](Self::poll_arrival). A stream that a connection asked for is that
    /// connection's own.
    pub fn handle_stream(&mut self, stream: StreamId, octets: &[u8], now: Instant) {
        if let Some(mut inlet) = self.network.uplink.take(stream) {
            let mut rest = octets;
            while let Some(frame) = inlet.deframer.next(&mut rest) {
                self.arrive(inlet.path, frame);
            }
            self.network.uplink.put_back(stream, inlet);
            return;
        }
        let Some(gatherer) = &mut self.network.uplink.gatherer else {
            return;
        };
        let _ = gatherer.handle_stream(stream, octets, now);
        let mut payload = core::mem::take(&mut self.network.uplink.scratch);
        loop {
            payload.clear();
            let gatherer = self.network.uplink.gatherer.as_mut();
            let Some(path) = gatherer.and_then(|known| known.poll_data(&mut payload)) else {
                break;
            };
            self.arrive(path, &payload);
        }
        self.network.uplink.scratch = payload;
        self.drain_gatherer();
    }

    /// Keeps a datagram from a stream until it is polled.
    fn arrive(&mut self, path: Path, contents: &[u8]) {
        if let Route::Connection(id) = self.route(path, contents)
            && self.network.arrived.len() + contents.len() <= MAX_ARRIVED
        {
            let network = &mut self.network;
            network.arrived.extend_from_slice(contents);
            network.arrivals.push_back((id, path, contents.len()));
        }
    }

    /// Appends the next datagram that a stream brought to `buf`, and says which connection to hand it
    /// to, and on which path. Up to 1 MiB wait, more is lost.
    pub fn poll_arrival(&mut self, buf: &mut Vec<u8>) -> Option<(ConnectionId, Path)> {
        let network = &mut self.network;
        let (id, path, len) = network.arrivals.pop_front()?;
        buf.extend(network.arrived.drain(..len.min(network.arrived.len())));
        Some((id, path))
    }

    /// Gives all allocations back: what says so to the servers is queued and due. The connections
    /// have to be closed before, and what they had to say sent.
    pub fn close(&mut self, now: Instant) {
        if let Some(gatherer) = &mut self.network.uplink.gatherer {
            gatherer.close(now);
        }
        self.drain_gatherer();
    }

    pub(super) fn drain_gatherer(&mut self) {
        let Some(gatherer) = &mut self.network.uplink.gatherer else {
            return;
        };
        while let Some(event) = gatherer.poll_event() {
            let network = &mut self.network.events;
            match event {
                GatherEvent::Candidate(_)
                | GatherEvent::CandidateGone(_)
                | GatherEvent::Complete => self.network.changed = true,
                GatherEvent::Resolve { query, host } => network.push_back(SocketEvent::Resolve {
                    query: query.into(),
                    name: host,
                }),
                GatherEvent::OpenStream(open) => network.push_back(SocketEvent::OpenStream(open)),
                GatherEvent::CloseStream(stream) => {
                    network.push_back(SocketEvent::CloseStream(stream));
                }
                GatherEvent::ServerFailed { server, reason } => {
                    if let Some(uri) = gatherer.server(server) {
                        let server = uri.clone();
                        network.push_back(SocketEvent::IceServerFailed { server, reason });
                    }
                }
                // The pairs of that peer will fail.
                GatherEvent::PermissionRefused { .. } | _ => {}
            }
        }
    }
}

/// The candidate of a local address.
const fn host(address: SocketAddr) -> LocalCandidate {
    LocalCandidate {
        kind: CandidateKind::Host,
        address,
        base: address,
        tcp: None,
        related: None,
        server: None,
        rtt: None,
    }
}
