//! A client that begins again from the same address (RFC 6347 §4.2.8, RFC 9147 §5.11).

use super::{Endpoint, State};
use crate::config::Role;
use crate::established::Secrets;
use crate::wire::record::client_hello_random;

impl Endpoint {
    /// Whether a datagram from this connection's peer begins another connection: its first record
    /// is a ClientHello, in plaintext, of another client than the one that this server is
    /// connected to. False for a repetition of the hello that began this connection, before the
    /// connection is up, and for a client.
    ///
    /// It proves nothing: anyone can send a hello from this address. An embedder that wants clients
    /// to come back from the same address and port, after a crash for example, asks its
    /// [`CookieGate`](crate::CookieGate) about such a datagram instead of handing it to the
    /// endpoint. Once the gate lets the client in, it makes a second endpoint, gives it the
    /// datagrams of this address too, and drops the first when the second is connected, not before
    /// (RFC 6347 §4.2.8, RFC 9147 §5.11).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Instant;
    /// # use ortc_dtls::{Config, CookieGate, Endpoint, Event, Verdict};
    /// struct Peer {
    ///     current: Endpoint,
    ///     /// Came later, and has not shown yet that it can finish a handshake.
    ///     next: Option<Endpoint>,
    /// }
    ///
    /// impl Peer {
    ///     fn handle_datagram(
    ///         &mut self,
    ///         gate: &mut CookieGate,
    ///         config: &Arc<Config>,
    ///         address: &[u8],
    ///         contents: &mut [u8],
    ///         now: Instant,
    ///         answer: &mut Vec<u8>, // to be sent back at once
    ///     ) {
    ///         let Some(mut next) = self.next.take() else {
    ///             if !self.current.is_restarted_by(contents) {
    ///                 self.current.handle_datagram(contents, now);
    ///             } else if let Verdict::Admit(admission) =
    ///                 gate.admit(address, contents, now, answer)
    ///             {
    ///                 self.next = Some(Endpoint::accept(config.clone(), admission, now));
    ///             }
    ///             return;
    ///         };
    ///         // What belongs to one of them is dropped by the other.
    ///         self.current.handle_datagram(&mut contents.to_vec(), now);
    ///         next.handle_datagram(contents, now);
    ///         match next.poll_event() {
    ///             Some(Event::Connected) => self.current = next,
    ///             Some(Event::Closed(_)) => {}
    ///             _ => self.next = Some(next),
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn is_restarted_by(&self, datagram: &[u8]) -> bool {
        let State::Connected(connected) = &self.state else {
            return false;
        };
        let own = match &connected.established.secrets {
            Secrets::V12(secrets) => &secrets.client_random,
            Secrets::V13(traffic) => traffic.client_random(),
        };
        self.role == Role::Server
            && client_hello_random(datagram).is_some_and(|random| random != own)
    }
}
