//! What relays carry: in, found by the path to the server; out, found by the relayed address.

use core::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::{Gathered, Gatherer};
use crate::path::{Path, Transmit};
use crate::turn::{Client, DropReason, PeerError, Received, SendError};

impl Gatherer {
    /// Whether datagrams from this address have to be given to [`encapsulate`](Self::encapsulate).
    #[must_use]
    pub fn is_relayed(&self, address: &SocketAddr) -> bool {
        self.relays.by_address.contains_key(address)
    }

    /// The base from which a relayed address was allocated; `None` for one that there is not.
    #[must_use]
    pub fn base_of(&self, relayed: &SocketAddr) -> Option<SocketAddr> {
        let task = self.relays.by_address.get(relayed)?;
        Some(self.tasks.get(*task)?.base)
    }

    /// Lets a peer reach the relayed address (RFC 8656 §9), ahead of need: do so for each remote
    /// candidate. It costs a look-up when it is known already.
    ///
    /// # Errors
    ///
    /// [`PeerError`]: the policy or the server refuses the address, or there are too many.
    pub fn permit(
        &mut self,
        relayed: SocketAddr,
        peer: IpAddr,
        now: Instant,
    ) -> Result<(), PeerError> {
        self.with_client(relayed, now, |client, now| client.permit(peer, now))
    }

    /// Makes what leaves for a peer smaller by 32 octets or more each (RFC 8656 §12): do so for the
    /// pair that is in use. It includes the permission.
    ///
    /// # Errors
    ///
    /// [`PeerError`]: the policy or the server refuses the address, or there are too many.
    pub fn bind_channel(
        &mut self,
        relayed: SocketAddr,
        peer: SocketAddr,
        now: Instant,
    ) -> Result<(), PeerError> {
        self.with_client(relayed, now, |client, now| client.bind_channel(peer, now))
    }

    /// Asks the server of a relayed address whether it is still there, when nothing comes through it
    /// any more: [`Client::probe`](crate::turn::Client::probe). One that is gone ends as a candidate,
    /// and is made anew.
    pub fn probe(&mut self, relayed: SocketAddr, now: Instant) {
        // It fails for one that is gone already.
        let _ = self.with_client(relayed, now, |client, now| {
            client.probe(now);
            Ok(())
        });
    }

    fn with_client(
        &mut self,
        relayed: SocketAddr,
        now: Instant,
        command: impl FnOnce(&mut Client, Instant) -> Result<(), PeerError>,
    ) -> Result<(), PeerError> {
        self.advance(now).map_err(|_| PeerError::Closed)?;
        let now = self.now;
        let (task, client) = self.relays.client(relayed).ok_or(PeerError::Closed)?;
        command(client, now)?;
        self.schedule_relay(task);
        Ok(())
    }

    /// Wraps what an agent wants to send from a relayed address for the server: `buf[start..]` is
    /// what [`Transmit`] stands for, and moves once, in place. Send what comes back instead.
    ///
    /// # Errors
    ///
    /// [`SendError`]: the buffer is as it was, and nothing can be sent.
    pub fn encapsulate(
        &mut self,
        transmit: Transmit,
        buf: &mut Vec<u8>,
        start: usize,
    ) -> Result<Transmit, SendError> {
        let Path { local, remote, .. } = transmit.path;
        let (_, client) = self.relays.client(local).ok_or(SendError::NotAllocated)?;
        let wrapped = client.encapsulate(remote, buf, start, transmit.segment)?;
        Ok(Transmit {
            ecn: transmit.ecn,
            ..wrapped
        })
    }

    /// Takes a payload that a peer sent to a relayed address and a stream brought: appends it to
    /// `buf`, and says on which path it would have come. Poll it until there is none after each
    /// [`handle_stream`](Self::handle_stream); up to 512 KiB wait, more is lost.
    pub fn poll_data(&mut self, buf: &mut Vec<u8>) -> Option<Path> {
        loop {
            let relay = self.relays.by_task.get_mut(self.relays.data.front()?);
            if let Some(relay) = relay
                && let Some((peer, payload)) = relay.client.poll_data()
            {
                let same = |known: &&SocketAddr| known.is_ipv4() == peer.is_ipv4();
                if let Some(relayed) = relay.allocated.iter().find(same) {
                    buf.extend_from_slice(payload);
                    return Some(Path::udp(*relayed, peer));
                }
            } else {
                self.relays.data.pop_front();
            }
        }
    }

    /// A datagram on the path to a server that we have an allocation on.
    pub(super) fn handle_relay(&mut self, path: Path, contents: &[u8]) -> Gathered {
        let now = self.now;
        let Some(id) = self.relays.by_path.get(&path).copied() else {
            return Gathered::NotMine;
        };
        let Some(relay) = self.relays.by_task.get_mut(&id) else {
            return Gathered::NotMine;
        };
        match relay.client.handle_datagram(contents, now) {
            Ok(Received::Data { peer, range }) => {
                let same = |known: &&SocketAddr| known.is_ipv4() == peer.is_ipv4();
                match relay.allocated.iter().find(same) {
                    Some(relayed) => Gathered::Relayed {
                        path: Path::udp(*relayed, peer),
                        range,
                    },
                    None => Gathered::Consumed,
                }
            }
            Ok(Received::Consumed) => {
                self.after_client(id);
                Gathered::Consumed
            }
            Err(DropReason::UnknownTransaction) => Gathered::NotMine,
            Err(_) => Gathered::Consumed,
        }
    }
}
