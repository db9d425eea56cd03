//! Pages that see each other: what one sends the others of its room receive.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ortc_core::ReceivedRtp;

use crate::call::Call;
use crate::key_frames::KeyFrames;

/// Which calls share a room. A page that names none has a room of its own.
#[derive(Default)]
pub(crate) struct Rooms {
    rooms: BTreeMap<String, Vec<u64>>,
    /// Who has left which members behind.
    left: Vec<(u64, Vec<u64>)>,
    key_frames: KeyFrames,
    /// What is being handed on.
    packets: Vec<ReceivedRtp>,
}

impl Rooms {
    pub(crate) fn enter(&mut self, room: &str, call: u64) {
        if !room.is_empty() {
            self.rooms.entry(room.to_owned()).or_default().push(call);
        }
    }

    pub(crate) fn leave(&mut self, call: u64) {
        for members in self.rooms.values_mut() {
            if members.contains(&call) {
                self.key_frames.forget(call);
                members.retain(|member| *member != call);
                self.left.push((call, members.clone()));
            }
        }
        self.rooms.retain(|_, members| !members.is_empty());
    }

    /// Takes the packets that each call has received and hands them to the others of its room.
    pub(crate) fn carry(&mut self, calls: &mut BTreeMap<u64, Call>, now: Instant) {
        for members in self.rooms.values() {
            for &from in members {
                self.packets.clear();
                if let Some(call) = calls.get_mut(&from) {
                    call.take_received(&mut self.packets);
                }
                for &to in members.iter().filter(|to| **to != from) {
                    hand_on(calls, (from, to), &self.packets, now);
                }
                carry_requests(&mut self.key_frames, calls, from, members, now);
            }
        }
    }

    /// Tells those who stayed.
    pub(crate) fn say_goodbye(&mut self, calls: &mut BTreeMap<u64, Call>, now: Instant) {
        for (gone, members) in self.left.drain(..) {
            for member in members {
                if let Some(call) = calls.get_mut(&member) {
                    call.forget(gone, now);
                }
            }
        }
    }
}

/// Packets of one call leave on another, on a track that is made with the first of them.
fn hand_on(
    calls: &mut BTreeMap<u64, Call>,
    (from, to): (u64, u64),
    packets: &[ReceivedRtp],
    now: Instant,
) {
    for packet in packets {
        let described = calls
            .get(&from)
            .and_then(|call| call.described(packet.ssrc));
        let lacks = |kind| {
            let other = calls.get(&to);
            other.is_some_and(|other| other.lacks((from, packet.ssrc), kind))
        };
        let missing = described.filter(|source| lacks(source.kind)).cloned();
        let Some(other) = calls.get_mut(&to) else {
            return;
        };
        if let Some(source) = missing {
            other.add_copy(from, &source, now);
        }
        other.forward(from, packet, now);
    }
}

/// Asks a call for the key frames that others need, those whose time has come.
fn carry_requests(
    key_frames: &mut KeyFrames,
    calls: &mut BTreeMap<u64, Call>,
    from: u64,
    members: &[u64],
    now: Instant,
) {
    let others = members.iter().filter_map(|to| calls.get(to));
    let wanted: BTreeSet<_> = others
        .flat_map(|call| call.key_frames_wanted_of(from))
        .collect();
    for ssrc in wanted {
        if !key_frames.may_ask((from, ssrc), now) {
            continue;
        }
        if let Some(call) = calls.get_mut(&from) {
            call.request_key_frame(ssrc, now);
        }
        for to in members {
            if let Some(call) = calls.get_mut(to) {
                call.key_frame_is_asked_of(from, ssrc);
            }
        }
    }
}
