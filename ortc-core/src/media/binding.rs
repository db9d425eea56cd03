//! Which SSRC is which track, where header extensions say so: the identification of RFC 9143 §9.2 and
//! RFC 8852.

use ortc_rtp::stream::ReceiveStream;
use ortc_rtp::wire::RtpPacket;

use super::receive::Meaning;
use super::{Media, Output, Presence, ReceiveTrack};

impl Media {
    /// A new SSRC that carries the identification of a described track, and a codec of it: the
    /// track is bound to it, unless it is heard on another. A retransmission stream has the
    /// identification of the track that it repairs, and other payload types.
    pub(super) fn bind_by_extension(&mut self, view: &RtpPacket<'_>) -> Option<u32> {
        view.extension()?;
        let (slot, former) = self
            .receivers
            .iter()
            .find(|(_, track)| self.binds(track, view))
            .map(|(slot, track)| (slot, track.wire_ssrc))?;
        self.unroute(slot, former);
        self.receivers.get_mut(slot)?.move_to(view.ssrc());
        self.receive_routes.insert(view.ssrc(), slot);
        Some(slot)
    }

    /// Whether the packet's header extensions make its SSRC this track's.
    pub(crate) fn binds(&self, track: &ReceiveTrack, view: &RtpPacket<'_>) -> bool {
        let ids = track.extension_ids.as_deref();
        let ids = ids.unwrap_or(&self.settings.extension_ids);
        track.presence != Presence::Connected
            && track.payloads.meaning(view.payload_type()) != Meaning::NotListed
            && ids.binds(&track.rtp_ext_headers, view)
    }

    /// Packets of this SSRC are the track's no longer, if they were.
    pub(crate) fn unroute(&mut self, slot: u32, ssrc: u32) {
        if self.receive_routes.get(ssrc) == Some(slot) {
            self.receive_routes.remove(ssrc);
        }
    }

    /// The SSRC that header extensions bound a track to is another's: the track waits again for
    /// what its own description says.
    pub(crate) fn unbind(&mut self, slot: u32, out: &mut Output) {
        self.departed(slot, out);
        let Some(track) = self.receivers.get_mut(slot) else {
            return;
        };
        let (former, own) = (track.wire_ssrc, track.ssrc);
        track.move_to(own);
        self.unroute(slot, former);
        if self.receive_routes.get(own).is_none() {
            self.receive_routes.insert(own, slot);
        }
    }
}

impl ReceiveTrack {
    /// The packets of the track come under this SSRC from now on.
    fn move_to(&mut self, ssrc: u32) {
        self.wire_ssrc = ssrc;
        match self.presence {
            Presence::NeverHeard => {
                let rate = self.payloads.first_clock_rate();
                self.stream = ReceiveStream::new(ssrc, rate);
            }
            // The first packet begins all anew.
            Presence::Connected | Presence::Disconnected | Presence::Left => {
                self.presence = Presence::Left;
            }
        }
    }
}
