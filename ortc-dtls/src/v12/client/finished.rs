//! The server's Finished in.

use crate::context::Context;
use crate::established::{Established, KeyProved, PeerKey, verify_finished};
use crate::event::CloseReason;
use crate::keying::Tls12Secrets;
use crate::reassembly::Message;
use crate::v12::keys::VERIFY_DATA_LEN;
use crate::v12::{Session, unexpected};
use crate::wire::HandshakeType;

#[derive(Debug)]
pub(crate) struct AwaitFinished {
    pub(super) session: Session,
    pub(super) secrets: Tls12Secrets,
    pub(super) proved: KeyProved,
    pub(super) expected: [u8; VERIFY_DATA_LEN],
}

impl AwaitFinished {
    pub(super) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Established, CloseReason> {
        if message.kind != HandshakeType::FINISHED {
            return Err(unexpected(message));
        }
        let finished = verify_finished(&message.body, &self.expected)?;
        // The server has all of our flight: nothing is left to be repeated.
        cx.flight.clear();
        Ok(self
            .session
            .established(self.secrets, PeerKey::Proved(self.proved), finished))
    }
}
