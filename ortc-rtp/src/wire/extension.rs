//! Header extensions: the container of RFC 3550 §5.3.1 and the elements of RFC 8285 inside it.

use super::ParseError;

/// The pattern that announces the one-byte form (RFC 8285 §4.2).
const ONE_BYTE: u16 = 0xBEDE;
/// The pattern that announces the two-byte form, without its appbits (RFC 8285 §4.3).
const TWO_BYTE: u16 = 0x1000;
const APPBITS: u16 = 0x000F;
const PADDING_ID: u8 = 0;
/// Ends the processing of a one-byte form (RFC 8285 §4.2).
const STOP_ID: u8 = 15;
const ONE_BYTE_MAX_ID: u8 = 14;
const ONE_BYTE_MAX_LEN: usize = 16;
const ONE_BYTE_LEN: u8 = 0x0F;

/// A header extension as it stands in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What the profile put first: 0xBEDE and 0x1000 to 0x100F are RFC 8285's.
    pub profile: u16,
    /// The words after the length, padding included.
    pub data: &'a [u8],
}

impl<'a> Extension<'a> {
    /// Octets before the data: profile and length in words.
    pub(super) const PREFIX: usize = 4;

    #[inline]
    pub(super) fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), ParseError> {
        let Some((&[p0, p1, l0, l1], rest)) = bytes.split_first_chunk() else {
            return Err(ParseError::Truncated {
                what: "header extension",
                need: Self::PREFIX,
                have: bytes.len(),
            });
        };
        let need = usize::from(u16::from_be_bytes([l0, l1])) * 4;
        let Some((data, rest)) = rest.split_at_checked(need) else {
            return Err(ParseError::Truncated {
                what: "header extension",
                need,
                have: rest.len(),
            });
        };
        let profile = u16::from_be_bytes([p0, p1]);
        Ok((Self { profile, data }, rest))
    }

    /// The elements; none when the profile is neither form of RFC 8285.
    #[inline]
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        let form = if self.profile == ONE_BYTE {
            Form::OneByte
        } else if self.profile & !APPBITS == TWO_BYTE {
            Form::TwoByte
        } else {
            return Elements::none();
        };
        Elements {
            form,
            rest: self.data,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    OneByte,
    TwoByte,
}

/// Elements `(id, data)` in the order of the packet, padding left out.
///
/// An element that reaches past the end of the extension ends the iteration, as does the reserved
/// identifier 15 of the one-byte form: what came before stays valid (RFC 8285 §4.2).
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    form: Form,
    rest: &'a [u8],
}

impl Elements<'_> {
    #[inline]
    pub(super) const fn none() -> Self {
        Self {
            form: Form::OneByte,
            rest: &[],
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = core::mem::take(&mut self.rest);
            let (&first, rest) = rest.split_first()?;
            let (id, len, rest) = match self.form {
                // Padding is one zero octet in both forms (RFC 8285 §4.1.2).
                Form::OneByte | Form::TwoByte if first == PADDING_ID => {
                    self.rest = rest;
                    continue;
                }
                Form::OneByte => (first >> 4, usize::from(first & ONE_BYTE_LEN) + 1, rest),
                Form::TwoByte => {
                    let (&len, rest) = rest.split_first()?;
                    (first, usize::from(len), rest)
                }
            };
            // Identifier 0 with a length, and 15, end the extension (RFC 8285 §4.1.2, §4.2).
            if id == PADDING_ID || (self.form == Form::OneByte && id == STOP_ID) {
                return None;
            }
            let (data, rest) = rest.split_at_checked(len)?;
            self.rest = rest;
            return Some((id, data));
        }
    }
}

/// An element that no header extension can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// Identifier 0 is padding.
    #[error("identifier 0 is reserved for padding")]
    Id,
    /// More than 255 octets of data.
    #[error("element data of {0} octets exceeds 255")]
    Len(usize),
    /// The extension would exceed 65,535 words.
    #[error("the header extension exceeds 65,535 words")]
    Full,
    /// [`ExtensionElements::set`] met no element of this identifier and length.
    #[error("no element of this identifier and length")]
    NoSuchElement,
}

/// A header extension, encoded once and written into every packet of a stream.
///
/// The one-byte form is used when all elements fit it, else the two-byte form (RFC 8285 §4.1.2).
/// Elements that change from packet to packet are pushed once and then overwritten in place, so
/// that a packet costs one copy of the block.
///
/// ```
/// use ortc_rtp::wire::{ExtensionElements, Header, RtpPacket};
///
/// let mut elements = ExtensionElements::new();
/// elements.push(4, b"audio")?; // for the whole stream
/// elements.push(3, &[0, 0])?; // a transport-wide sequence number
/// elements.set(3, &7_u16.to_be_bytes())?;
///
/// let mut out = Vec::new();
/// Header::default().encode_with(&mut out, &[], &elements);
/// let packet = RtpPacket::parse(&out)?;
/// assert!(packet.extensions().eq([(4, &b"audio"[..]), (3, &[0, 7][..])]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionElements {
    /// Profile, length, elements, padding: as in the packet. Empty without elements.
    block: Vec<u8>,
    /// Octets of `block` before the padding.
    used: usize,
    /// Where the data of each element stands in `block`.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    id: u8,
    at: usize,
    len: usize,
}

impl ExtensionElements {
    /// Octets of the largest block: what its length can say, and before it.
    const LARGEST: usize = Extension::PREFIX + 65_535 * 4;

    /// No elements.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            block: Vec::new(),
            used: 0,
            places: Vec::new(),
        }
    }

    /// Removes all elements and keeps the memory.
    pub fn clear(&mut self) {
        self.block.clear();
        self.used = 0;
        self.places.clear();
    }

    /// Whether nothing was pushed.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// The block as it stands in a packet: profile, length, elements, padding.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.block
    }

    /// The elements.
    #[must_use]
    pub fn elements(&self) -> Elements<'_> {
        Extension::split(&self.block).map_or_else(|_| Elements::none(), |(e, _)| e.elements())
    }

    /// Appends an element; the form changes to two bytes if this one needs it.
    ///
    /// # Errors
    ///
    /// [`ExtensionError::Id`], [`ExtensionError::Len`] or [`ExtensionError::Full`]; nothing has changed then.
    pub fn push(&mut self, id: u8, data: &[u8]) -> Result<(), ExtensionError> {
        if id == PADDING_ID {
            return Err(ExtensionError::Id);
        }
        let Ok(len) = u8::try_from(data.len()) else {
            return Err(ExtensionError::Len(data.len()));
        };
        let fits = id <= ONE_BYTE_MAX_ID && (1..=ONE_BYTE_MAX_LEN).contains(&data.len());
        if !fits && self.form() != Some(Form::TwoByte) {
            let mut wide = self.widened();
            wide.push_here(id, len, data)?;
            *self = wide;
            return Ok(());
        }
        self.push_here(id, len, data)
    }

    /// Appends an element that its form can hold, in the memory that is there.
    fn push_here(&mut self, id: u8, len: u8, data: &[u8]) -> Result<(), ExtensionError> {
        // Two octets before the data at most: whoever has so many elements cannot use the last one.
        if self.used.max(Extension::PREFIX) + 2 + data.len() > Self::LARGEST {
            return Err(ExtensionError::Full);
        }
        if self.is_empty() {
            self.begin(ONE_BYTE);
        }
        self.append(id, len, data);
        self.finish()
    }

    /// Overwrites the data of the first element with this identifier; the length stays.
    ///
    /// # Errors
    ///
    /// [`ExtensionError::NoSuchElement`] when no element has this identifier and length.
    #[inline]
    pub fn set(&mut self, id: u8, data: &[u8]) -> Result<(), ExtensionError> {
        let place = self
            .places
            .iter()
            .find(|place| place.id == id && place.len == data.len())
            .and_then(|place| self.block.get_mut(place.at..place.at + place.len));
        let Some(place) = place else {
            return Err(ExtensionError::NoSuchElement);
        };
        place.copy_from_slice(data);
        Ok(())
    }

    fn form(&self) -> Option<Form> {
        let (&[p0, p1], _) = self.block.split_first_chunk()?;
        Some(if u16::from_be_bytes([p0, p1]) == ONE_BYTE {
            Form::OneByte
        } else {
            Form::TwoByte
        })
    }

    /// The same elements in the two-byte form.
    fn widened(&self) -> Self {
        let mut wide = Self::new();
        wide.begin(TWO_BYTE);
        for (id, data) in self.elements() {
            // At most 16 octets: they come from the one-byte form.
            wide.append(id, u8::try_from(data.len()).unwrap_or_default(), data);
        }
        wide
    }

    /// Writes an element after the last one, over the padding.
    fn append(&mut self, id: u8, len: u8, data: &[u8]) {
        self.block.truncate(self.used);
        if self.form() == Some(Form::OneByte) {
            self.block.push((id << 4) | len.saturating_sub(1));
        } else {
            self.block.extend_from_slice(&[id, len]);
        }
        self.places.push(Place {
            id,
            at: self.block.len(),
            len: data.len(),
        });
        self.block.extend_from_slice(data);
        self.used = self.block.len();
    }

    fn begin(&mut self, profile: u16) {
        self.block.extend_from_slice(&profile.to_be_bytes());
        self.block.extend_from_slice(&[0, 0]);
        self.used = self.block.len();
    }

    fn finish(&mut self) -> Result<(), ExtensionError> {
        let padded = self.used.next_multiple_of(4);
        self.block.resize(padded, 0);
        let words = u16::try_from((padded - Extension::PREFIX) / 4);
        let Ok(words) = words else {
            return Err(ExtensionError::Full);
        };
        if let Some([_, _, length @ ..]) = self.block.first_chunk_mut::<{ Extension::PREFIX }>() {
            *length = words.to_be_bytes();
        }
        Ok(())
    }
}
