//! Ogg Opus (RFC 7845): two header packets, then Opus packets in pages with granule positions.

use std::io::{Read, Seek, Write};

use bytes::Bytes;
use ogg::{PacketReader, PacketWriteEndInfo, PacketWriter};
use ortc_rtp::payload::opus;

use super::MediaError;

/// A page is ended when it holds this many samples of 48 kHz: a second, as RFC 7845 §4 suggests.
const PAGE: u64 = 48_000;

/// One Opus packet of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpusPacket {
    /// The packet.
    pub(crate) data: Bytes,
    /// Its duration in samples of 48 kHz, from its first octet (RFC 6716 §3.1).
    pub(crate) samples: u32,
    /// Of the last packet: the granule position at which the stream ends. It can lie before the
    /// end of the packet, which is then cut (RFC 7845 §4.4).
    pub(crate) end: Option<u64>,
}

/// Reads Opus packets. Granule positions are taken to begin with 0, as those of a whole file do.
pub(crate) struct OggOpusReader<R: Read + Seek> {
    pages: PacketReader<R>,
    head: Bytes,
    tags: Bytes,
}

impl<R: Read + Seek> OggOpusReader<R> {
    /// Reads the two header packets.
    pub(crate) fn new(input: R) -> Result<Self, MediaError> {
        let mut pages = PacketReader::new(input);
        let mut header = |name: &'static str| match pages.read_packet()? {
            Some(packet) if packet.data.starts_with(name.as_bytes()) => {
                Ok(Bytes::from(packet.data))
            }
            Some(_) | None => Err(MediaError::NoOpus(name)),
        };
        let head = header("OpusHead")?;
        let tags = header("OpusTags")?;
        Ok(Self { pages, head, tags })
    }

    /// The identification header (RFC 7845 §5.1): channels, pre-skip, input rate, gain.
    pub(crate) fn head(&self) -> &Bytes {
        &self.head
    }

    /// The comment header (RFC 7845 §5.2).
    pub(crate) fn tags(&self) -> &Bytes {
        &self.tags
    }

    /// The next packet; `None` at the end.
    pub(crate) fn next_packet(&mut self) -> Result<Option<OpusPacket>, MediaError> {
        let Some(packet) = self.pages.read_packet()? else {
            return Ok(None);
        };
        Ok(Some(OpusPacket {
            samples: opus::duration(&packet.data)?,
            end: packet.last_in_stream().then(|| packet.absgp_page()),
            data: packet.data.into(),
        }))
    }
}

/// Writes Opus packets.
pub(crate) struct OggOpusWriter<W: Write> {
    pages: PacketWriter<'static, W>,
    serial: u32,
    granule: u64,
    /// Granule position at which the page being filled began.
    page: u64,
    /// The last packet of a stream is marked, so each is held until the next one comes.
    held: Option<OpusPacket>,
}

impl<W: Write> OggOpusWriter<W> {
    /// Writes the two header packets, each on a page of its own (RFC 7845 §3). `serial` tells the
    /// streams of one file apart.
    pub(crate) fn new(
        output: W,
        serial: u32,
        head: Bytes,
        tags: Bytes,
    ) -> Result<Self, MediaError> {
        let mut pages = PacketWriter::new(output);
        for header in [head, tags] {
            pages.write_packet(header.to_vec(), serial, PacketWriteEndInfo::EndPage, 0)?;
        }
        Ok(Self {
            pages,
            serial,
            granule: 0,
            page: 0,
            held: None,
        })
    }

    /// Writes one packet.
    pub(crate) fn write(&mut self, packet: OpusPacket) -> Result<(), MediaError> {
        if let Some(before) = self.held.replace(packet) {
            self.granule += u64::from(before.samples);
            let full = self.granule - self.page >= PAGE;
            let end = if full {
                self.page = self.granule;
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            let data = before.data.to_vec();
            self.pages
                .write_packet(data, self.serial, end, self.granule)?;
        }
        Ok(())
    }

    /// Marks the last packet as such and gives the output back.
    ///
    /// Where the packet knows the end of the stream and it lies within the packet, its last samples
    /// are cut there.
    pub(crate) fn finish(mut self) -> Result<W, MediaError> {
        if let Some(last) = self.held.take() {
            let whole = self.granule + u64::from(last.samples);
            let end = last
                .end
                .filter(|end| (self.granule..=whole).contains(end))
                .unwrap_or(whole);
            let data = last.data.to_vec();
            self.pages
                .write_packet(data, self.serial, PacketWriteEndInfo::EndStream, end)?;
        }
        let mut output = self.pages.into_inner();
        output.flush()?;
        Ok(output)
    }
}
