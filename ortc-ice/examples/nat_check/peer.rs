//! With a peer: signalling by hand or by files, then the agent connects, and what it did is shown.

use core::error::Error;
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use ortc_ice::{CandidateKind, Event, PairState, PairStats};

use crate::endpoint::{Endpoint, kind};
use crate::signalling::{self, Description};
use crate::{Arguments, system, table};

/// After the first pair works, for better ones to be found, and for the peer to finish.
const LINGER: Duration = Duration::from_secs(2);
/// How long a human may take to paste a line.
const PASTE: Duration = Duration::from_secs(600);

/// Says whether the two reach each other.
pub(crate) fn connect(
    endpoint: &mut Endpoint,
    arguments: &Arguments,
) -> Result<bool, Box<dyn Error>> {
    let ours = signalling::write(endpoint.agent.local_credentials(), endpoint.signalled());
    let line = match &arguments.peer_file {
        Some(file) => by_files(endpoint, file, arguments.offer, &ours)?,
        None => by_hand(endpoint, arguments.offer, &ours)?,
    };
    let theirs = signalling::read(&line)?;
    start(endpoint, &theirs)?;
    let connected = endpoint.run(arguments.timeout(), |endpoint| {
        endpoint.events.contains(&Event::Failed) || endpoint.events.contains(&Event::Connected)
    });
    if connected && endpoint.agent.data_path().is_some() {
        endpoint.run(LINGER, |_| false);
    }
    print(endpoint, &theirs);
    Ok(endpoint.agent.data_path().is_some())
}

fn start(endpoint: &mut Endpoint, theirs: &Description) -> Result<(), Box<dyn Error>> {
    let now = system::now();
    let credentials = theirs.credentials.clone();
    endpoint.agent.set_remote_credentials(credentials, now)?;
    for candidate in &theirs.candidates {
        endpoint.permit(candidate.address().ip());
        endpoint
            .agent
            .add_remote_candidate(candidate.clone(), now)?;
    }
    endpoint.agent.end_of_remote_candidates(now);
    endpoint.agent.connect(now)?;
    Ok(())
}

fn by_hand(endpoint: &mut Endpoint, offer: bool, ours: &str) -> Result<String, Box<dyn Error>> {
    let (here, there) = if offer {
        ("offer", "--answer")
    } else {
        ("answer", "--offer")
    };
    println!("\nThis {here} goes to the side with {there}:\n{ours}");
    println!("Paste the line of the other side here:");
    endpoint.read_lines();
    let is_line = |line: &String| line.trim_start().starts_with('{');
    endpoint.run(PASTE, |endpoint| endpoint.lines.iter().any(is_line));
    let line = endpoint.lines.iter().find(|line| is_line(line)).cloned();
    Ok(line.ok_or("the other side's line did not come")?)
}

fn by_files(
    endpoint: &mut Endpoint,
    file: &Path,
    offer: bool,
    ours: &str,
) -> Result<String, Box<dyn Error>> {
    let name = |end: &str| PathBuf::from(format!("{}.{end}", file.display()));
    let (write, read) = if offer {
        (name("offer"), name("answer"))
    } else {
        (name("answer"), name("offer"))
    };
    // Renamed when it is whole, so that nobody reads half of it.
    let part = name(if offer { "offer.part" } else { "answer.part" });
    fs::write(&part, ours).map_err(|error| format!("{}: {error}", part.display()))?;
    fs::rename(&part, &write).map_err(|error| format!("{}: {error}", write.display()))?;
    let mut line = None;
    for _ in 0..PASTE.as_secs() * 10 {
        endpoint.run(Duration::from_millis(100), |_| false);
        line = fs::read_to_string(&read).ok();
        if line.is_some() {
            break;
        }
    }
    let _ = fs::remove_file(&read);
    Ok(line.ok_or(format!("{} did not appear", read.display()))?)
}

fn print(endpoint: &Endpoint, theirs: &Description) {
    let stats = endpoint.agent.stats();
    let remote_kind = |pair: &PairStats| {
        let known = theirs.candidates.iter();
        let mut known = known.filter(|candidate| candidate.address() == pair.path.remote);
        known
            .next()
            .map_or(CandidateKind::PeerReflexive, ortc_ice::Candidate::kind)
    };
    let mut pairs: Vec<_> = stats.pairs.iter().collect();
    pairs.sort_by_key(|pair| core::cmp::Reverse(pair.priority));
    let row = |pair: &&PairStats| {
        let local = pair.path.local;
        vec![
            if pair.active { "*" } else { "" }.into(),
            format!("{} {local}", endpoint.kind_of(local)),
            format!("{} {}", kind(remote_kind(pair)), pair.path.remote),
            state(pair.state).into(),
            table::rtt(pair.rtt),
            pair.priority.to_string(),
            if pair.nominated { "yes" } else { "no" }.into(),
        ]
    };
    let rows: Vec<_> = pairs.iter().map(row).collect();
    let heads = [
        "",
        "local",
        "remote",
        "state",
        "rtt",
        "priority",
        "nominated",
    ];
    table::print("Pairs", &heads, &rows);
    match pairs.iter().find(|pair| pair.active) {
        None => println!("\nNo pair works: the peers do not reach each other."),
        Some(pair) => {
            let better = pairs.iter().take_while(|other| !other.active).count();
            let why = if better == 0 {
                "it has the highest priority of all".to_owned()
            } else {
                format!("none of the {better} pairs of higher priority works")
            };
            println!(
                "\nPair chosen: {} {} -> {} {}, because {why}{}.",
                endpoint.kind_of(pair.path.local),
                pair.path.local,
                kind(remote_kind(pair)),
                pair.path.remote,
                if pair.nominated {
                    ", and it is nominated"
                } else {
                    ""
                },
            );
        }
    }
}

const fn state(state: PairState) -> &'static str {
    match state {
        PairState::Frozen => "frozen",
        PairState::Waiting => "waiting",
        PairState::InProgress => "in progress",
        PairState::Succeeded => "succeeded",
        PairState::Failed => "failed",
    }
}
