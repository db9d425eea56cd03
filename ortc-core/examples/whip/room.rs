//! Who publishes in a room and who plays: the way of packets and of requests for key frames.

use std::collections::BTreeMap;
use std::time::Instant;

use ortc_core::ReceivedRtp;

use crate::key_frames::KeyFrames;
use crate::session::{Part, Session, Source};

#[derive(Default)]
pub(crate) struct Room {
    pub(crate) publisher: Option<u64>,
    pub(crate) players: Vec<u64>,
}

pub(crate) type Sessions = BTreeMap<u64, Session>;

impl Room {
    pub(crate) fn is_empty(&self) -> bool {
        self.publisher.is_none() && self.players.is_empty()
    }

    /// A session is over.
    pub(crate) fn leave(&mut self, number: u64, sessions: &mut Sessions) {
        self.players.retain(|player| *player != number);
        if self.publisher == Some(number) {
            self.publisher = None;
            // They wait for the next publisher, and go on where this one stopped.
            for player in &self.players {
                if let Some(player) = sessions.get_mut(player) {
                    player.lose_source();
                }
            }
        }
    }

    /// Sends what the publisher has sent to all players, and asks it for the key frames that they
    /// need. `packets` is empty, and only there to be used again.
    pub(crate) fn carry(
        &self,
        sessions: &mut Sessions,
        packets: &mut Vec<ReceivedRtp>,
        key_frames: &mut KeyFrames,
        now: Instant,
    ) {
        let Some(number) = self.publisher else {
            return;
        };
        // Taken out, so that the sources and the players can be used together.
        let Some(mut session) = sessions.remove(&number) else {
            return;
        };
        if let Part::Publisher(publisher) = &mut session.part {
            core::mem::swap(packets, &mut publisher.received);
        }
        for player in &self.players {
            if let Some(player) = sessions.get_mut(player) {
                player.follow(session.sources());
                for packet in packets.iter() {
                    player.forward(packet, now);
                }
                ask(player, &mut session, key_frames, now);
            }
        }
        packets.clear();
        sessions.insert(number, session);
    }
}

/// Asks the publisher for what a player needs, when its time has come.
fn ask(player: &mut Session, publisher: &mut Session, key_frames: &mut KeyFrames, now: Instant) {
    let Part::Player(tracks) = &mut player.part else {
        return;
    };
    for playing in tracks.iter_mut().filter(|playing| playing.wants_key_frame) {
        let Some(ssrc) = playing.source else { continue };
        if key_frames.may_ask((publisher.number, ssrc), now)
            && publisher.connection.request_key_frame(ssrc, now).is_ok()
        {
            playing.wants_key_frame = false;
        }
    }
}

/// What is published in a room.
pub(crate) fn sources<'a>(room: Option<&Room>, sessions: &'a Sessions) -> &'a [Source] {
    let publisher = room.and_then(|room| room.publisher);
    let session = publisher.and_then(|number| sessions.get(&number));
    session.map_or(&[], Session::sources)
}
