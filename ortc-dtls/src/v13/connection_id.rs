//! NewConnectionId and RequestConnectionId (RFC 9147 §9).

use super::unexpected;
use crate::connection_id::{self, ConnectionId, Usage};
use crate::context::Context;
use crate::crypto::CryptoError;
use crate::event::{CloseReason, Event, ProtocolError};
use crate::flight::Await;
use crate::reassembly::Message;
use crate::wire::{HandshakeType, ParseError, Reader, writer};

/// The peer wants us to write other ids.
pub(super) fn on_new(message: &Message, cx: &mut Context) -> Result<(), CloseReason> {
    // Who wants none cannot want another.
    if cx.outbound.id().is_empty() {
        return Err(unexpected(message));
    }
    let mut reader = Reader::new(&message.body, "NewConnectionId");
    let list = reader.vector16()?;
    let usage = reader.u8()?;
    reader.finish()?;
    let mut reader = Reader::new(list, "ConnectionId");
    let mut usable = Vec::new();
    while !reader.is_empty() {
        let id = reader.vector8()?;
        // What cannot be used or would not be kept is discarded.
        if !id.is_empty() && cx.fits(id) && usable.len() <= connection_id::MAX_SPARE {
            usable.extend(ConnectionId::new(id));
        }
    }
    let mut usable = usable.into_iter();
    let Some(ids) = &mut cx.ids else {
        return Err(unexpected(message));
    };
    if usage == Usage::Immediate as u8 {
        let next = usable.next();
        let next = next.ok_or(ParseError::Invalid("ConnectionId"))?;
        ids.forget_spare();
        ids.add_spare(usable);
        cx.write_id(next);
    } else if usage != Usage::Spare as u8 {
        return Err(ParseError::Invalid("ConnectionIdUsage").into());
    } else {
        ids.fulfilled();
        ids.add_spare(usable);
    }
    Ok(())
}

/// The peer wants more of ours.
pub(super) fn on_request(message: &Message, cx: &mut Context) -> Result<(), CloseReason> {
    let ids = cx.ids.as_mut().filter(|ids| ids.len() > 0);
    let ids = ids.ok_or_else(|| unexpected(message))?;
    let mut reader = Reader::new(&message.body, "RequestConnectionId");
    let count = reader.u8()?;
    reader.finish()?;
    if ids.on_request(count) {
        Ok(())
    } else {
        Err(ProtocolError::ConnectionIdRequests.into())
    }
}

/// Sends what there is to say about ids, when nothing else is unacknowledged: so no two messages
/// are outstanding.
pub(super) fn advance(cx: &mut Context) -> Result<(), CryptoError> {
    let Some(ids) = &mut cx.ids else {
        return Ok(());
    };
    let Some(message) = ids.next_message(&*cx.config.provider)? else {
        return Ok(());
    };
    let epoch = cx.outbound.epoch();
    cx.flight.begin(None, cx.now);
    match message {
        connection_id::Message::New(count, usage) => {
            let new = ids.own().iter().rev().take(count).rev();
            for id in new.clone() {
                cx.events.push_back(Event::ConnectionId(id.clone()));
            }
            let kind = HandshakeType::NEW_CONNECTION_ID;
            cx.flight.message(kind, epoch, |out| {
                writer::vector16(out, |out| {
                    for id in new {
                        writer::vector8(out, |out| out.extend_from_slice(id.octets()));
                    }
                });
                out.push(usage as u8);
            });
        }
        connection_id::Message::Request(count) => {
            let kind = HandshakeType::REQUEST_CONNECTION_ID;
            cx.flight.message(kind, epoch, |out| out.push(count));
        }
    }
    cx.flight.launch(Await::Answer, cx.now);
    Ok(())
}
