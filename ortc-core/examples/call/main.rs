//! A call over real sockets: two processes with a connection each, signalled over pipes as in
//! section 9.1 of the draft, exchange an Opus, a VP8 and an H.264 file and dial tones. What arrives
//! is written to files and compared with what was sent.
//!
//! ```sh
//! cargo run --release --example call
//! cargo run --release --example call -- --loss 5 --seed 1
//! cargo run --release --example call -- --fork
//! ```

mod dialler;
mod duties;
mod end;
mod lossy;
mod media;
mod parent;
mod participant;
mod report;
mod signalling;
mod sink;
mod source;
mod system;
mod verdict;

use core::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// A call between two processes on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Send only the first seconds of the files; the longest has 15
    #[arg(long, value_parser = seconds)]
    seconds: Option<f64>,
    /// Lose this share of the datagrams of every kind, in both directions, in percent
    #[arg(long, default_value_t = 0.0, value_parser = percent)]
    loss: f64,
    /// What decides which datagrams are lost
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Two callers answer one description: the callee's two connections share a socket
    #[arg(long)]
    fork: bool,
    /// Where the files go that arrive
    #[arg(long, default_value = "target/call")]
    out: PathBuf,
    /// Which side this process is
    #[arg(long, hide = true)]
    part: Option<Part>,
    /// Which of the answers this caller gives
    #[arg(long, hide = true)]
    answer: Option<usize>,
}

/// The sides of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Caller,
    Callee,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    match arguments.part {
        Some(part) => end::run(part, arguments).map(|()| true),
        None => parent::run(arguments),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=100.0).contains(&value) {
        Ok(value)
    } else {
        Err("not within 0 to 100".to_owned())
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=3_600.0).contains(&value) {
        Ok(value)
    } else {
        Err("not within 0.1 to 3600".to_owned())
    }
}
