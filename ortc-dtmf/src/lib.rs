//! Telephone-event sender and receiver without I/O: RFC 4733.
