//! The record layer: epochs, sequence numbers, replay window, protection (RFC 6347 §4.1,
//! RFC 9147 §4).

mod ciphertext;
mod protection;
mod replay;

use core::mem;
use core::time::Duration;
use std::time::Instant;

pub(crate) use self::ciphertext::{MAX_CONTENTS, Opened, ReadEpoch, TrafficKeys, WriteEpoch};
pub(crate) use self::protection::{Nonce, Protection};
use self::replay::ReplayWindow;
use crate::connection_id::ConnectionId;
use crate::crypto::CryptoError;
use crate::stats::DropReason;
use crate::wire::record::RecordHeader;
use crate::wire::unified::UnifiedHeader;
use crate::wire::{ContentType, ProtocolVersion, RecordNumber};

/// Octets of records that may wait until they can be read: a Finished that overtook the key
/// exchange, application data that overtook the Finished.
pub(crate) const MAX_EARLY: usize = 16 * 1024;

/// How long records of an earlier epoch still count: twice the maximum segment lifetime of TCP
/// (RFC 9147 §4.2.1, §5.8.1).
const PREVIOUS_EPOCH: Duration = Duration::from_secs(240);

/// Epochs that are read at once in DTLS 1.3: the current one, the one before, and the one before that
/// as long as nothing has come in the current one.
const MAX_EPOCHS: usize = 3;

#[derive(Debug, Default)]
enum Reading {
    #[default]
    Plaintext,
    V12(Protection, ReplayWindow),
    /// Oldest first.
    V13(Vec<ReadEpoch>),
}

/// What is read.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    reading: Reading,
    /// Records, each behind its length.
    early: Vec<u8>,
    /// Authenticated application data that may not be handed on yet, each behind its length.
    data: Vec<u8>,
}

impl Inbound {
    pub(crate) fn install(&mut self, protection: Protection) {
        self.reading = Reading::V12(protection, ReplayWindow::default());
    }

    /// Adds an epoch of DTLS 1.3; those before stay readable until it is used and for a while
    /// after.
    pub(crate) fn install_epoch(&mut self, epoch: ReadEpoch) {
        let mut epochs = match mem::take(&mut self.reading) {
            Reading::V13(epochs) => epochs,
            Reading::Plaintext | Reading::V12(..) => Vec::with_capacity(MAX_EPOCHS),
        };
        // So many in a row differ in their low bits (RFC 9147 §4.2.2).
        if epochs.len() == MAX_EPOCHS {
            epochs.remove(0);
        }
        epochs.push(epoch);
        self.reading = Reading::V13(epochs);
    }

    /// Nothing that an earlier epoch than the newest could bring is of use.
    pub(crate) fn retire_epochs(&mut self) {
        if let Reading::V13(epochs) = &mut self.reading {
            epochs.drain(..epochs.len().saturating_sub(1));
        }
    }

    /// Whether anything but plaintext can be read.
    pub(crate) const fn has_keys(&self) -> bool {
        !matches!(self.reading, Reading::Plaintext)
    }

    /// The newest epoch of DTLS 1.3 that has keys.
    pub(crate) fn newest_epoch(&self) -> Option<u64> {
        match &self.reading {
            Reading::V13(epochs) => epochs.last().map(|epoch| epoch.epoch),
            Reading::Plaintext | Reading::V12(..) => None,
        }
    }

    pub(crate) fn is_worn_out(&self) -> bool {
        match &self.reading {
            Reading::Plaintext => false,
            Reading::V12(protection, _) => protection.is_worn_out(),
            Reading::V13(epochs) => epochs.iter().any(ReadEpoch::is_worn_out),
        }
    }

    /// As if all but one of the forgeries had come that a key endures.
    #[cfg(test)]
    pub(crate) fn wear(&mut self) {
        match &mut self.reading {
            Reading::Plaintext => {}
            Reading::V12(protection, _) => protection.wear(),
            Reading::V13(epochs) => epochs.iter_mut().for_each(ReadEpoch::wear),
        }
    }

    /// Keeps a record that cannot be read yet; says whether there was room.
    pub(crate) fn hold(&mut self, header: &RecordHeader, fragment: &[u8]) -> bool {
        let len = RecordHeader::LEN + fragment.len();
        self.hold_parts(len, |out| {
            header.encode(out);
            out.extend_from_slice(fragment);
        })
    }

    /// As [`Inbound::hold`] for a whole record.
    pub(crate) fn hold_record(&mut self, record: &[u8]) -> bool {
        self.hold_parts(record.len(), |out| out.extend_from_slice(record))
    }

    fn hold_parts(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Ok(prefix) = u16::try_from(len) else {
            return false;
        };
        if self.held() + 2 + len > MAX_EARLY {
            return false;
        }
        self.early.extend_from_slice(&prefix.to_be_bytes());
        write(&mut self.early);
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

    /// Takes out the records that were held: each behind two octets of length.
    pub(crate) fn take_early(&mut self) -> Vec<u8> {
        mem::take(&mut self.early)
    }

    /// Decrypts a record of epoch 1 of DTLS 1.2; only then is its number remembered.
    pub(crate) fn open<'a>(
        &mut self,
        header: &RecordHeader,
        fragment: &'a mut [u8],
    ) -> Result<&'a mut [u8], DropReason> {
        let Reading::V12(protection, replay) = &mut self.reading else {
            return Err(DropReason::Epoch);
        };
        if !replay.is_fresh(header.sequence) {
            return Err(DropReason::Replayed);
        }
        let contents = protection
            .open(header, &[], fragment)
            .map_err(|_| DropReason::BadRecord)?;
        replay.accept(header.sequence);
        Ok(contents)
    }

    /// As [`Inbound::open`] for a whole record with a connection id of so many octets.
    pub(crate) fn open_with_id<'a>(
        &mut self,
        header: &RecordHeader,
        id_len: usize,
        record: &'a mut [u8],
    ) -> Result<Opened<'a>, DropReason> {
        let Reading::V12(protection, replay) = &mut self.reading else {
            return Err(DropReason::Epoch);
        };
        if !replay.is_fresh(header.sequence) {
            return Err(DropReason::Replayed);
        }
        let (head, fragment) = record
            .split_at_mut_checked(RecordHeader::LEN + id_len)
            .ok_or(DropReason::Malformed)?;
        let id = head.get(RecordHeader::ID_AT..RecordHeader::ID_AT + id_len);
        let inner = protection
            .open(header, id.unwrap_or_default(), fragment)
            .map_err(|_| DropReason::BadRecord)?;
        replay.accept(header.sequence);
        let newest = replay.is_newest(header.sequence);
        Opened::new(header.epoch.into(), header.sequence, newest, inner)
    }

    /// Whether the record of DTLS 1.2 that was just accepted is newer than all before.
    pub(crate) const fn is_newest(&self, sequence: u64) -> bool {
        match &self.reading {
            Reading::V12(_, replay) => replay.is_newest(sequence),
            Reading::Plaintext | Reading::V13(_) => false,
        }
    }

    /// Decrypts a record of DTLS 1.3. Without keys for its epoch it stays as it is.
    pub(crate) fn open_unified<'a>(
        &mut self,
        header: &UnifiedHeader,
        record: &'a mut [u8],
        now: Instant,
    ) -> Result<Opened<'a>, DropReason> {
        let Reading::V13(epochs) = &mut self.reading else {
            return Err(DropReason::Epoch);
        };
        // The older, the sooner.
        while (epochs.first().and_then(|oldest| oldest.until)).is_some_and(|until| until <= now) {
            epochs.remove(0);
        }
        let used = epochs
            .iter()
            .rposition(|epoch| epoch.epoch % 4 == header.epoch_bits.into());
        let (before, rest) = epochs
            .split_at_mut_checked(used.ok_or(DropReason::Epoch)?)
            .ok_or(DropReason::Epoch)?;
        let (epoch, after) = rest.split_first_mut().ok_or(DropReason::Epoch)?;
        let mut opened = epoch.open(header, record)?;
        // The newest epoch that was used is the one that counts.
        opened.newest &= !after.iter().any(ReadEpoch::is_used);
        // The sender has the keys of this epoch, so that it has given up the others
        // (RFC 9147 §8).
        for before in before {
            if before.until.is_none() {
                before.until = now.checked_add(PREVIOUS_EPOCH);
            }
        }
        // Who writes with the newest keys has heard that we read the ones before, and writes no
        // more with those before them.
        if after.is_empty() && epochs.len() == MAX_EPOCHS {
            epochs.remove(0);
        }
        Ok(opened)
    }
}

#[derive(Debug)]
enum Writing {
    Plaintext,
    V12(Protection),
    /// Oldest first.
    V13(Vec<WriteEpoch>),
}

/// What is written.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// Version on plaintext records: that of DTLS 1.0 until a version is negotiated.
    version: ProtocolVersion,
    plaintext: u64,
    writing: Writing,
    /// Octets of contents that the peer takes in a protected record (RFC 8449 §4).
    limit: usize,
    /// What the peer wants in protected records; empty for none.
    id: ConnectionId,
}

impl Outbound {
    /// Octets of a protected record besides contents and connection id, at most.
    pub(crate) const MAX_OVERHEAD: usize = RecordHeader::LEN + protection::MAX_OVERHEAD + 1;

    pub(crate) fn new() -> Self {
        Self {
            version: ProtocolVersion::DTLS10,
            plaintext: 0,
            writing: Writing::Plaintext,
            limit: MAX_CONTENTS,
            id: ConnectionId::default(),
        }
    }

    /// All that is protected from now on has this connection id.
    pub(crate) fn set_id(&mut self, id: ConnectionId) {
        self.id = id;
    }

    pub(crate) const fn id(&self) -> &ConnectionId {
        &self.id
    }

    pub(crate) const fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    /// The next record in plaintext has this number: those before were sent by somebody else.
    pub(crate) const fn number_from(&mut self, sequence: u64) {
        self.plaintext = sequence;
    }

    /// The peer takes only so many octets of contents in a record.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(MAX_CONTENTS);
    }

    pub(crate) fn install(&mut self, protection: Protection) {
        self.writing = Writing::V12(protection);
    }

    /// Adds an epoch of DTLS 1.3, in which all that is new is written from now on.
    pub(crate) fn install_epoch(&mut self, epoch: WriteEpoch) {
        match &mut self.writing {
            Writing::V13(epochs) => epochs.push(epoch),
            Writing::Plaintext | Writing::V12(_) => {
                let mut epochs = Vec::with_capacity(2);
                epochs.push(epoch);
                self.writing = Writing::V13(epochs);
            }
        }
    }

    /// Nothing is left that would have to be repeated in an earlier epoch than the newest.
    pub(crate) fn retire_epochs(&mut self) {
        if let Writing::V13(epochs) = &mut self.writing {
            epochs.drain(..epochs.len().saturating_sub(1));
        }
    }

    /// The newest epoch that has keys.
    pub(crate) fn epoch(&self) -> u64 {
        match &self.writing {
            Writing::Plaintext => 0,
            Writing::V12(_) => 1,
            Writing::V13(epochs) => epochs.last().map_or(0, |epoch| epoch.epoch),
        }
    }

    /// The number of the next record of this epoch.
    pub(crate) fn next_number(&self, epoch: u64) -> RecordNumber {
        let sequence = match &self.writing {
            Writing::V13(epochs) if epoch > 0 => epochs
                .iter()
                .find(|known| known.epoch == epoch)
                .map_or(0, |known| known.next),
            Writing::Plaintext | Writing::V12(_) | Writing::V13(_) => self.plaintext,
        };
        RecordNumber { epoch, sequence }
    }

    /// Octets of a record of this epoch besides its contents.
    pub(crate) const fn overhead(&self, epoch: u64) -> usize {
        match &self.writing {
            Writing::V12(protection) if epoch > 0 => {
                RecordHeader::LEN + protection.overhead() + self.id.octets().len() + self.inner()
            }
            Writing::V13(_) if epoch > 0 => ciphertext::OVERHEAD + self.id.octets().len(),
            Writing::Plaintext | Writing::V12(_) | Writing::V13(_) => RecordHeader::LEN,
        }
    }

    /// Octets of contents that a record of the newest epoch may have in a datagram of this size.
    pub(crate) fn room(&self, mtu: usize) -> usize {
        let id = self.id.octets().len();
        match &self.writing {
            Writing::Plaintext => (mtu - RecordHeader::LEN).min(MAX_CONTENTS),
            Writing::V12(protection) => {
                let inner = self.inner();
                let overhead = RecordHeader::LEN + protection.overhead() + id + inner;
                (mtu - overhead).min(self.limit - inner)
            }
            Writing::V13(_) => (mtu - ciphertext::OVERHEAD - id).min(self.limit),
        }
    }

    /// Octets that DTLS 1.2 adds to the contents of a record before it is protected: the type,
    /// where there is a connection id (RFC 9146 §4).
    const fn inner(&self) -> usize {
        match &self.writing {
            Writing::V12(_) if !self.id.is_empty() => 1,
            Writing::Plaintext | Writing::V12(_) | Writing::V13(_) => 0,
        }
    }

    /// Octets of contents that a record of this epoch may have.
    pub(crate) const fn limit(&self, epoch: u64) -> usize {
        if epoch > 0 {
            // What is protected counts, which the type is a part of (RFC 8449 §4).
            self.limit - self.inner()
        } else {
            MAX_CONTENTS
        }
    }

    pub(crate) fn can_seal(&self, len: usize) -> bool {
        match &self.writing {
            Writing::Plaintext => false,
            Writing::V12(protection) => protection.can_seal(len),
            Writing::V13(epochs) => epochs.last().is_some_and(|epoch| epoch.can_seal(len)),
        }
    }

    /// Whether the newest epoch of DTLS 1.3 should be followed by another: it protected so many
    /// records, or half of what its key may protect.
    pub(crate) fn is_worn(&self, after: u64) -> bool {
        match &self.writing {
            Writing::Plaintext | Writing::V12(_) => false,
            Writing::V13(epochs) => epochs.last().is_some_and(|epoch| epoch.is_worn(after)),
        }
    }

    /// Appends one record whose contents `body` appends.
    pub(crate) fn record(
        &mut self,
        epoch: u64,
        content_type: ContentType,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), CryptoError> {
        let id = self.id.octets();
        match &mut self.writing {
            Writing::V12(protection) if epoch > 0 => protection.seal(id, content_type, out, body),
            Writing::V13(epochs) if epoch > 0 => epochs
                .iter_mut()
                .rfind(|known| known.epoch == epoch)
                .ok_or(CryptoError)?
                .seal(id, content_type, out, body),
            Writing::Plaintext if epoch > 0 => Err(CryptoError),
            Writing::Plaintext | Writing::V12(_) | Writing::V13(_) => {
                self.plaintext_record(content_type, out, body)
            }
        }
    }

    fn plaintext_record(
        &mut self,
        content_type: ContentType,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), CryptoError> {
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
