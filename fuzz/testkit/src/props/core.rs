//! Properties of core.
