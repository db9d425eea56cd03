//! A look whether the allocation is still there, ahead of its next refresh.

use std::time::Instant;

use super::{Client, State};

impl Client {
    /// Asks the server now whether the allocation is still there, with a Refresh ahead of its time
    /// (RFC 8656 §7.1): when nothing comes through it any more, the server may have been restarted.
    /// If it is gone, [`Event::Lost`](crate::turn::Event::Lost) follows. While one is on its way
    /// already, and without an allocation, it does nothing.
    pub fn probe(&mut self, now: Instant) {
        self.advance(now);
        if let State::Allocated(allocation) = &mut self.state
            && let Some(at) = &mut allocation.refresh_at
        {
            *at = (*at).min(self.now);
            self.handle_timeout(now);
        }
    }
}
