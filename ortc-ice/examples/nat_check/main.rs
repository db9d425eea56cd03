//! What does my network let through? Gathers candidates from STUN and TURN servers, finds out what
//! the NAT does (RFC 5780), and, with somebody who runs the same at the other end, over which pair
//! of addresses the two can talk.
//!
//! ```sh
//! cargo run --release --example nat_check -- --server stun:stun.example.org
//! cargo run --release --example nat_check -- --server turn:alice@turn.example.org --credential secret
//! cargo run --release --example nat_check -- --server stun:stun.example.org --offer   # here
//! cargo run --release --example nat_check -- --server stun:stun.example.org --answer  # and there
//! ```
//!
//! The exit code is 0 when all is well, 1 when a server failed or the peers do not reach each other,
//! and 2 when it was called in a wrong way.

mod behaviour;
mod endpoint;
mod io;
mod peer;
mod signalling;
mod system;
mod table;
mod tls;

use core::error::Error;
use core::net::IpAddr;
use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ortc_ice::ServerUri;

use crate::endpoint::Endpoint;

/// What does my network let through?
#[derive(Debug, Parser)]
#[command(name = "nat_check")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
struct Arguments {
    /// A STUN or TURN server: stun:host:port, turn:user@host?transport=tcp, turns:user@host
    #[arg(long = "server", value_name = "URI", value_parser = ServerUri::parse)]
    servers: Vec<ServerUri>,
    /// The password for the TURN servers
    #[arg(long, value_name = "PASSWORD")]
    credential: Option<String>,
    /// The user for TURN servers whose URI names none
    #[arg(long, value_name = "USER")]
    username: Option<String>,
    /// A local address to use; by default those from which the servers can be reached
    #[arg(long = "bind", value_name = "IP")]
    bind: Vec<IpAddr>,
    /// How long servers and peers may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    timeout: f64,
    /// Certificates in PEM that turns and stuns servers may show, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Connect with a peer: print a line for its --answer, and read its line
    #[arg(long, conflicts_with = "answer")]
    offer: bool,
    /// Connect with a peer that was started with --offer
    #[arg(long)]
    answer: bool,
    /// Exchange the lines in files that begin with this name, which both sides can read
    #[arg(long, value_name = "FILE")]
    peer_file: Option<PathBuf>,
    /// Tell the peer about relayed candidates only
    #[arg(long)]
    relay_only: bool,
    /// Let relays reach loopback addresses, for a server on this machine
    #[arg(long)]
    loopback_peers: bool,
    /// Leave out what the NAT does
    #[arg(long)]
    no_behaviour: bool,
}

impl Arguments {
    fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.peer_file.is_some() && !(arguments.offer || arguments.answer) {
        eprintln!("--peer-file needs --offer or --answer.");
        return ExitCode::from(2);
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}", sentence(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Says whether all is well.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let mut endpoint = Endpoint::new(arguments)?;
    endpoint.gather(arguments.timeout());
    endpoint.print(arguments.timeout());
    let mut well = endpoint.is_well();
    if !arguments.no_behaviour {
        behaviour::print(&endpoint)?;
    }
    if arguments.offer || arguments.answer {
        well = peer::connect(&mut endpoint, arguments)?;
    }
    endpoint.close();
    Ok(well)
}

/// An error of a library as a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(chars).collect();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=300.0).contains(&seconds) => Ok(seconds),
        Ok(_) | Err(_) => Err("it must be 0.1 to 300".into()),
    }
}
