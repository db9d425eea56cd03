//! What lies between the embedder's sockets and an ICE agent when there is more than plain UDP:
//! servers with their relays, and byte streams.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::time::Instant;

use ortc_ice::{
    Deframer, GatherError, Gathered, Gatherer, OpenStream, Path, StreamId, Transmit, Transport,
};

/// Octets of the length before each datagram on a stream (RFC 4571 §2).
const FRAME_PREFIX: usize = 2;

/// Streams that may be asked for at a time.
const MAX_OPENING: usize = 256;

/// Both are there only when something needs them.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    pub(crate) gatherer: Option<Box<Gatherer>>,
    /// Bases that are not wanted any more, but for the relays in use.
    leaving: Vec<SocketAddr>,
    /// Streams that the embedder was asked to open, in the order of the questions.
    opening: Vec<(SocketAddr, SocketAddr, Asker)>,
    inlets: BTreeMap<StreamId, Inlet>,
    /// Where payloads that a relay sent over a stream are read, again and again.
    pub(crate) scratch: Vec<u8>,
}

/// Who asked for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Gatherer,
    Agent,
}

/// A stream of a pair over TCP (RFC 6544), and what came of it in pieces.
#[derive(Debug)]
pub(crate) struct Inlet {
    pub(crate) path: Path,
    pub(crate) deframer: Deframer,
}

impl Uplink {
    pub(crate) fn new(gatherer: Gatherer) -> Self {
        Self {
            gatherer: Some(Box::new(gatherer)),
            ..Self::default()
        }
    }

    /// Remembers who asked for a stream. Those who ask do not wait for ever, so that the oldest of
    /// many questions without an answer means nothing any more.
    pub(crate) fn asked(&mut self, open: &OpenStream, asker: Asker) {
        if self.opening.len() >= MAX_OPENING {
            self.opening.remove(0);
        }
        self.opening.push((open.local, open.remote, asker));
    }

    /// The one who asked first for this stream, and has not got it.
    pub(crate) fn asker(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<Asker> {
        let same = |asked: &(SocketAddr, SocketAddr, Asker)| (asked.0, asked.1) == (local, remote);
        let index = self.opening.iter().position(same)?;
        Some(self.opening.remove(index).2)
    }

    /// Datagrams come framed on this stream from now on.
    pub(crate) fn connect(&mut self, path: Path) {
        if let Transport::Stream(stream) = path.transport {
            let deframer = Deframer::default();
            self.inlets.insert(stream, Inlet { path, deframer });
        }
    }

    /// Takes an inlet out while its frames are dealt with; see [`put_back`](Self::put_back).
    pub(crate) fn take(&mut self, stream: StreamId) -> Option<Inlet> {
        self.inlets.remove(&stream)
    }

    pub(crate) fn put_back(&mut self, stream: StreamId, inlet: Inlet) {
        self.inlets.insert(stream, inlet);
    }

    pub(crate) fn disconnect(&mut self, stream: StreamId) {
        self.inlets.remove(&stream);
    }

    /// A datagram from a socket.
    pub(crate) fn handle_datagram(
        &mut self,
        path: Path,
        contents: &[u8],
        now: Instant,
    ) -> Gathered {
        match &mut self.gatherer {
            Some(gatherer) => gatherer.handle_octets(path, contents, now),
            None => Gathered::NotMine,
        }
    }

    /// Gives what leaves from a relayed address its way to the relay; `None`, and nothing in the
    /// buffer, when there is none any more.
    pub(crate) fn wrap(
        &mut self,
        transmit: Transmit,
        buf: &mut Vec<u8>,
        start: usize,
    ) -> Option<Transmit> {
        match &mut self.gatherer {
            Some(gatherer) if gatherer.is_relayed(&transmit.path.local) => {
                let wrapped = gatherer.encapsulate(transmit, buf, start);
                if wrapped.is_err() {
                    buf.truncate(start);
                }
                wrapped.ok()
            }
            Some(_) | None => Some(transmit),
        }
    }

    /// A path may be used soon: the relay lets its peer through (RFC 8656 §9).
    pub(crate) fn permit(&mut self, path: &Path, now: Instant) {
        if let Some(gatherer) = &mut self.gatherer
            && gatherer.is_relayed(&path.local)
            && let Err(error) = gatherer.permit(path.local, path.remote.ip(), now)
        {
            tracing::debug!(%error, "no permission");
        }
    }

    /// A path is in use: a channel saves octets (RFC 8656 §12).
    pub(crate) fn bind_channel(&mut self, path: &Path, now: Instant) {
        if let Some(gatherer) = &mut self.gatherer
            && gatherer.is_relayed(&path.local)
            && let Err(error) = gatherer.bind_channel(path.local, path.remote, now)
        {
            tracing::debug!(%error, "no channel");
        }
    }

    /// Nothing comes over a path any more: the relay may have forgotten it.
    pub(crate) fn probe(&mut self, path: &Path, now: Instant) {
        if let Some(gatherer) = &mut self.gatherer
            && gatherer.is_relayed(&path.local)
        {
            gatherer.probe(path.local, now);
        }
    }

    /// Gathers from these addresses and no others, but for those that relays are reached from which
    /// are in use: they stay until data has left them, see [`keep`](Self::keep). Returns whether
    /// there are such relays.
    pub(crate) fn gather(
        &mut self,
        addresses: &[SocketAddr],
        in_use: &[SocketAddr],
        now: Instant,
    ) -> Result<bool, GatherError> {
        let Some(gatherer) = &mut self.gatherer else {
            return Ok(false);
        };
        let carries = in_use
            .iter()
            .filter_map(|relayed| gatherer.base_of(relayed));
        self.leaving = carries.filter(|base| !addresses.contains(base)).collect();
        for address in addresses {
            gatherer.add_base(*address)?;
        }
        let stays = |base: &SocketAddr| addresses.contains(base) || self.leaving.contains(base);
        let gone = gatherer.bases().filter(|base| !stays(base));
        for base in gone.collect::<Vec<_>>() {
            gatherer.remove_base(base, now);
        }
        gatherer.gather(now)?;
        Ok(!self.leaving.is_empty())
    }

    /// Whether a base stays only for a relay.
    pub(crate) fn is_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Data leaves from these addresses now: bases that only other relays needed may go.
    pub(crate) fn keep(&mut self, in_use: &[SocketAddr], now: Instant) {
        let Some(gatherer) = &mut self.gatherer else {
            return;
        };
        let needed = |gatherer: &Gatherer, base: SocketAddr| {
            let mut in_use = in_use.iter();
            in_use.any(|local| gatherer.base_of(local) == Some(base))
        };
        self.leaving.retain(|base| {
            let stays = needed(gatherer, *base);
            if !stays {
                gatherer.remove_base(*base, now);
            }
            stays
        });
    }
}

/// Writes its length before each datagram of a run that is on its way to a stream (RFC 4571); says
/// no when one is too long for that.
pub(crate) fn frame_run(buf: &mut Vec<u8>, start: usize, segment: Option<usize>) -> bool {
    let len = buf.len().saturating_sub(start);
    let segment = segment.unwrap_or(len).max(1);
    let Ok(_) = u16::try_from(segment) else {
        return false;
    };
    let count = len.div_ceil(segment);
    buf.resize(buf.len() + count * FRAME_PREFIX, 0);
    // From the last to the first, so that nothing is written over before it was moved.
    for index in (0..count).rev() {
        let from = start + index * segment;
        let to = (from + segment).min(start + len);
        let target = from + index * FRAME_PREFIX;
        buf.copy_within(from..to, target + FRAME_PREFIX);
        let prefix = u16::try_from(to - from).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(place) = buf.get_mut(target..target + FRAME_PREFIX) {
            place.copy_from_slice(&prefix);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_datagram_of_a_run_gets_its_own_frame() {
        let mut buf = b"xabcdefgh".to_vec();
        assert!(frame_run(&mut buf, 1, Some(3)));
        assert_eq!(buf, b"x\x00\x03abc\x00\x03def\x00\x02gh");
        let mut one = b"abc".to_vec();
        assert!(frame_run(&mut one, 0, None));
        assert_eq!(one, b"\x00\x03abc");
        let mut long = vec![0; 70_000];
        assert!(!frame_run(&mut long, 0, None));
    }
}
