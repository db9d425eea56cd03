//! An endpoint that begins with a ClientHello for which a cookie vouches.

use std::sync::Arc;
use std::time::Instant;

use super::handshake::Handshake;
use super::{Endpoint, State};
use crate::config::{Config, Role};
use crate::gate::Admission;
use crate::hello::AwaitClientHello;
use crate::reassembly::Reassembly;
use crate::v13::server::Retry;

impl Endpoint {
    /// The server of a client that a [`CookieGate`](crate::CookieGate) let in; its first flight is
    /// queued at once. The configuration should allow what the gate's allowed: a hello that would
    /// have been asked for something else is refused.
    #[must_use]
    pub fn accept(config: Arc<Config>, admission: Admission, now: Instant) -> Self {
        let Admission {
            message,
            sequence,
            asked,
            connection_id,
        } = admission;
        let mut endpoint = match connection_id {
            Some(own) => Self::with_connection_id(config, Role::Server, own, now),
            None => Self::new(config, Role::Server, now),
        };
        if matches!(endpoint.state, State::Closed) {
            return endpoint;
        }
        let config = endpoint.cx.config.clone();
        // The request and the hello before it have the numbers before these.
        let next = message.message_seq.saturating_add(1);
        endpoint.reassembly = Reassembly::starting_at(config.max_handshake_message, next);
        endpoint.cx.flight.number_from(message.message_seq);
        endpoint.cx.outbound.number_from(sequence);
        let retry = asked.map(|asked| {
            Retry::of(
                &*config.provider,
                asked.request,
                &asked.first,
                &asked.cookie,
            )
        });
        let awaiting = AwaitClientHello::asked(retry);
        endpoint.state = State::Handshake(Handshake::ClientHello(awaiting));
        if let Err(reason) = endpoint.on_message(&message, 0) {
            endpoint.enter_closed(reason);
        }
        endpoint
    }
}
