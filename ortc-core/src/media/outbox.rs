//! What is ready to leave: the one list that `poll_transmit` looks at, however many streams exist.

use std::collections::VecDeque;

use ortc_rtp::payload::Segment;

/// Media packets that may wait.
pub(crate) const MAX_PACKETS: usize = 4_096;
/// Octets of media that may wait.
pub(crate) const MAX_OCTETS: usize = 4 << 20;
/// Feedback and retransmissions that may wait.
pub(crate) const MAX_CONTROL: usize = 1_024;
/// How much may wait when one more retransmission is asked for.
const MAX_RESENDS: usize = 768;

/// An RTP packet that lacks its sequence number and its protection.
#[derive(Debug)]
pub(crate) struct QueuedRtp {
    pub(crate) slot: u32,
    /// The track that it was made for: a slot can be given to another since.
    pub(crate) ssrc: u32,
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) numbering: Numbering,
    pub(crate) cargo: Cargo,
    pub(crate) payload: Segment,
}

/// How a packet gets its number when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// The next one, after so many that are left out.
    Next { skip: u16 },
    /// By its place among the packets of a source that is forwarded.
    OfSource(SourcePlace),
}

/// The place of a forwarded packet among those of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourcePlace {
    /// Its number there, extended.
    pub(crate) sequence: u64,
    /// Numbers missing before it; `None` when it comes after others with higher ones.
    pub(crate) skip: Option<u16>,
    /// Which beginning of a source it belongs to.
    pub(crate) epoch: u16,
    /// Which of the sources that the track forwards, one after the other.
    pub(crate) source: u16,
    /// Octets of header extension at the beginning of the payload.
    pub(crate) lead: u16,
}

impl Numbering {
    /// The header extension at the beginning of the payload: its octets, and whose it is.
    pub(crate) fn lead(self) -> Option<(usize, u16)> {
        match self {
            Self::OfSource(place) if place.lead > 0 => {
                Some((usize::from(place.lead), place.source))
            }
            Self::OfSource(_) | Self::Next { .. } => None,
        }
    }
}

/// What an RTP packet carries, and with it whether it identifies its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cargo {
    Media,
    /// Telephone events carry no header extensions: receivers route them by SSRC.
    Tones,
}

/// RTCP, and RTP sent again: written when it leaves, from the state of that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Report,
    Bye { ssrc: u32 },
    Nack { slot: u32 },
    Pli { ssrc: u32 },
    Fir { ssrc: u32, sequence: u8 },
    Resend { slot: u32, ssrc: u32, sequence: u16 },
}

/// Control first: it is small and late control is worthless.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) control: VecDeque<Control>,
    media: VecDeque<QueuedRtp>,
    octets: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.media.is_empty()
    }

    /// Queues control; says no when the bound is reached. What the peer asks for again leaves room
    /// for what this side has to say, and a goodbye always fits: there is one for each track.
    pub(crate) fn push_control(&mut self, control: Control) -> bool {
        let limit = match control {
            Control::Resend { .. } => MAX_RESENDS,
            Control::Report | Control::Nack { .. } | Control::Pli { .. } | Control::Fir { .. } => {
                MAX_CONTROL
            }
            Control::Bye { .. } => usize::MAX,
        };
        let fits = self.control.len() < limit;
        if fits {
            self.control.push_back(control);
        }
        fits
    }

    /// Whether so much media fits.
    pub(crate) fn has_room(&self, packets: usize, octets: usize) -> bool {
        self.media.len() + packets <= MAX_PACKETS && self.octets + octets <= MAX_OCTETS
    }

    pub(crate) fn push_media(&mut self, packet: QueuedRtp) {
        self.octets += packet.payload.len();
        self.media.push_back(packet);
    }

    pub(crate) fn pop_media(&mut self) -> Option<QueuedRtp> {
        let packet = self.media.pop_front()?;
        self.octets -= packet.payload.len();
        Some(packet)
    }

    /// The next media packet, for whoever makes a run of packets.
    pub(crate) fn peek_media(&self) -> Option<&QueuedRtp> {
        self.media.front()
    }

    /// What was asked for again before an interruption is stale after it.
    pub(crate) fn forget_resends(&mut self) {
        self.control
            .retain(|control| !matches!(control, Control::Resend { .. }));
    }

    pub(crate) fn clear_media(&mut self) {
        self.media.clear();
        self.octets = 0;
    }
}
