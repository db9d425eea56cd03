//! A sans-I/O DTLS endpoint for WebRTC: RFC 6347, 5764, 7627, 8122.
