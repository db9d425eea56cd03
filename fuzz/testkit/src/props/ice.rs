//! Properties of ice.
