//! Tones beside audio: on the audio's SSRC and clock, with a payload type of their own.

use core::time::Duration;
use std::time::Instant;

use ortc_dtmf::{Receiver, Sender, TonesError};

use crate::api::RTCCodec;
use crate::timer::Armed;

/// The sending side of one audio track.
#[derive(Debug)]
pub(crate) struct SendTones {
    pub(crate) sender: Sender,
    /// Tones that were inserted while nothing could leave: they begin when it can.
    waiting: Option<Box<Sender>>,
    pub(crate) payload_type: u8,
    pub(crate) armed: Armed,
    /// The last tone: when it began, and its RTP timestamp.
    pub(crate) current: Option<(Instant, u32)>,
}

impl SendTones {
    /// The RTP timestamp of the tone that began at this instant. All its reports have this one
    /// (RFC 4733 §2.5.1.2), although the audio clock, which follows frames that are early or late,
    /// would show another each time.
    pub(crate) fn timestamp(&mut self, started_at: Instant, clock: impl FnOnce() -> u32) -> u32 {
        match self.current {
            Some((known, timestamp)) if known == started_at => timestamp,
            Some(_) | None => {
                let timestamp = clock();
                self.current = Some((started_at, timestamp));
                timestamp
            }
        }
    }
}

impl SendTones {
    pub(crate) fn new(sender: Sender, payload_type: u8) -> Self {
        Self {
            sender,
            waiting: None,
            payload_type,
            armed: Armed::default(),
            current: None,
        }
    }

    /// Who knows what has not begun.
    pub(crate) fn latest(&self) -> &Sender {
        self.waiting.as_deref().unwrap_or(&self.sender)
    }

    /// Plays these tones now.
    pub(crate) fn play(
        &mut self,
        tones: &str,
        duration: Duration,
        gap: Duration,
        now: Instant,
    ) -> Result<(), TonesError> {
        self.sender.insert(tones, duration, gap, now)?;
        self.waiting = None;
        Ok(())
    }

    /// Keeps these tones for later, in place of others that wait.
    pub(crate) fn wait(
        &mut self,
        tones: &str,
        duration: Duration,
        gap: Duration,
        now: Instant,
    ) -> Result<(), TonesError> {
        let Ok(mut waiting) = Sender::new(self.sender.clock_rate()) else {
            return Ok(());
        };
        // What is first begins at once: a pause that is never over keeps the tones behind it.
        waiting.insert(",", duration, gap, now)?;
        waiting.insert(tones, duration, gap, now)?;
        self.waiting = Some(Box::new(waiting));
        Ok(())
    }

    /// Something can leave: what waited begins.
    pub(crate) fn release(&mut self, now: Instant) {
        if let Some(waiting) = self.waiting.take() {
            // The limits were asked when it was kept.
            let (tones, duration, gap) = (
                waiting.tone_buffer(),
                waiting.duration(),
                waiting.inter_tone_gap(),
            );
            let _ = self.sender.insert(tones, duration, gap, now);
        }
    }
}

/// The receiving side of one audio track. Each payload type of tones may run on a clock of its own.
#[derive(Debug)]
pub(crate) struct ReceiveTones {
    pub(crate) receiver: Receiver,
    pub(crate) clock_rate: u32,
}

impl ReceiveTones {
    pub(crate) fn new(clock_rate: u32) -> Option<Self> {
        Some(Self {
            receiver: Receiver::new(clock_rate).ok()?,
            clock_rate,
        })
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.receiver.poll_timeout()
    }
}

/// The `dtmf` codec that tones are sent with: one on the audio's clock if the peer lists it, else
/// one at a rate that it lists, else the first of our own list.
pub(crate) fn choose<'a>(
    ours: &'a [RTCCodec],
    audio_rate: u32,
    peer_rates: &[u32],
) -> Option<(&'a RTCCodec, u32)> {
    let rate = |codec: &RTCCodec| codec.clock_rate.unwrap_or(audio_rate);
    let listed = |codec: &&RTCCodec| peer_rates.is_empty() || peer_rates.contains(&rate(codec));
    let tones = || ours.iter().filter(|codec| codec.is_dtmf());
    tones()
        .filter(listed)
        .find(|codec| rate(codec) == audio_rate)
        .or_else(|| tones().find(listed))
        .or_else(|| tones().next())
        .map(|codec| (codec, rate(codec)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tones(rates: &[Option<u32>]) -> Vec<RTCCodec> {
        rates
            .iter()
            .zip(101..)
            .map(|(rate, id)| RTCCodec {
                clock_rate: *rate,
                ..RTCCodec::new(id, "dtmf")
            })
            .collect()
    }

    #[test]
    fn tones_run_on_the_audio_clock_if_the_peer_lists_it_else_on_a_rate_that_it_lists() {
        let both = tones(&[Some(8_000), Some(48_000)]);
        let chosen =
            |ours: &[RTCCodec], peer: &[u32]| choose(ours, 48_000, peer).map(|(_, rate)| rate);
        assert_eq!(chosen(&both, &[8_000, 48_000]), Some(48_000));
        assert_eq!(chosen(&both, &[8_000]), Some(8_000));
        assert_eq!(chosen(&both, &[]), Some(48_000));
        assert_eq!(chosen(&tones(&[None]), &[48_000]), Some(48_000));
        assert_eq!(
            chosen(&tones(&[None]), &[8_000]),
            Some(48_000),
            "what we have is better than nothing"
        );
        assert_eq!(chosen(&[], &[8_000]), None);
    }
}
