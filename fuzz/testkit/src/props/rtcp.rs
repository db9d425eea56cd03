//! Properties of rtcp.
