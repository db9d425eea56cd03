//! What the processes tell each other over their pipes: one JSON object a line, the messages of the
//! draft's section 9.1 and a few of our own that a peer may ignore.

use core::error::Error;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use mio::Waker;
use ortc_core::{
    CertificateFingerprint, RTCIceCandidateDescription, RTCIceConnectionInfo, RTCTrackDescription,
};
use serde::{Deserialize, Serialize};

use crate::report::Report;

/// One line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Message {
    /// `{"iceInfo": ..}` of the draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ice_info: Option<RTCIceConnectionInfo>,
    /// `{"candidate": ..}` of the draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) candidate: Option<RTCIceCandidateDescription>,
    /// `{"track": ..}` of the draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) track: Option<RTCTrackDescription>,
    /// `{"fingerprint": {"sha-256": ".."}}`, ours: whose certificate the other side must see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<CertificateFingerprint>,
    /// Ours: what a recording needs to know of an audio file and RTP does not carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recording: Option<Recording>,
    /// Ours: everything was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) done: Option<bool>,
    /// To the parent process: how the call went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Box<Report>>,
    /// Which of the answers to one description this belongs to: what a signalling server knows
    /// from the connection that a message came over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<usize>,
}

/// The header of an Ogg Opus file and its end (RFC 7845 §5.1, §4.4).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recording {
    /// SSRC of the track, in decimal as in the draft's descriptions.
    pub(crate) ssrc: String,
    pub(crate) channels: u8,
    pub(crate) pre_skip: u16,
    /// Granule position at which the last packet is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<u64>,
}

/// Writes a message to the other side.
pub(crate) fn send(message: &Message) -> Result<(), Box<dyn Error>> {
    let mut line = serde_json::to_string(message)?;
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Reads standard input on a thread and wakes the event loop for each message; the end of the
/// channel is the end of the input.
pub(crate) fn listen(waker: Arc<Waker>) -> Receiver<Message> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line) {
                Ok(message) => {
                    if sender.send(message).is_err() {
                        return;
                    }
                    let _ = waker.wake();
                }
                Err(error) => eprintln!("a signalling message cannot be read: {error}"),
            }
        }
        drop(sender);
        let _ = waker.wake();
    });
    receiver
}
