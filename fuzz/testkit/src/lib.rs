//! What the tests, the benches and the fuzz targets of the workspace share: a virtual network
//! with a virtual clock, the laws that every machine keeps, and one function per property.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::missing_panics_doc,
    reason = "test code: a failed expectation is the report"
)]

pub mod call;
pub mod crowd;
pub mod laws;
pub mod link;
pub mod nat;
pub mod net;
pub mod pair;
pub mod props;
pub mod provider;
pub mod puppet;
pub mod servers;
pub mod topology;
