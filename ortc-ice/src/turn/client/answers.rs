//! What the server answers, and what follows from it.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use super::{
    ADDRESSES_MAX, Allocation, Client, Link, MARGIN, REDIRECTED, REDIRECTIONS_MAX, Received, State,
    Ticket,
};
use crate::path::Transport;
use crate::stun::{
    AttributeType, Class, Message, TransactionId, Verdict, parse_plain_address, parse_xor_address,
};
use crate::turn::transaction::{CHALLENGES_MAX, Kind, Transaction};
use crate::turn::{ConnectionId, DropReason, Event, Failure, Families, Family};

/// The lifetime of an allocation when the server does not say (RFC 8656 §3.2).
const LIFETIME: u32 = 600;
/// The longest ticket that is kept.
const TICKET_MAX: usize = 1024;

impl Client {
    /// A response: it counts if it answers a request of ours and the server made it.
    pub(super) fn answered(
        &mut self,
        message: &Message<'_>,
        via: Option<ConnectionId>,
    ) -> Result<Received, DropReason> {
        if message.has_fingerprint() && !message.verify_fingerprint() {
            return Err(DropReason::BadFingerprint);
        }
        let id = message.transaction_id();
        let Some(transaction) = self.transactions.get_mut(id) else {
            return Err(DropReason::UnknownTransaction);
        };
        if transaction.kind.method() != message.method() || transaction.kind.connection() != via {
            return Err(DropReason::UnknownTransaction);
        }
        let unknown = message
            .unknown_comprehension_required()
            .any(|kind| !kind.is_known_to_turn());
        if unknown {
            return Err(DropReason::UnknownAttribute);
        }
        let verdict = self.session.judge(message, transaction.signed);
        let code = message.error_code().map(|error| error.code);
        match verdict {
            Verdict::Ignore => return Err(DropReason::Ignored),
            // Only errors, and of those that a signed request gets only 300 for an allocation.
            Verdict::Unsigned
                if message.class() == Class::Error
                    && (transaction.kind == Kind::Allocate || !transaction.signed.is_signed()) => {}
            Verdict::Violated | Verdict::Unsigned => {
                transaction.violated = true;
                if matches!(self.path.transport, Transport::Stream(_))
                    && let Some(transaction) = self.forget(id)
                {
                    // Over a reliable transport there is no other answer to come (RFC 8489 §9.2.5).
                    self.fail(transaction.kind, Failure::IntegrityViolated);
                }
                return Err(DropReason::BadIntegrity);
            }
            Verdict::Authentic | Verdict::Retry | Verdict::Refused(_) => {}
        }
        let Some(transaction) = self.forget(id) else {
            return Err(DropReason::UnknownTransaction);
        };
        self.counters.responses_received += 1;
        let since = transaction.since.unwrap_or(self.now);
        let (kind, challenges) = (transaction.kind, transaction.challenges);
        match (verdict, code) {
            (Verdict::Retry, _) if challenges < CHALLENGES_MAX => self.start(kind, challenges + 1),
            (Verdict::Retry, _) => self.fail(kind, Failure::Challenges),
            (Verdict::Refused(refusal), _) => self.fail(kind, Failure::Refused(refusal)),
            (_, Some(code)) => self.refused(kind, code, message, challenges),
            (_, None) => self.succeeded(kind, message, since),
        }
        Ok(Received::Consumed)
    }

    fn forget(&mut self, id: TransactionId) -> Option<Transaction> {
        self.outbox.retain(|queued| *queued != id); // of a repetition that need not leave any more
        self.transactions.remove(id)
    }

    fn succeeded(&mut self, kind: Kind, message: &Message<'_>, since: Instant) {
        match kind {
            Kind::Allocate => self.allocated(message, since),
            Kind::Refresh => self.refreshed(message, since),
            Kind::Move => {
                self.refreshed(message, since);
                if let State::Allocated(allocation) = &mut self.state {
                    let held = allocation.link.take();
                    self.events.push_back(Event::Moved);
                    self.resume(held);
                }
            }
            Kind::Permissions(peers) => {
                for peer in peers {
                    if self.permissions.installed(peer, since) {
                        self.events.push_back(Event::Permitted { peer });
                    }
                }
            }
            Kind::Channel(number, peer) => {
                if self.channels.bound(number, since) {
                    self.events.push_back(Event::ChannelBound { peer });
                }
            }
            Kind::Connect(peer) => self.connected(peer, message),
            Kind::Bind(connection) => self.connection_bound(connection),
        }
    }

    /// What was asked for over the former path, and what was wanted meanwhile.
    fn resume(&mut self, held: Vec<Kind>) {
        for kind in held {
            match kind {
                Kind::Permissions(peers) => self.permissions.again(peers),
                Kind::Channel(number, _) if !self.channels.is_kept(number) => {}
                Kind::Channel(..) | Kind::Connect(_) | Kind::Bind(_) => self.start(kind, 0),
                // The one with the ticket was as good.
                Kind::Allocate | Kind::Refresh | Kind::Move => {}
            }
        }
    }

    /// RFC 8656 §7.3.
    fn allocated(&mut self, message: &Message<'_>, since: Instant) {
        let mapped = message.find_xor_address(AttributeType::XOR_MAPPED_ADDRESS);
        let mut relayed = [None; 2];
        for (attribute, _) in message.covered() {
            if attribute.kind == AttributeType::XOR_RELAYED_ADDRESS {
                let address = parse_xor_address(attribute.value, message.transaction_id());
                let Some(address) = address.filter(usable) else {
                    continue;
                };
                let [v4, v6] = &mut relayed;
                if address.is_ipv4() { v4 } else { v6 }.get_or_insert(address);
            }
        }
        let [v4, v6] = &mut relayed;
        match self.config.families {
            Families::V4 => *v6 = None,
            Families::V6 => *v4 = None,
            Families::Both => {}
        }
        let (Some(mapped), Some(_)) = (mapped, v4.or(*v6)) else {
            // What was not asked for is given back (RFC 8656 §7.3).
            self.lose(Failure::Family);
            return;
        };
        let lifetime = message.find_u32(AttributeType::LIFETIME);
        let (expires, refresh_at) = schedule(lifetime.unwrap_or(LIFETIME), since, self.now);
        let ticket = self.asks.mobility.then(|| ticket_of(message)).flatten();
        self.mismatches = 0;
        self.state = State::Allocated(Allocation {
            relayed,
            mapped,
            expires,
            refresh_at: Some(refresh_at),
            ticket,
            link: Link::Up,
        });
        for relayed in relayed.into_iter().flatten() {
            tracing::debug!(?relayed, "allocated");
            self.events.push_back(Event::Allocated { relayed, mapped });
        }
        // What was wanted ahead of the allocation and cannot be had through it would take the rest
        // of its request with it.
        for peer in self
            .permissions
            .drop_wanted(|peer| !has_family(relayed, peer))
        {
            let failure = Failure::Code(443);
            let refused = Event::PermissionRefused { peer, failure };
            self.events.push_back(refused);
        }
        if self.config.families == Families::Both
            && let Some(missing) = missing(relayed)
        {
            // Without a word the server does not know what it was asked for.
            let told = message
                .find(AttributeType::ADDRESS_ERROR_CODE)
                .and_then(address_error);
            let (family, code) = told.unwrap_or((missing, 440));
            self.events.push_back(Event::FamilyRefused { family, code });
        }
    }

    /// RFC 8656 §8.3.
    fn refreshed(&mut self, message: &Message<'_>, since: Instant) {
        let lifetime = message.find_u32(AttributeType::LIFETIME);
        let lifetime = lifetime.unwrap_or(LIFETIME);
        if lifetime == 0 {
            self.lose(Failure::Expired);
            return;
        }
        if let State::Allocated(allocation) = &mut self.state {
            let (expires, refresh_at) = schedule(lifetime, since, self.now);
            allocation.expires = expires;
            allocation.refresh_at = Some(refresh_at);
            if allocation.ticket.is_some()
                && let Some(ticket) = ticket_of(message)
            {
                allocation.ticket = Some(ticket);
            }
        }
    }

    /// An error response that is no challenge.
    fn refused(&mut self, kind: Kind, code: u16, message: &Message<'_>, challenges: u8) {
        tracing::debug!(code, ?kind, "error from the relay");
        match (&kind, code) {
            (Kind::Allocate, 300) => self.redirected(message),
            (Kind::Allocate, 405) if self.asks.mobility => {
                // Mobility Forbidden (RFC 8016 §3.1.2).
                self.asks.mobility = false;
                self.start(kind, challenges);
            }
            (Kind::Allocate, 420) if self.asks.dont_fragment && rejects_df(message) => {
                self.asks.dont_fragment = false;
                self.start(kind, challenges);
            }
            (Kind::Allocate, 437) => {
                self.mismatches += 1;
                if self.mismatches < ADDRESSES_MAX {
                    self.state = State::Waiting;
                    self.events.push_back(Event::AddressInUse);
                } else {
                    self.lose(Failure::Mismatch);
                }
            }
            // The allocation is gone (RFC 8656 §5).
            (Kind::Refresh | Kind::Move | Kind::Permissions(_) | Kind::Channel(..), 437) => {
                self.lose(Failure::Mismatch)
            }
            _ => self.fail(kind, Failure::Code(code)),
        }
    }

    /// RFC 8489 §10.
    fn redirected(&mut self, message: &Message<'_>) {
        let servers = message.covered().filter_map(|(attribute, _)| {
            let is_server = attribute.kind == AttributeType::ALTERNATE_SERVER;
            is_server.then(|| parse_plain_address(attribute.value))?
        });
        let here = self.path.remote;
        let Some(server) = servers
            .filter(usable)
            .find(|server| server.is_ipv4() == here.is_ipv4())
        else {
            self.lose(Failure::Code(300));
            return;
        };
        let recent = |(visited, at): &(SocketAddr, Instant)| {
            *visited == server && self.now.saturating_duration_since(*at) < REDIRECTED
        };
        if self.visited.len() > REDIRECTIONS_MAX || self.visited.iter().any(recent) {
            self.lose(Failure::Redirection);
            return;
        }
        let domain = message
            .find(AttributeType::ALTERNATE_DOMAIN)
            .and_then(|domain| core::str::from_utf8(domain).ok())
            .filter(|domain| !domain.is_empty() && domain.len() <= 255)
            .map(str::to_owned);
        self.state = State::Waiting;
        self.events
            .push_back(Event::AlternateServer { server, domain });
    }

    /// This request will not succeed.
    pub(super) fn fail(&mut self, kind: Kind, failure: Failure) {
        match kind {
            Kind::Allocate | Kind::Refresh | Kind::Move => self.lose(failure),
            Kind::Permissions(peers) => self.permissions_failed(peers, failure),
            Kind::Connect(peer) => self.connect_failed(peer, failure),
            Kind::Bind(connection) => self.connection_failed(connection, failure),
            Kind::Channel(number, peer) => {
                let kept = self.channels.is_kept(number);
                self.channels.retire(number);
                if kept {
                    self.events
                        .push_back(Event::ChannelRefused { peer, failure });
                }
            }
        }
    }

    fn permissions_failed(&mut self, peers: Vec<IpAddr>, failure: Failure) {
        if peers.len() > 1 && matches!(failure, Failure::Code(_)) {
            // One that is forbidden takes all of its request with it: each for itself, then.
            for peer in peers {
                self.start(Kind::Permissions(vec![peer]), 0);
            }
            return;
        }
        for peer in peers {
            let wanted = self.permissions.refused(peer);
            if !matches!(failure, Failure::Code(_)) {
                self.permissions.remove(peer); // to be wanted again
            }
            if wanted {
                self.events
                    .push_back(Event::PermissionRefused { peer, failure });
            }
        }
    }
}

/// When an allocation with this lifetime ends, and when it is refreshed.
fn schedule(lifetime: u32, since: Instant, now: Instant) -> (Instant, Instant) {
    let lifetime = Duration::from_secs(u64::from(lifetime.max(1)));
    let early = (lifetime / 2).min(MARGIN);
    // The answer may have taken longer than a short lifetime: then at once, but not before now.
    let expires = (since + lifetime).max(now + Duration::from_secs(1));
    (
        expires,
        (since + lifetime - early).max(now + Duration::from_millis(500)),
    )
}

fn ticket_of(message: &Message<'_>) -> Option<Ticket> {
    let ticket = message.find(AttributeType::MOBILITY_TICKET)?;
    (!ticket.is_empty() && ticket.len() <= TICKET_MAX)
        .then(|| Ticket(zeroize::Zeroizing::new(ticket.to_vec())))
}

/// Whether a relayed address can reach this peer (443 otherwise, RFC 8656 §9.1).
pub(super) fn has_family(relayed: [Option<SocketAddr>; 2], peer: IpAddr) -> bool {
    let mut relayed = relayed.iter().flatten();
    relayed.any(|relayed| relayed.is_ipv4() == peer.is_ipv4())
}

const fn missing(relayed: [Option<SocketAddr>; 2]) -> Option<Family> {
    match relayed {
        [None, _] => Some(Family::V4),
        [_, None] => Some(Family::V6),
        [Some(_), Some(_)] => None,
    }
}

/// ADDRESS-ERROR-CODE (RFC 8656 §18.12).
fn address_error(value: &[u8]) -> Option<(Family, u16)> {
    let &[family, _, class, number, ..] = value else {
        return None;
    };
    let family = match family {
        1 => Family::V4,
        2 => Family::V6,
        _ => return None,
    };
    Some((family, u16::from(class & 7) * 100 + u16::from(number)))
}

/// UNKNOWN-ATTRIBUTES lists DONT-FRAGMENT (RFC 8656 §7.4).
fn rejects_df(message: &Message<'_>) -> bool {
    let list = message.find(AttributeType::UNKNOWN_ATTRIBUTES);
    let (kinds, _) = list.unwrap_or_default().as_chunks::<2>();
    kinds.contains(&AttributeType::DONT_FRAGMENT.0.to_be_bytes())
}

fn usable(address: &SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast()
}
