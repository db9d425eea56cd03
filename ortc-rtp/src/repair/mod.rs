//! Loss repair: asking for what is missing, keeping what may be asked for (RFC 4585 §6.2.1), and
//! sending it again on a source of its own (RFC 4588).

pub mod history;
pub mod nack;
pub mod rtx;

pub use history::{HistoryConfig, SendHistory};
pub use nack::{NackConfig, NackGenerator};
pub use rtx::{OSN_LEN, encode_rtx, restore_rtx};
