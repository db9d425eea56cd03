//! A sans-I/O ICE agent with its STUN codec: RFC 8445, 8489, 8838, 7675.
