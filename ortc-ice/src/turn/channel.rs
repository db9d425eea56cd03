//! Channels (RFC 8656 §12): numbers that stand for peers.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// The first number (RFC 8656 §12).
const FIRST: u16 = 0x4000;
/// How many numbers there are (RFC 8656 §12).
pub(super) const CHANNELS: usize = 0x1000;
/// A binding is asked for again this long after it was: it lasts 10 minutes (RFC 8656 §12), and a
/// request may take 39.5 s.
const REFRESH: Duration = Duration::from_secs(540);
/// How long a binding lasts (RFC 8656 §12).
const LIFETIME: Duration = Duration::from_secs(600);
/// For how long after its end neither number nor peer may be bound anew (RFC 8656 §12).
const QUARANTINE: Duration = Duration::from_secs(300);

/// A channel number, 0x4000 to 0x4FFF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(u16);

impl Number {
    pub(super) const fn get(self) -> u16 {
        self.0
    }

    fn from_index(index: usize) -> Option<Self> {
        let index = u16::try_from(index).ok().filter(|_| index < CHANNELS)?;
        Some(Self(FIRST + index))
    }

    fn index(self) -> usize {
        usize::from(self.0.saturating_sub(FIRST))
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The request is not answered yet.
    Asked,
    /// Bound; to be refreshed then, or just being refreshed.
    Bound(Option<Instant>),
    /// No longer kept; number and peer belong together until then.
    Retired(Instant),
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    peer: SocketAddr,
    state: State,
    /// When the last binding that may have reached the server ends.
    ends: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Channels {
    by_number: Vec<Channel>,
    by_peer: BTreeMap<SocketAddr, Number>,
    due: BTreeSet<(Instant, Number)>,
}

/// What came of a wish to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bind {
    /// There is one, or a request is out.
    Already,
    /// Ask for this number.
    Ask(Number),
    /// All numbers are in use or in quarantine.
    Full,
}

impl Channels {
    pub(super) fn bind(&mut self, peer: SocketAddr, most: usize, now: Instant) -> Bind {
        let ends = now + LIFETIME;
        let asked = Channel {
            peer,
            state: State::Asked,
            ends,
        };
        if let Some(number) = self.by_peer.get(&peer).copied() {
            let Some(channel) = self.by_number.get_mut(number.index()) else {
                return Bind::Full;
            };
            return match channel.state {
                State::Asked | State::Bound(_) => Bind::Already,
                // The same pair may be bound again at any time.
                State::Retired(_) => {
                    *channel = asked;
                    Bind::Ask(number)
                }
            };
        }
        let number = if self.by_number.len() < most.min(CHANNELS) {
            let Some(number) = Number::from_index(self.by_number.len()) else {
                return Bind::Full;
            };
            self.by_number.push(asked);
            number
        } else {
            let free = |channel: &Channel| matches!(channel.state, State::Retired(at) if at <= now);
            let Some(index) = self.by_number.iter().position(free) else {
                return Bind::Full;
            };
            let (Some(number), Some(channel)) =
                (Number::from_index(index), self.by_number.get_mut(index))
            else {
                return Bind::Full;
            };
            self.by_peer.remove(&channel.peer);
            *channel = asked;
            number
        };
        self.by_peer.insert(peer, number);
        Bind::Ask(number)
    }

    /// The number to send to this peer with.
    pub(super) fn to(&self, peer: SocketAddr) -> Option<Number> {
        let number = *self.by_peer.get(&peer)?;
        let channel = self.by_number.get(number.index())?;
        matches!(channel.state, State::Bound(_)).then_some(number)
    }

    /// The peer whose data comes with this number.
    pub(super) fn from(&self, number: u16) -> Option<SocketAddr> {
        let index = usize::from(number.checked_sub(FIRST)?);
        self.by_number.get(index).map(|channel| channel.peer)
    }

    /// A request that was first sent at `since` succeeded; whether this is the first time.
    pub(super) fn bound(&mut self, number: Number, since: Instant) -> bool {
        let Some(channel) = self.by_number.get_mut(number.index()) else {
            return false;
        };
        let (at, before) = (since + REFRESH, channel.state);
        channel.ends = since + LIFETIME;
        if let State::Retired(_) = before {
            channel.state = State::Retired(channel.ends + QUARANTINE);
            return false;
        }
        channel.state = State::Bound(Some(at));
        if let State::Bound(Some(at)) = before {
            self.due.remove(&(at, number));
        }
        self.due.insert((at, number));
        matches!(before, State::Asked)
    }

    /// Nothing is asked for it any more.
    pub(super) fn retire(&mut self, number: Number) {
        if let Some(channel) = self.by_number.get_mut(number.index()) {
            let state = State::Retired(channel.ends + QUARANTINE);
            if let State::Bound(Some(at)) = core::mem::replace(&mut channel.state, state) {
                self.due.remove(&(at, number));
            }
        }
    }

    /// Retires all channels to peers at this address.
    pub(super) fn retire_all(&mut self, peer: IpAddr) {
        let first = SocketAddr::new(peer, 0);
        let last = SocketAddr::new(peer, u16::MAX);
        let numbers: Vec<_> = self.by_peer.range(first..=last).map(|(_, n)| *n).collect();
        for number in numbers {
            self.retire(number);
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes one channel that is due: to be bound again.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Number, SocketAddr)> {
        let (at, number) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, number));
        let channel = self.by_number.get_mut(number.index())?;
        channel.state = State::Bound(None);
        Some((number, channel.peer))
    }

    /// Whether a request for it is still of use.
    pub(super) fn is_kept(&self, number: Number) -> bool {
        self.by_number
            .get(number.index())
            .is_some_and(|channel| !matches!(channel.state, State::Retired(_)))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
