//! Packets of sources that nobody has described yet: media overtakes signalling.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

/// Sources that may wait for a description.
pub(crate) const MAX_SOURCES: usize = 16;
/// Packets that may wait, of one source.
pub(crate) const MAX_PACKETS: usize = 64;
/// Octets that may wait, of all sources together.
pub(crate) const MAX_OCTETS: usize = 256 << 10;

/// A source with the packets that wait for its description. Authenticated, so a stranger cannot
/// fill it; bounded, because a peer can.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    packets: VecDeque<(Bytes, Instant)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct UnknownSources {
    sources: VecDeque<Source>,
    octets: usize,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parked {
    /// The first of its source: the application is told.
    First,
    Kept,
    Full,
}

impl UnknownSources {
    pub(crate) fn park(&mut self, ssrc: u32, packet: &[u8], now: Instant) -> Parked {
        let known = self.sources.iter().position(|source| source.ssrc == ssrc);
        if known.is_none() && self.sources.len() == MAX_SOURCES {
            // The oldest has waited longest for a description that did not come; probes on
            // sources of their own must not shut out a real one.
            if let Some(oldest) = self.sources.pop_front() {
                self.octets -= size(&oldest);
            }
        }
        let source = match known.and_then(|index| self.sources.get_mut(index)) {
            Some(source) => source,
            None => {
                self.sources.push_back(Source {
                    ssrc,
                    packets: VecDeque::new(),
                });
                let Some(source) = self.sources.back_mut() else {
                    return Parked::Full;
                };
                source
            }
        };
        if source.packets.len() < MAX_PACKETS && self.octets + packet.len() <= MAX_OCTETS {
            self.octets += packet.len();
            source
                .packets
                .push_back((Bytes::copy_from_slice(packet), now));
        } else if known.is_some() {
            return Parked::Full;
        }
        if known.is_none() {
            Parked::First
        } else {
            Parked::Kept
        }
    }

    /// The packets of a source that has been described.
    pub(crate) fn take(&mut self, ssrc: u32) -> VecDeque<(Bytes, Instant)> {
        let Some(index) = self.sources.iter().position(|source| source.ssrc == ssrc) else {
            return VecDeque::new();
        };
        let Some(source) = self.sources.remove(index) else {
            return VecDeque::new();
        };
        self.octets -= size(&source);
        source.packets
    }

    /// Sources that wait.
    pub(crate) fn ssrcs(&self) -> impl Iterator<Item = u32> {
        self.sources.iter().map(|source| source.ssrc)
    }

    /// The first packet of a source that waits.
    pub(crate) fn first(&self, ssrc: u32) -> Option<&Bytes> {
        let source = self.sources.iter().find(|source| source.ssrc == ssrc)?;
        source.packets.front().map(|(packet, _)| packet)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn size(source: &Source) -> usize {
    source.packets.iter().map(|(packet, _)| packet.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
    fn now() -> Instant {
        Instant::now()
    }

    fn octets(sources: &UnknownSources) -> usize {
        sources.sources.iter().map(size).sum()
    }

    #[test]
    fn what_waits_is_bounded_in_octets_over_all_sources() {
        let (mut sources, now) = (UnknownSources::default(), now());
        for round in 0..MAX_PACKETS {
            for ssrc in 0..16 {
                let parked = sources.park(ssrc, &[0x80; 1_200], now);
                assert_eq!(parked == Parked::First, round == 0);
            }
        }
        assert!(octets(&sources) <= MAX_OCTETS);
        assert!(
            octets(&sources) > MAX_OCTETS - 1_200,
            "the bound was reached"
        );
        assert_eq!(sources.park(3, &[0x80; 1_200], now), Parked::Full);
        assert_eq!(octets(&sources), sources.octets);
    }

    /// A source that comes when all places are taken takes that of the one that waited longest,
    /// and the octets of the leaver are free again.
    #[test]
    fn the_source_that_waited_longest_gives_way_with_its_octets() {
        let (mut sources, now) = (UnknownSources::default(), now());
        for ssrc in 0..1_000 {
            assert_eq!(sources.park(ssrc, &[0x80; 1_000], now), Parked::First);
        }
        assert_eq!(sources.ssrcs().count(), MAX_SOURCES);
        assert_eq!(octets(&sources), MAX_SOURCES * 1_000);
        assert_eq!(octets(&sources), sources.octets);
        assert_eq!(sources.take(0).len(), 0);
        assert_eq!(sources.take(999).len(), 1);
        assert_eq!(octets(&sources), sources.octets);
    }
}
