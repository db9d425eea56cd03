//! A sans-I/O ICE agent with its STUN codec.

mod agent;
mod candidate;
mod checklist;
mod config;
mod credentials;
mod early;
mod event;
mod generation;
mod ladder;
mod outbox;
mod pair;
mod path;
mod random;
mod role;
mod stats;
pub mod stun;
mod transaction;

pub use self::agent::{Agent, AgentError};
pub use self::candidate::{Candidate, CandidateError, CandidateKind};
pub use self::config::{Config, ConfigError};
pub use self::credentials::{Credentials, CredentialsError};
pub use self::event::{Event, PathState};
pub use self::pair::PairState;
pub use self::path::{Datagram, Ecn, Path, Timeout, Timer, Transmit, Transport};
pub use self::role::{Role, RolePolicy};
pub use self::stats::{Counters, DropReason, PairStats, Stats};
