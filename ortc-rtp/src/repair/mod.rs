//! Loss repair: asking for what is missing, and keeping what may be asked for (RFC 4585 §6.2.1).

pub mod history;
pub mod nack;

pub use history::{HistoryConfig, SendHistory};
pub use nack::{NackConfig, NackGenerator};
