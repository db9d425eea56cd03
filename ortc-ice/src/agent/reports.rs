//! Attributes of the peer's embedder: told once integrity has vouched for them.

use super::Agent;
use crate::attributes::ATTRIBUTES_MAX;
use crate::event::Event;
use crate::path::Path;
use crate::stun::Message;

/// Events about attributes that wait at most.
const QUEUED_MAX: usize = 32;

/// What was told about the attributes of the configuration, in their order.
#[derive(Debug, Default)]
pub(super) struct Reports {
    queued: usize,
    /// The embedder knows that the peer does not send it.
    missing: [bool; ATTRIBUTES_MAX],
}

impl Reports {
    /// An event was taken out.
    pub(super) fn taken(&mut self) {
        self.queued = self.queued.saturating_sub(1);
    }
}

impl Agent {
    /// Tells of the attributes that the embedder wants to know of. The message is authenticated.
    #[inline]
    pub(super) fn report_attributes(
        &mut self,
        path: Path,
        message: &Message<'_>,
        in_response: bool,
    ) {
        if self.config.reported.is_empty() {
            return;
        }
        for (kind, missing) in self.config.reported.iter().zip(&mut self.reports.missing) {
            let value = message
                .covered_attributes()
                .find(|attribute| attribute.kind == *kind)
                .map(|attribute| attribute.value);
            if value.is_none() && *missing {
                continue;
            }
            let too_long = value.is_some_and(|value| value.len() > self.config.max_check_len);
            if self.reports.queued >= QUEUED_MAX || too_long {
                self.counters.attributes_unreported += 1;
                continue;
            }
            *missing = value.is_none();
            self.reports.queued += 1;
            self.events.push_back(Event::CheckAttribute {
                path,
                kind: *kind,
                value: value.map(<[u8]>::to_vec),
                in_response,
            });
        }
    }
}
