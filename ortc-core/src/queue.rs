//! The events that wait for the application, and how many may.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::api::Event;

/// Media events that may wait; the next are dropped and counted.
pub(crate) const MAX_MEDIA_EVENTS: usize = 4_096;
/// Octets of media that may wait; more are dropped and counted.
pub(crate) const MAX_MEDIA_OCTETS: usize = 4 << 20;

/// Events in order. Those of the connection's life are never dropped: each follows from a call of
/// the application or from a state that can change only so often. Media, and what a peer can make
/// happen as often as it likes, is bounded.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    media: usize,
    octets: usize,
}

impl EventQueue {
    /// Queues an event of the connection's life.
    pub(crate) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Queues media; says no when the bound is reached.
    pub(crate) fn push_media(&mut self, event: Event) -> bool {
        let size = octets(&event);
        if self.media >= MAX_MEDIA_EVENTS || self.octets + size > MAX_MEDIA_OCTETS {
            return false;
        }
        self.media += 1;
        self.octets += size;
        self.events.push_back(event);
        true
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if is_media(&event) {
            self.media -= 1;
            self.octets -= octets(&event);
        }
        Some(event)
    }

    /// Drops what was received but not taken: the connection is closed.
    pub(crate) fn drop_media(&mut self) {
        self.events.retain(|event| !is_media(event));
        (self.media, self.octets) = (0, 0);
    }
}

fn payload(event: &Event) -> Option<&Bytes> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only these carry what the peer sends"
    )]
    match event {
        Event::Frame(frame) => Some(&frame.payload),
        Event::Rtp(rtp) => Some(&rtp.packet),
        Event::ApplicationData(data) => Some(data),
        _ => None,
    }
}

fn is_media(event: &Event) -> bool {
    matches!(
        event,
        Event::Gap(_)
            | Event::Dtmf { .. }
            | Event::KeyFrameRequested(_)
            | Event::ReceiveCodec { .. }
            | Event::StreamConnected(_)
            | Event::StreamDisconnected(_)
            | Event::TrackConnected(_)
            | Event::TrackDisconnected(_)
            | Event::UnknownTrack(_)
    ) || payload(event).is_some()
}

fn octets(event: &Event) -> usize {
    payload(event).map_or(0, Bytes::len)
}
