//! The events that wait for the application, and how many may.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::api::{Event, MediaStream};

/// Media events that may wait; the next are dropped and counted.
pub(crate) const MAX_MEDIA_EVENTS: usize = 4_096;
/// Octets of media that may wait; more are dropped and counted.
pub(crate) const MAX_MEDIA_OCTETS: usize = 4 << 20;
/// Notices that may wait: what a peer can make happen as often as it likes without sending media.
/// They have a bound of their own, so that a queue full of frames loses none of them.
pub(crate) const MAX_NOTICES: usize = 4_096;
/// Octets of notices that may wait.
pub(crate) const MAX_NOTICE_OCTETS: usize = 1 << 20;

/// Room that an empty queue keeps after a burst.
const FEW: usize = 2;

/// Events in order. Those of the connection's life are never dropped: each follows from a call of
/// the application or from a state that can change only so often. Media, and what a peer can make
/// happen as often as it likes, is bounded.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    media: Load,
    notices: Load,
}

/// How much of one class waits.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    events: usize,
    octets: usize,
}

/// What an event counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Life,
    Notice(usize),
    Media(usize),
}

impl EventQueue {
    /// Queues an event; says no when the bound of its class is reached.
    pub(crate) fn push(&mut self, event: Event) -> bool {
        let fits = match class(&event) {
            Class::Life => true,
            Class::Notice(octets) => self.notices.add(octets, MAX_NOTICES, MAX_NOTICE_OCTETS),
            Class::Media(octets) => self.media.add(octets, MAX_MEDIA_EVENTS, MAX_MEDIA_OCTETS),
        };
        if matches!(event, Event::ActiveCandidate(_)) {
            // A peer can move the pair as often as it likes; only the latest matters.
            self.events
                .retain(|queued| !matches!(queued, Event::ActiveCandidate(_)));
        }
        if fits {
            self.events.push_back(event);
        }
        fits
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        match class(&event) {
            // These come in bursts, and then not for a long time: the room for them is given back.
            Class::Life if self.events.is_empty() => self.events.shrink_to(FEW),
            Class::Life => {}
            Class::Notice(octets) => self.notices.remove(octets),
            Class::Media(octets) => self.media.remove(octets),
        }
        Some(event)
    }

    /// Drops what was received but not taken: the connection is closed.
    pub(crate) fn drop_media(&mut self) {
        self.events.retain(|event| class(event) == Class::Life);
        (self.media, self.notices) = (Load::default(), Load::default());
    }
}

impl Load {
    fn add(&mut self, octets: usize, most_events: usize, most_octets: usize) -> bool {
        let fits = self.events < most_events && self.octets + octets <= most_octets;
        if fits {
            self.events += 1;
            self.octets += octets;
        }
        fits
    }

    fn remove(&mut self, octets: usize) {
        self.events -= 1;
        self.octets -= octets;
    }
}

/// What an event without strings takes, roughly.
const SMALL: usize = 64;

fn class(event: &Event) -> Class {
    match event {
        Event::Frame(frame) => media(&frame.payload),
        Event::Rtp(rtp) => media(&rtp.packet),
        Event::ApplicationData(data) => media(data),
        Event::Gap(_) => Class::Media(0),
        Event::UnknownTrack(unknown) => {
            let headers = unknown.rtp_ext_headers.iter();
            let text: usize = headers.map(|(uri, value)| uri.len() + value.len()).sum();
            Class::Notice(SMALL + text)
        }
        Event::ReceiveCodec { codec, .. } => {
            let params = codec.params.iter();
            let text = params.map(|param| {
                SMALL + param.name.len() + param.value.as_ref().map_or(0, String::len)
            });
            Class::Notice(SMALL + codec.name.len() + text.sum::<usize>())
        }
        Event::StreamConnected(stream) | Event::StreamDisconnected(stream) => {
            Class::Notice(stream_size(stream))
        }
        Event::Dtmf { .. }
        | Event::KeyFrameRequested(_)
        | Event::TrackConnected(_)
        | Event::TrackDisconnected(_) => Class::Notice(SMALL),
        Event::Candidate(_)
        | Event::EndOfCandidates
        | Event::Resolve { .. }
        | Event::OpenStream(_)
        | Event::CloseStream(_)
        | Event::IceServerFailed { .. }
        | Event::ActiveCandidate(_)
        | Event::Connected
        | Event::Unverified(_)
        | Event::Disconnected(_)
        | Event::AddStream(_)
        | Event::AddDtmfHandler(_)
        | Event::ToneStarted { .. }
        | Event::SendCodec { .. }
        | Event::KeyLog(_) => Class::Life,
    }
}

fn media(payload: &Bytes) -> Class {
    Class::Media(payload.len())
}

fn stream_size(stream: &MediaStream) -> usize {
    SMALL + stream.tracks().len() * SMALL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{
        ActivePair, MediaKind, MediaStreamTrack, RTCIceCandidateDescription, RTCTrack, UnknownTrack,
    };

    fn data(octets: usize) -> Event {
        Event::ApplicationData(Bytes::from(vec![0; octets]))
    }

    #[test]
    fn media_that_nobody_takes_is_bounded_in_number_and_in_octets() {
        let mut queue = EventQueue::default();
        let pushed = (0..10_000).filter(|_| queue.push(data(1))).count();
        assert_eq!(pushed, MAX_MEDIA_EVENTS);

        let mut queue = EventQueue::default();
        let pushed = (0..100).filter(|_| queue.push(data(1 << 16))).count();
        assert_eq!(pushed, MAX_MEDIA_OCTETS >> 16);
        queue.pop();
        assert!(queue.push(data(1 << 16)), "taking one makes room for one");
    }

    #[test]
    fn of_the_active_pairs_only_the_latest_waits() {
        let candidate = |port| RTCIceCandidateDescription {
            foundation: "1".to_owned(),
            component: 1,
            transport: "udp".to_owned(),
            tcp_type: None,
            priority: 1,
            connection_address: "192.0.2.1".to_owned(),
            connection_port: port,
            kind: "host".to_owned(),
            rel_address: None,
            rel_port: None,
            dtls: None,
        };
        let pair = |port| {
            Event::ActiveCandidate(Box::new(ActivePair {
                local: candidate(port),
                remote: candidate(port),
            }))
        };
        let mut queue = EventQueue::default();
        queue.push(Event::Connected);
        (1..10_000).for_each(|port| assert!(queue.push(pair(port))));
        assert_eq!(queue.pop(), Some(Event::Connected));
        assert_eq!(queue.pop(), Some(pair(9_999)));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn what_a_peer_can_make_happen_is_bounded_and_what_life_brings_is_not() {
        let mut queue = EventQueue::default();
        let unknown = |ssrc| {
            Event::UnknownTrack(Box::new(UnknownTrack {
                ssrc,
                payload_type: 96,
                rtp_ext_headers: [("1".to_owned(), "ff".repeat(200))].into(),
            }))
        };
        let pushed = (0..100_000)
            .filter(|ssrc| queue.push(unknown(*ssrc)))
            .count();
        assert!(
            pushed * 400 <= MAX_NOTICE_OCTETS && pushed > 1_000,
            "{pushed}"
        );

        let mut queue = EventQueue::default();
        let asked = Event::KeyFrameRequested(RTCTrack { slot: 0, ssrc: 7 });
        let pushed = (0..100_000).filter(|_| queue.push(asked.clone())).count();
        assert_eq!(pushed, MAX_NOTICES);
        while queue.push(data(0)) {}
        assert!(queue.push(Event::Connected), "an event of life always fits");
        let track = MediaStreamTrack::new(MediaKind::Audio, "t", "t");
        assert!(!queue.push(Event::TrackConnected(track)));

        queue.drop_media();
        assert_eq!(queue.pop(), Some(Event::Connected));
        assert_eq!(queue.pop(), None);
    }
}
