//! Properties of dtmf.
