//! The client's Finished in, ours out.

use crate::config::Role;
use crate::context::Context;
use crate::established::{Established, PeerKey, verify_finished};
use crate::event::CloseReason;
use crate::flight::Await;
use crate::keying::Tls12Secrets;
use crate::reassembly::Message;
use crate::transcript::Transcript;
use crate::v12::keys::{self, VERIFY_DATA_LEN};
use crate::v12::{Session, unexpected};
use crate::wire::HandshakeType;

#[derive(Debug)]
pub(crate) struct AwaitFinished {
    pub(super) session: Session,
    pub(super) secrets: Tls12Secrets,
    pub(super) key: PeerKey,
    pub(super) expected: [u8; VERIFY_DATA_LEN],
    pub(super) transcript: Transcript,
}

impl AwaitFinished {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Established, CloseReason> {
        if message.kind != HandshakeType::FINISHED {
            return Err(unexpected(message));
        }
        let finished = verify_finished(&message.body, &self.expected)?;
        self.transcript.add_received(message);
        let verify_data = keys::verify_data(cx, Role::Server, &self.secrets, &self.transcript)?;
        // Kept without a timer: a client that misses it repeats its Finished (RFC 6347 §4.2.4).
        cx.flight.begin(Some(message.message_seq), cx.now);
        cx.flight.change_cipher_spec();
        cx.flight.message(HandshakeType::FINISHED, 1, |out| {
            out.extend_from_slice(&verify_data);
        });
        cx.flight.launch(Await::Nothing, cx.now);
        Ok(self.session.established(self.secrets, self.key, finished))
    }
}
