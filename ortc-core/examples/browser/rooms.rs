//! Pages that see each other: what one sends the others of its room receive.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::call::Call;

/// Which calls share a room. A page that names none has a room of its own.
#[derive(Default)]
pub(crate) struct Rooms {
    rooms: BTreeMap<String, Vec<u64>>,
    /// Who has left which members behind.
    left: Vec<(u64, Vec<u64>)>,
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
                members.retain(|member| *member != call);
                self.left.push((call, members.clone()));
            }
        }
        self.rooms.retain(|_, members| !members.is_empty());
    }

    /// Takes what each call has received and hands it to the others of its room.
    pub(crate) fn carry(&mut self, calls: &mut BTreeMap<u64, Call>, now: Instant) {
        for members in self.rooms.values() {
            for from in members {
                let Some(call) = calls.get_mut(from) else {
                    continue;
                };
                let frames = call.take_received();
                let mut wanted = Vec::new();
                for to in members.iter().filter(|to| *to != from) {
                    if let Some(other) = calls.get_mut(to) {
                        for frame in &frames {
                            other.forward(*from, frame, now);
                        }
                        wanted.append(&mut other.key_frames_wanted_of(*from));
                    }
                }
                if let Some(call) = calls.get_mut(from) {
                    for ssrc in wanted {
                        call.request_key_frame(ssrc, now);
                    }
                }
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
