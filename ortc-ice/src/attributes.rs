//! Attributes of the embedder's own that ride in checks and answers: the seam for a handshake that
//! saves its round trips that way. What they mean is none of the agent's business.

use thiserror::Error;

use crate::stun::{AttributeType, MessageBuilder};

/// Kinds that are sent, or reported, at most.
pub(crate) const ATTRIBUTES_MAX: usize = 4;
/// Values of one kind that take turns at most: the datagrams of one flight of a handshake.
const VALUES_MAX: usize = 16;

/// Why [`Agent::set_check_attribute`](crate::Agent::set_check_attribute) was refused; nothing
/// changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// A receiver would have to understand it (it is below 0x8000), or the agent uses it itself.
    #[error("attribute {0} is not free for use")]
    Kind(AttributeType),
    /// A value does not fit beside what a check has to carry: at most `room` octets.
    #[error("value has {have} octets and there is room for {room}")]
    TooLong {
        /// Octets of the value, padded to four.
        have: usize,
        /// Octets that are free for it.
        room: usize,
    },
    /// More than 16 values for one kind, or more than four kinds.
    #[error("too many attributes")]
    TooMany,
    /// The agent is closed.
    #[error("agent is closed")]
    Closed,
}

/// Whether a kind may be ignored by whoever does not know it, and is not one of our own.
pub(crate) fn is_opaque(kind: AttributeType) -> bool {
    !kind.is_comprehension_required()
        && !matches!(
            kind,
            AttributeType::FINGERPRINT
                | AttributeType::ICE_CONTROLLED
                | AttributeType::ICE_CONTROLLING
                | AttributeType::NOMINATION
        )
}

/// One kind and the values that take turns.
#[derive(Debug)]
struct Riding {
    kind: AttributeType,
    values: Vec<Vec<u8>>,
    next: usize,
}

/// What rides in our checks and answers.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<Riding>);

impl Attributes {
    /// Octets that the attributes take in the longest message.
    fn longest(&self, except: AttributeType) -> usize {
        let longest = |riding: &Riding| riding.values.iter().map(|value| room_for(value)).max();
        self.0
            .iter()
            .filter(|riding| riding.kind != except)
            .filter_map(longest)
            .sum()
    }

    /// Replaces the values of a kind, with `free` octets for all kinds together.
    pub(crate) fn set(
        &mut self,
        kind: AttributeType,
        values: Vec<Vec<u8>>,
        free: usize,
    ) -> Result<(), AttributeError> {
        if !is_opaque(kind) {
            return Err(AttributeError::Kind(kind));
        }
        let known = self.0.iter().position(|riding| riding.kind == kind);
        if values.is_empty() {
            if let Some(known) = known {
                self.0.remove(known);
            }
            return Ok(());
        }
        if values.len() > VALUES_MAX || (known.is_none() && self.0.len() >= ATTRIBUTES_MAX) {
            return Err(AttributeError::TooMany);
        }
        let room = free.saturating_sub(self.longest(kind));
        if let Some(have) = values.iter().map(|value| room_for(value)).max()
            && have > room
        {
            return Err(AttributeError::TooLong {
                have: have - HEADER,
                room: room.saturating_sub(HEADER),
            });
        }
        let riding = Riding {
            kind,
            values,
            next: 0,
        };
        match known.and_then(|known| self.0.get_mut(known)) {
            Some(known) => *known = riding,
            None => self.0.push(riding),
        }
        Ok(())
    }

    /// Appends the value of each kind whose turn it is, as far as the message stays this short.
    pub(crate) fn write(&mut self, message: &mut MessageBuilder<'_>, longest: usize) {
        for riding in &mut self.0 {
            let Some(value) = riding.values.get(riding.next) else {
                continue;
            };
            if message.message_len() + room_for(value) + TAIL > longest {
                continue;
            }
            if message.attribute(riding.kind, value).is_ok() {
                riding.next = (riding.next + 1) % riding.values.len();
            }
        }
    }
}

/// Octets of an attribute's header.
const HEADER: usize = 4;
/// Octets of MESSAGE-INTEGRITY and FINGERPRINT, which follow.
const TAIL: usize = 24 + 8;

fn room_for(value: &[u8]) -> usize {
    HEADER + value.len().next_multiple_of(4)
}

/// Octets of a check without attributes of the embedder's, when the two fragments have this many
/// together; an answer is shorter.
pub(crate) const fn check_len(ufrags: usize) -> usize {
    const HEADER_LEN: usize = crate::stun::HEADER_LEN;
    let username = HEADER + (ufrags + 1).next_multiple_of(4);
    let priority = HEADER + 4;
    let role = HEADER + 8;
    let nomination = HEADER + HEADER + 4; // with USE-CANDIDATE
    HEADER_LEN + username + priority + role + nomination + TAIL
}
