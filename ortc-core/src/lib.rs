//! RTCConnection, the object API of the ORTC draft of October 2013, without I/O.
