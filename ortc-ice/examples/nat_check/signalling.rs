//! What the two sides have to tell each other: one line of JSON each way.

use core::net::SocketAddr;

use ortc_ice::{Candidate, CandidateKind, Credentials};
use serde_json::{Value, json};

use crate::endpoint::kind;

/// Credentials and candidates of one side.
pub(crate) struct Description {
    pub(crate) credentials: Credentials,
    pub(crate) candidates: Vec<Candidate>,
}

pub(crate) fn write<'a>(
    credentials: &Credentials,
    candidates: impl Iterator<Item = &'a Candidate>,
) -> String {
    let candidate = |candidate: &Candidate| {
        json!({
            "foundation": candidate.foundation(),
            "priority": candidate.priority(),
            "address": candidate.address().to_string(),
            "kind": kind(candidate.kind()),
        })
    };
    json!({
        "ufrag": credentials.ufrag(),
        "password": credentials.password(),
        "candidates": candidates.map(candidate).collect::<Vec<_>>(),
    })
    .to_string()
}

pub(crate) fn read(line: &str) -> Result<Description, String> {
    let value: Value = serde_json::from_str(line.trim())
        .map_err(|error| format!("the peer's line is not JSON: {error}"))?;
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.map(str::to_owned)
            .ok_or(format!("the peer's line has no text `{name}`"))
    };
    let credentials = Credentials::new(text(&value, "ufrag")?, text(&value, "password")?)
        .map_err(|error| format!("the peer's credentials cannot be used: {error}"))?;
    let listed = value.get("candidates").and_then(Value::as_array);
    let listed = listed.ok_or("the peer's line has no list `candidates`")?;
    let mut candidates = Vec::new();
    for value in listed.iter().take(100) {
        let address: SocketAddr = text(value, "address")?
            .parse()
            .map_err(|_| "an address of the peer cannot be read")?;
        let kind = match text(value, "kind")?.as_str() {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relayed,
            other => return Err(format!("the peer has a candidate of a kind `{other}`")),
        };
        let priority = value.get("priority").and_then(Value::as_u64);
        let priority = priority.and_then(|priority| u32::try_from(priority).ok());
        let foundation = text(value, "foundation")?;
        let candidate =
            Candidate::remote(&foundation, 1, priority.unwrap_or(0), address, kind, None)
                .map_err(|error| format!("a candidate of the peer cannot be used: {error}"))?;
        candidates.push(candidate);
    }
    Ok(Description {
        credentials,
        candidates,
    })
}
