//! Whether the call was as it should be: what arrived is compared with what was sent.

use core::error::Error;
use std::path::Path;
use std::process::Command;

use ortc_rtp::payload::h264::units;

use crate::dialler::audible;
use crate::report::{ReceivedTrack, Report, SentTrack};
use crate::source::{Format, load, payloads};
use crate::{Arguments, duties};

/// Longest time to connect, in milliseconds.
const CONNECT: f64 = 5_000.0;
/// Longest time without a video frame, in milliseconds.
const FREEZE: f64 = 1_000.0;
/// Least share of the video frames that arrives under loss, in percent.
const VIDEO_SHARE: usize = 97;

/// The checks of a call.
#[derive(Default)]
pub(crate) struct Verdict {
    lines: Vec<(bool, String)>,
}

/// Sent and received frames, laid beside each other.
struct Comparison {
    sent: usize,
    received: usize,
    /// Frames received that were not sent at their place.
    damaged: usize,
    missing: usize,
    /// Missing before a frame that was received, where a receiver can see the gap.
    missing_between: usize,
    /// Received frames that follow a missing one.
    after_missing: Vec<u64>,
}

impl Verdict {
    pub(crate) fn check(&mut self, what: impl Into<String>, holds: bool) {
        self.lines.push((holds, what.into()));
    }

    /// Prints the checks; whether all hold.
    pub(crate) fn print(&self) -> bool {
        for (holds, what) in &self.lines {
            println!("{} {what}", if *holds { "ok    " } else { "FAILED" });
        }
        self.lines.iter().all(|(holds, _)| *holds)
    }

    pub(crate) fn judge(
        &mut self,
        reports: &[Report],
        arguments: &Arguments,
    ) -> Result<(), Box<dyn Error>> {
        let calls = if arguments.fork { 2 } else { 1 };
        self.check("every side reported", reports.len() == 2 * calls);
        for report in reports {
            let in_time = report
                .connected_after_ms
                .is_some_and(|time| time <= CONNECT);
            let who = &report.who;
            self.check(format!("{who}: connected within 5 s"), in_time);
            let verified = report.verified.is_some();
            self.check(
                format!("{who}: the peer is whom signalling named"),
                verified,
            );
        }
        let of = |part: &str| -> Vec<&Report> {
            let of_part = reports.iter().filter(|report| report.who.starts_with(part));
            of_part.collect()
        };
        let (callers, callees) = (of("caller"), of("callee"));
        if let [one, other] = callees.as_slice() {
            let shared = one.port == other.port;
            let what = format!("both calls ran over the one port {}", one.port);
            self.check(what, shared);
        }
        for (caller, callee) in callers.into_iter().zip(callees) {
            self.tones(caller, callee);
            self.media(caller, callee, arguments)?;
            self.media(callee, caller, arguments)?;
        }
        Ok(())
    }

    fn tones(&mut self, caller: &Report, callee: &Report) {
        let expected = audible();
        let what = format!(
            "tones {expected}: sent {}, received {}",
            caller.tones_sent, callee.tones_received
        );
        let holds = caller.tones_sent == expected && callee.tones_received == expected;
        self.check(what, holds);
    }

    fn media(
        &mut self,
        from: &Report,
        to: &Report,
        arguments: &Arguments,
    ) -> Result<(), Box<dyn Error>> {
        for sent in &from.sent {
            let what = format!("{} from {} to {}", sent.codec, from.who, to.who);
            let received = to.received.iter().find(|track| track.ssrc == sent.ssrc);
            let Some(received) = received.filter(|track| track.frames > 0) else {
                self.check(format!("{what}: arrived"), false);
                continue;
            };
            let lost = from.lost_on_purpose.rtp.get(&sent.ssrc).copied();
            self.track(&what, sent, received, lost.unwrap_or_default(), arguments)?;
        }
        Ok(())
    }

    fn track(
        &mut self,
        what: &str,
        sent: &SentTrack,
        received: &ReceivedTrack,
        lost: u64,
        arguments: &Arguments,
    ) -> Result<(), Box<dyn Error>> {
        let format = Format::of(&sent.codec).ok_or("a track without a format")?;
        let limit = arguments.seconds.map(core::time::Duration::from_secs_f64);
        let clip = load(format, limit)?;
        let all_sent = usize::try_from(sent.frames) == Ok(clip.frames.len());
        self.check(format!("{what}: {} frames sent", sent.frames), all_sent);

        let source = clip.frames.iter();
        let source: Vec<_> = source
            .map(|frame| canonical(format, &frame.payload))
            .collect();
        let arrived = payloads(format, &std::fs::read(&received.file)?)?;
        let arrived: Vec<_> = (0..)
            .zip(&arrived)
            .filter(|(place, _)| !received.fillers.contains(place))
            .map(|(_, payload)| canonical(format, payload))
            .collect();
        let compared = Comparison::new(&source, &arrived);
        if compared.missing == 0 && compared.damaged == 0 {
            let name =
                duties::folder(&arguments.out, None).join(format!("sent.{}", format.extension()));
            std::fs::write(&name, &clip.file)?;
            self.decoded(what, &name, Path::new(&received.file), compared.sent);
        } else {
            println!(
                "{what}: {} of {} frames arrived, {} unlike any that was sent",
                compared.received, compared.sent, compared.damaged
            );
        }
        if arguments.loss == 0.0 {
            let whole = compared.missing == 0 && compared.damaged == 0;
            self.check(format!("{what}: every frame arrived as it was sent"), whole);
            return Ok(());
        }
        self.check(
            format!("{what}: no frame is damaged"),
            compared.damaged == 0,
        );
        match format {
            Format::Opus => {
                let few = u64::try_from(compared.missing)? <= lost;
                let counts = format!("{} missing, {lost} packets lost", compared.missing);
                self.check(format!("{what}: no more missing than lost ({counts})"), few);
                let told = u64::try_from(compared.missing_between)? <= received.gap_packets;
                let marked = compared
                    .after_missing
                    .iter()
                    .all(|place| received.after_gap.contains(place));
                self.check(format!("{what}: every gap was reported"), told && marked);
            }
            Format::Vp8 | Format::H264 => {
                let enough = compared.received * 100 >= compared.sent * VIDEO_SHARE;
                let counts = format!("{} of {}", compared.received, compared.sent);
                self.check(format!("{what}: at least 97 % arrived ({counts})"), enough);
                let smooth = received.longest_pause_ms <= FREEZE;
                self.check(format!("{what}: no freeze over 1 s"), smooth);
            }
        }
        Ok(())
    }

    /// Compares what a decoder makes of both files, where there is one.
    fn decoded(&mut self, what: &str, sent: &Path, received: &Path, frames: usize) {
        match (checksums(sent), checksums(received)) {
            (Some(sent), Some(received)) => {
                let same = !sent.is_empty() && sent == received;
                let verdict = if same { "identical" } else { "different" };
                let what = format!("{what}: decoded {verdict}, {} frames", received.len());
                self.check(what, same);
            }
            (None, _) | (_, None) => println!(
                "{what}: ffmpeg is not installed; {frames} encoded frames are equal octet by octet"
            ),
        }
    }
}

impl Comparison {
    /// Both in order; a received frame is looked for from the last match on.
    fn new(sent: &[Vec<u8>], received: &[Vec<u8>]) -> Self {
        let mut compared = Self {
            sent: sent.len(),
            received: 0,
            damaged: 0,
            missing: 0,
            missing_between: 0,
            after_missing: Vec::new(),
        };
        let mut next = 0;
        for (place, frame) in received.iter().enumerate() {
            let rest = sent.get(next..).unwrap_or_default();
            match rest.iter().position(|candidate| candidate == frame) {
                Some(skipped) => {
                    // What is lost before the first packet that comes is no gap to a receiver.
                    if skipped > 0 && next > 0 {
                        compared.missing_between += skipped;
                        compared.after_missing.extend(u64::try_from(place));
                    }
                    next += skipped + 1;
                    compared.received += 1;
                }
                None => compared.damaged += 1,
            }
        }
        compared.missing = compared.sent - compared.received;
        compared
    }
}

/// The frame as it travels. The start codes of Annex B do not: they are of three octets or four as
/// the encoder likes, and of four behind the packets (RFC 6184 §1.3).
fn canonical(format: Format, frame: &[u8]) -> Vec<u8> {
    match format {
        Format::Opus | Format::Vp8 => frame.to_vec(),
        Format::H264 => units(frame)
            .filter_map(|unit| frame.get(unit))
            .flat_map(|unit| [&[0, 0, 0, 1], unit].concat())
            .collect(),
    }
}

/// The checksum column of `ffmpeg -f framemd5`, or nothing without ffmpeg.
fn checksums(file: &Path) -> Option<Vec<String>> {
    let run = |options: &[&str]| {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-i"]).arg(file);
        let output = command
            .args(options)
            .args(["-f", "framemd5", "-"])
            .output()
            .ok()?;
        output.status.success().then_some(output.stdout)
    };
    // Every frame as it is, none repeated or left out to keep a rate; an old ffmpeg has no such option.
    let text = run(&["-fps_mode", "passthrough"]).or_else(|| run(&[]))?;
    let text = String::from_utf8(text).ok()?;
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    let column = rows.filter_map(|row| row.rsplit(',').next());
    Some(column.map(|sum| sum.trim().to_owned()).collect())
}
