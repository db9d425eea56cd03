//! The record layer: epochs, sequence numbers, replay window, protection (RFC 6347 §4.1).

mod protection;
mod replay;

use core::mem;

pub(crate) use self::protection::{Nonce, Protection};
use self::replay::ReplayWindow;
use crate::crypto::CryptoError;
use crate::stats::DropReason;
use crate::wire::record::RecordHeader;
use crate::wire::{ContentType, ProtocolVersion};

/// Octets of records that may wait until they can be read: a Finished that overtook the key
/// exchange, application data that overtook the Finished.
pub(crate) const MAX_EARLY: usize = 16 * 1024;

/// What is read.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    protection: Option<Protection>,
    replay: ReplayWindow,
    early: Vec<u8>,
    /// Authenticated application data that may not be handed on yet, each behind its length.
    data: Vec<u8>,
}

impl Inbound {
    pub(crate) fn install(&mut self, protection: Protection) {
        self.protection = Some(protection);
        self.replay = ReplayWindow::default();
    }

    pub(crate) const fn has_keys(&self) -> bool {
        self.protection.is_some()
    }

    pub(crate) fn is_worn_out(&self) -> bool {
        self.protection
            .as_ref()
            .is_some_and(Protection::is_worn_out)
    }

    /// Keeps a record that cannot be read yet; says whether there was room.
    pub(crate) fn hold(&mut self, header: &RecordHeader, fragment: &[u8]) -> bool {
        if self.held() + RecordHeader::LEN + fragment.len() > MAX_EARLY {
            return false;
        }
        header.encode(&mut self.early);
        self.early.extend_from_slice(fragment);
        true
    }

    /// Keeps application data until somebody vouches for the peer; says whether there was room.
    /// Only authenticated data comes here, so that nobody else can use up the room.
    pub(crate) fn hold_data(&mut self, data: &[u8]) -> bool {
        let Ok(len) = u16::try_from(data.len()) else {
            return false;
        };
        if self.held() + 2 + data.len() > MAX_EARLY {
            return false;
        }
        self.data.extend_from_slice(&len.to_be_bytes());
        self.data.extend_from_slice(data);
        true
    }

    /// Takes out the application data that was held: each behind two octets of length.
    pub(crate) fn take_data(&mut self) -> Vec<u8> {
        mem::take(&mut self.data)
    }

    /// Octets of records that wait.
    pub(crate) const fn held(&self) -> usize {
        self.early.len() + self.data.len()
    }

    /// Takes out what was held.
    pub(crate) fn take_early(&mut self) -> Vec<u8> {
        mem::take(&mut self.early)
    }

    /// Decrypts a record of epoch 1; only then is its number remembered.
    pub(crate) fn open<'a>(
        &mut self,
        header: &RecordHeader,
        fragment: &'a mut [u8],
    ) -> Result<&'a mut [u8], DropReason> {
        let protection = self.protection.as_mut().ok_or(DropReason::Epoch)?;
        if !self.replay.is_fresh(header.sequence) {
            return Err(DropReason::Replayed);
        }
        let contents = protection
            .open(header, fragment)
            .map_err(|_| DropReason::BadRecord)?;
        self.replay.accept(header.sequence);
        Ok(contents)
    }
}

/// What is written.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// Version on plaintext records: that of DTLS 1.0 until a version is negotiated.
    version: ProtocolVersion,
    plaintext: u64,
    protection: Option<Protection>,
}

impl Outbound {
    pub(crate) const fn new() -> Self {
        Self {
            version: ProtocolVersion::DTLS10,
            plaintext: 0,
            protection: None,
        }
    }

    pub(crate) const fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    pub(crate) fn install(&mut self, protection: Protection) {
        self.protection = Some(protection);
    }

    /// The newest epoch that has keys.
    pub(crate) const fn epoch(&self) -> u16 {
        match self.protection {
            Some(_) => 1,
            None => 0,
        }
    }

    /// Octets of a record of this epoch besides its contents.
    pub(crate) fn overhead(&self, epoch: u16) -> usize {
        let protection = self.protection.as_ref().filter(|_| epoch > 0);
        RecordHeader::LEN + protection.map_or(0, Protection::overhead)
    }

    pub(crate) fn can_seal(&self, len: usize) -> bool {
        self.protection
            .as_ref()
            .is_some_and(|protection| protection.can_seal(len))
    }

    /// Appends one record whose contents `body` appends.
    pub(crate) fn record(
        &mut self,
        epoch: u16,
        content_type: ContentType,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), CryptoError> {
        if epoch > 0 {
            let protection = self.protection.as_mut().ok_or(CryptoError)?;
            return protection.seal(content_type, out, body);
        }
        let start = out.len();
        let header = RecordHeader {
            content_type,
            version: self.version,
            epoch: 0,
            sequence: self.plaintext,
            length: 0,
        };
        header.encode(out);
        self.plaintext += 1;
        body(out);
        let length = out.len() - start - RecordHeader::LEN;
        let length = u16::try_from(length).map_err(|_| CryptoError)?;
        if let Some(field) = out.get_mut(start + 11..start + RecordHeader::LEN) {
            field.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}
