//! One SSRC in one direction: what it counts, and when it reports (RFC 3550 §6).

mod receive;
mod schedule;
mod send;

pub use receive::{Order, ReceiveStats, ReceiveStream, Reception, SenderReference};
pub use schedule::{ReportConfig, ReportSchedule};
pub use send::{SendStats, SendStream};
