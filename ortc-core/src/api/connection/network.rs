//! What the embedder does for a connection beside sending and receiving datagrams: it resolves
//! names, and opens, accepts, reads and closes byte streams.

use core::net::{IpAddr, SocketAddr};
use std::time::Instant;

use ortc_ice::{Datagram, Ecn, Gathered, Gatherer, OpenStream, Path, StreamId, Transmit};

use crate::stats::DropReason;
use crate::transport::{Asker, Uplink};

use super::super::event::{Event, ResolveQuery, Resolving};
use super::RTCConnection;

impl RTCConnection {
    pub(super) fn gatherer(&mut self) -> Option<&mut Gatherer> {
        self.uplink.as_mut()?.gatherer.as_deref_mut()
    }

    fn uplink(&mut self) -> &mut Uplink {
        self.uplink.get_or_insert_default()
    }

    /// A datagram that may be from a server, or of a peer behind a relay.
    pub(super) fn handle_from_network(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Datagram {
            path,
            contents,
            ecn,
        } = datagram;
        match self.uplink().handle_datagram(path, contents, now) {
            Gathered::NotMine => self.handle_arrival(
                Datagram {
                    path,
                    contents,
                    ecn,
                },
                now,
            ),
            Gathered::Consumed => self.pump(now),
            Gathered::Relayed { path, range } => {
                let contents = contents.get_mut(range).unwrap_or_default();
                let datagram = Datagram {
                    path,
                    contents,
                    ecn,
                };
                self.handle_arrival(datagram, now);
            }
        }
    }

    /// What leaves from a relayed address leaves through its server.
    pub(super) fn wrap(
        &mut self,
        transmit: Transmit,
        buf: &mut Vec<u8>,
        start: usize,
    ) -> Option<Transmit> {
        let Some(uplink) = &mut self.uplink else {
            return Some(transmit);
        };
        let wrapped = uplink.wrap(transmit, buf, start);
        if wrapped.is_none() {
            self.output.drops.count(DropReason::NoRelay);
        }
        wrapped
    }

    /// The addresses of the name that [`Event::Resolve`] asked for; none when it cannot be resolved.
    /// Of a peer's `.local` name there has to be exactly one.
    pub fn resolved(&mut self, query: ResolveQuery, addresses: &[IpAddr], now: Instant) {
        let now = self.advance(now);
        if self.open().is_err() {
            return;
        }
        match query.0 {
            Resolving::Server(query) => {
                if let Some(gatherer) = self.gatherer() {
                    match addresses {
                        [] => gatherer.resolve_failed(query, now),
                        found => gatherer.resolved(query, found, now),
                    }
                }
            }
            Resolving::Peer(query) => {
                let address = match addresses {
                    [one] => Some(*one),
                    _ => None,
                };
                self.transport.ice.resolved(query, address, now);
                self.claim_paths();
            }
        }
        self.pump(now);
    }

    pub(super) fn ask_for_stream(&mut self, open: OpenStream, asker: Asker) {
        self.uplink().asked(&open, asker);
        let event = Event::OpenStream(Box::new(open));
        self.output.events.push(event);
    }

    /// The stream that [`Event::OpenStream`] asked for is open: `local` and `remote` are those of the
    /// event, `actual` is the local address that it has. What arrives goes to
    /// [`handle_stream`](Self::handle_stream); what leaves on a path over it is already framed.
    pub fn stream_opened(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        stream: StreamId,
        actual: SocketAddr,
        now: Instant,
    ) {
        let now = self.advance(now);
        if self.open().is_err() {
            return;
        }
        match self.uplink().asker(local, remote) {
            Some(Asker::Gatherer) => {
                if let Some(gatherer) = self.gatherer() {
                    gatherer.stream_opened(local, remote, stream, actual, now);
                }
            }
            Some(Asker::Agent) => {
                self.uplink().connect(Path::stream(stream, actual, remote));
                let ice = &mut self.transport.ice;
                ice.stream_opened(local, remote, stream, actual, now);
            }
            None => _ = self.output.events.push(Event::CloseStream(stream)),
        }
        self.pump(now);
    }

    /// The stream that [`Event::OpenStream`] asked for cannot be opened.
    pub fn stream_failed(&mut self, local: SocketAddr, remote: SocketAddr, now: Instant) {
        let now = self.advance(now);
        if self.open().is_err() {
            return;
        }
        match self.uplink().asker(local, remote) {
            Some(Asker::Gatherer) => {
                if let Some(gatherer) = self.gatherer() {
                    gatherer.stream_failed(local, remote, now);
                }
            }
            Some(Asker::Agent) => self.transport.ice.stream_failed(local, remote, now),
            None => {}
        }
        self.pump(now);
    }

    /// A stream was accepted at the address of a passive TCP candidate. Whoever connects can do so:
    /// limit how many are accepted, and close those that [`Event::CloseStream`] names.
    pub fn stream_accepted(
        &mut self,
        stream: StreamId,
        local: SocketAddr,
        remote: SocketAddr,
        now: Instant,
    ) {
        self.advance(now);
        if self.open().is_ok() {
            self.uplink().connect(Path::stream(stream, local, remote));
        }
    }

    /// A stream was closed, by the other end, the network or the embedder.
    pub fn stream_closed(&mut self, stream: StreamId, now: Instant) {
        let now = self.advance(now);
        if self.open().is_err() {
            return;
        }
        let uplink = self.uplink();
        uplink.disconnect(stream);
        if let Some(gatherer) = self.gatherer() {
            gatherer.stream_closed(stream, now);
        }
        self.transport.ice.stream_closed(stream, now);
        self.pump(now);
    }

    /// Takes octets from a stream, however it cut them. Those of a stream that nobody knows, or of a
    /// closed connection, are dropped.
    pub fn handle_stream(&mut self, stream: StreamId, octets: &[u8], now: Instant) {
        let now = self.advance(now);
        if self.open().is_err() {
            return self.output.drops.count(DropReason::Closed);
        }
        if let Some(mut inlet) = self.uplink().take(stream) {
            let (mut rest, path) = (octets, inlet.path);
            while let Some(contents) = inlet.deframer.next(&mut rest) {
                // An empty frame means nothing (RFC 4571 §2).
                if !contents.is_empty() {
                    self.count_received(contents.len());
                    self.handle_arrival(
                        Datagram {
                            path,
                            contents,
                            ecn: Ecn::default(),
                        },
                        now,
                    );
                }
            }
            self.uplink().put_back(stream, inlet);
            return;
        }
        let Some(gatherer) = self.gatherer() else {
            return self.output.drops.count(DropReason::UnknownProtocol);
        };
        if gatherer.handle_stream(stream, octets, now) == Gathered::NotMine {
            return self.output.drops.count(DropReason::UnknownProtocol);
        }
        let mut contents = core::mem::take(&mut self.uplink().scratch);
        while let Some(path) = self
            .gatherer()
            .and_then(|gatherer| gatherer.poll_data(&mut contents))
        {
            self.count_received(contents.len());
            let datagram = Datagram {
                path,
                contents: &mut contents,
                ecn: Ecn::default(),
            };
            self.handle_arrival(datagram, now);
            contents.clear();
        }
        self.uplink().scratch = contents;
        self.pump(now);
    }
}
