//! One side of a DTLS connection in memory, by `ortc-dtls`, BoringSSL and `dimpl`, behind one
//! trait, so that any two can be connected.

mod boring_floor;
mod boringssl;
mod dimpl;
mod ours;

pub use self::boring_floor::BoringFloor;
pub use self::boringssl::BoringSsl;
pub use self::dimpl::Dimpl;
pub use self::ours::Ours;
pub use ortc_dtls::{Role, Version};

/// Octets of a datagram unless a test says otherwise.
pub const MTU: usize = 1200;

/// What SRTP gets: client's key, server's key, client's salt, server's salt, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keying {
    /// The profile (RFC 5764 §4.1.2).
    pub profile: u16,
    /// The octets.
    pub material: Vec<u8>,
}

/// One side.
pub trait Side {
    /// A datagram came.
    fn receive(&mut self, datagram: &mut [u8]);

    /// Appends the next datagram; says whether there was one.
    fn transmit(&mut self, out: &mut Vec<u8>) -> bool;

    /// Whether the handshake is complete.
    fn is_connected(&self) -> bool;

    /// The keys of SRTP, once connected.
    fn keying(&mut self) -> Keying;

    /// Queues application data.
    fn send(&mut self, data: &[u8]);

    /// Takes out application data that came, into `out`; says whether there was any.
    fn take(&mut self, out: &mut Vec<u8>) -> bool;
}

/// Runs a handshake to its end over a perfect path; `buffer` is used for every datagram.
///
/// # Panics
///
/// When both sides are silent before they are connected.
pub fn connect(client: &mut dyn Side, server: &mut dyn Side, buffer: &mut Vec<u8>) {
    loop {
        let before = client.is_connected() && server.is_connected();
        let moved = carry(client, server, buffer) | carry(server, client, buffer);
        if before && !moved {
            return;
        }
        assert!(
            moved || (client.is_connected() && server.is_connected()),
            "both are silent: client {}, server {}",
            client.is_connected(),
            server.is_connected()
        );
    }
}

/// Carries what one side has to say to the other.
pub fn carry(from: &mut dyn Side, to: &mut dyn Side, buffer: &mut Vec<u8>) -> bool {
    let mut moved = false;
    loop {
        buffer.clear();
        if !from.transmit(buffer) {
            return moved;
        }
        to.receive(buffer);
        moved = true;
    }
}
