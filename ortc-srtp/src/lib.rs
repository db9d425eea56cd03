//! SRTP and SRTCP transforms that work in place: RFC 3711, 7714.
