//! Properties of jitter.
