//! When sources were asked for key frames: what many ask for is asked once.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

/// Shortest time between two requests to one source. A key frame costs as much as many others, and
/// takes about a round trip to come.
const BETWEEN: Duration = Duration::from_millis(500);

/// By call and SSRC.
#[derive(Default)]
pub(crate) struct KeyFrames(BTreeMap<(u64, u32), Instant>);

impl KeyFrames {
    /// Whether a source may be asked now; it then counts as asked.
    pub(crate) fn may_ask(&mut self, source: (u64, u32), now: Instant) -> bool {
        let asked = self.0.get(&source);
        let may = asked.is_none_or(|at| now >= *at + BETWEEN);
        if may {
            self.0.insert(source, now);
        }
        may
    }

    pub(crate) fn forget(&mut self, call: u64) {
        self.0.retain(|(of, _), _| *of != call);
    }
}
