//! A flight of the handshake epoch in the hands of somebody who has its keys.
#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use std::sync::Arc;

use ortc_dtls::crypto::Provider;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{Event, Role};

use crate::craft::handshake;
use crate::craft13::{Epoch, split};
use crate::pair::{Pair, hello_of, pair13};

/// What a machine in the middle that has the keys of the handshake does with the messages of a
/// flight.
pub(crate) fn rewrite(
    provider: &Arc<dyn Provider>,
    pair: &mut Pair,
    from: Role,
    change: impl Fn(&mut Vec<(HandshakeType, Vec<u8>)>),
) {
    let mut flight = Vec::new();
    let now = pair.now;
    while pair.side(from).poll_transmit(&mut flight, now).is_some() {}
    while let Some(event) = pair.side(from).poll_event() {
        pair.events[from as usize].push(event);
    }
    let epoch = Epoch::of(provider, pair, from, 2);
    let to = match from {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let (mut messages, mut first) = (Vec::new(), None);
    for datagram_record in split(&flight) {
        let Some(plain) = epoch.open(&datagram_record) else {
            // The ServerHello.
            pair.side(to)
                .handle_datagram(&mut datagram_record.clone(), now);
            continue;
        };
        assert_eq!(plain.kind, ContentType::HANDSHAKE);
        let mut rest = &plain.contents[..];
        while !rest.is_empty() {
            let (fragment, tail) = Fragment::split(rest).unwrap();
            assert_eq!(fragment.body.len(), fragment.length as usize);
            first.get_or_insert(fragment.message_seq);
            messages.push((fragment.kind, fragment.body.to_vec()));
            rest = tail;
        }
    }
    change(&mut messages);
    for (index, (kind, body)) in messages.iter().enumerate() {
        let seq = first.unwrap() + u16::try_from(index).unwrap();
        let contents = handshake(*kind, seq, body);
        let sequence = 1000 + u64::try_from(index).unwrap();
        let mut record = epoch.seal(ContentType::HANDSHAKE, sequence, &contents);
        pair.side(to).handle_datagram(&mut record, now);
    }
}

/// A pair whose given side has its flight of the handshake epoch queued.
pub(crate) fn before_flight(provider: &Arc<dyn Provider>, from: Role) -> Pair {
    let mut pair = pair13(provider, |config| config.key_log(true));
    let now = pair.now;
    pair.server
        .handle_datagram(&mut hello_of(&mut pair.client, now), now);
    if from == Role::Client {
        rewrite(provider, &mut pair, Role::Server, |_| ());
    }
    pair
}

pub(crate) fn verdict(pair: &mut Pair, role: Role) -> Option<Event> {
    loop {
        match pair.side(role).poll_event() {
            Some(Event::KeyLog(_)) => {}
            other => return other,
        }
    }
}
