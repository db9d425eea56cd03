//! Opus (RFC 7587): an Opus packet is the payload, with no header (§4.2).
//!
//! What a sender needs to know of a packet is how far the timestamp advances; the first octet
//! tells (RFC 6716 §3.1).

use super::ParseError;

/// Samples of 48 kHz in 2.5 ms, the shortest frame.
const SHORTEST: u32 = 120;

/// The longest packet: 120 ms (RFC 6716 §3.2.5, R5).
const LONGEST: u32 = 48 * SHORTEST;

/// Length of an Opus packet in samples of 48 kHz, which is also RTP timestamp units.
///
/// # Errors
///
/// [`ParseError::Truncated`] without the octets that hold the frame count (RFC 6716 §3.2, R1 and
/// R6), [`ParseError::TooLarge`] for a packet of more than 120 ms or of no frames (R5).
pub fn duration(packet: &[u8]) -> Result<u32, ParseError> {
    let Some(&toc) = packet.first() else {
        return Err(ParseError::Truncated {
            what: "TOC octet",
            need: 1,
            have: 0,
        });
    };
    let frames = match toc & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => match packet.get(1) {
            Some(count) => u32::from(count & 0x3f),
            None => {
                return Err(ParseError::Truncated {
                    what: "frame count octet",
                    need: 2,
                    have: 1,
                });
            }
        },
    };
    let samples = frames * frame_samples(toc >> 3);
    if samples == 0 || samples > LONGEST {
        return Err(ParseError::TooLarge {
            max: LONGEST as usize,
        });
    }
    Ok(samples)
}

/// Table 2 of RFC 6716: the frame size of a configuration number.
const fn frame_samples(config: u8) -> u32 {
    match config {
        // SILK: 10, 20, 40, 60 ms
        0..=11 => match config & 3 {
            0 => 4 * SHORTEST,
            1 => 8 * SHORTEST,
            2 => 16 * SHORTEST,
            _ => 24 * SHORTEST,
        },
        // Hybrid: 10, 20 ms
        12..=15 => (4 * SHORTEST) << (config & 1),
        // CELT: 2.5, 5, 10, 20 ms
        _ => SHORTEST << (config & 3),
    }
}
