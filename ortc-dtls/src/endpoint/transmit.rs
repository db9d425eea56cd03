//! What leaves: acknowledgements, the flight, the refusal of another handshake, which a peer that
//! began one awaits before data, application data, an alert; in this order.

use super::{Endpoint, Renegotiation, State};
use crate::alert::Alert;
use crate::crypto::CryptoError;
use crate::flight::Carrier;
use crate::wire::{ContentType, ack};

impl Endpoint {
    pub(super) fn has_output(&self) -> bool {
        self.has_own_acks()
            || self.cx.flight.is_queued()
            || self.is_refusing()
            || !self.outgoing.is_empty()
            || self.alert.is_some()
    }

    fn has_own_acks(&self) -> bool {
        self.cx.acks.is_queued() && self.carrier() == Carrier::Datagrams
    }

    fn is_refusing(&self) -> bool {
        self.connected()
            .is_some_and(|connected| connected.renegotiation == Renegotiation::Refusing)
    }

    pub(super) fn write_datagram(&mut self, buf: &mut Vec<u8>) -> Result<bool, CryptoError> {
        if self.has_own_acks() {
            self.write_ack(buf, self.cx.config.mtu)?;
            return Ok(true);
        }
        let cx = &mut self.cx;
        let mtu = cx.config.mtu;
        if cx.flight.is_queued()
            && (cx.flight).write_datagram(&mut cx.outbound, mtu, buf, cx.now)?
        {
            return Ok(true);
        }
        let outbound = &mut cx.outbound;
        let epoch = outbound.epoch();
        if let State::Connected(connected) = &mut self.state
            && connected.renegotiation == Renegotiation::Refusing
        {
            connected.renegotiation = Renegotiation::Refused;
            outbound.record(epoch, ContentType::ALERT, buf, |out| {
                out.extend_from_slice(&Alert::NO_RENEGOTIATION.octets());
            })?;
            return Ok(true);
        }
        let room = outbound.room(mtu);
        while let Some(data) = self.outgoing.front() {
            let fits = data.len() <= room;
            if fits {
                outbound.record(epoch, ContentType::APPLICATION_DATA, buf, |out| {
                    out.extend_from_slice(data);
                })?;
            }
            self.outgoing.pop();
            if fits {
                return Ok(true);
            }
        }
        if let Some(alert) = self.alert.take() {
            outbound.record(epoch, ContentType::ALERT, buf, |out| {
                out.extend_from_slice(&alert.octets());
            })?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Always in the newest epoch (RFC 9147 §7).
    pub(super) fn write_ack(&mut self, buf: &mut Vec<u8>, mtu: usize) -> Result<(), CryptoError> {
        let cx = &mut self.cx;
        let epoch = cx.outbound.epoch();
        let room = mtu - cx.outbound.overhead(epoch);
        let numbers = cx.acks.take(room.min(cx.outbound.limit(epoch)));
        cx.outbound.record(epoch, ContentType::ACK, buf, |out| {
            ack::encode(out, numbers);
        })?;
        Ok(())
    }
}
