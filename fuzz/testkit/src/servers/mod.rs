//! Real servers that tests start and end themselves.

pub mod coturn;
pub mod scripted;
