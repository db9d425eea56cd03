//! The UDP sockets of a program: one for each address of this machine, all on one port.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::io::{self, ErrorKind};

use ortc_core::Path;
use tokio::net::UdpSocket;

/// Larger than any datagram of a path of 1,500 octets.
pub(crate) const DATAGRAM: usize = 2_048;

pub(crate) struct Sockets(Vec<(SocketAddr, UdpSocket)>);

impl Sockets {
    /// Binds these addresses; none means loopback and the one that this machine sends from.
    pub(crate) async fn bind(mut ips: Vec<IpAddr>, mut port: u16) -> io::Result<Self> {
        if ips.is_empty() {
            ips = own_addresses().await?;
        }
        let mut sockets = Vec::new();
        for ip in ips {
            let socket = UdpSocket::bind((ip, port)).await?;
            port = socket.local_addr()?.port();
            sockets.push((socket.local_addr()?, socket));
        }
        Ok(Self(sockets))
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|(address, _)| *address)
    }

    /// Waits until a datagram is there.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        let waits = self.0.iter().map(|(_, socket)| Box::pin(socket.readable()));
        futures_util::future::select_all(waits).await.0
    }

    /// Takes a datagram that is there, and says how long it is.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> io::Result<Option<(Path, usize)>> {
        for (local, socket) in &self.0 {
            match socket.try_recv_from(buf) {
                Ok((len, remote)) => return Ok(Some((Path::udp(*local, remote), len))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // An ICMP answer to something sent before, as systems tell it: it concerns no
                // datagram that came.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Sends a datagram; one that the system does not take is lost, like what the network loses.
    pub(crate) fn send(&self, path: &Path, contents: &[u8]) {
        let from = self.0.iter().find(|(address, _)| *address == path.local);
        if let Some((_, socket)) = from
            && let Err(error) = socket.try_send_to(contents, path.remote)
        {
            tracing::debug!(%error, "a datagram was not sent");
        }
    }
}

/// Loopback, and the address that this machine would send from.
async fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    // Connecting a UDP socket sends nothing; it only chooses an address (RFC 5737 has no hosts).
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    if probe
        .connect((Ipv4Addr::new(192, 0, 2, 1), 9))
        .await
        .is_ok()
    {
        addresses.push(probe.local_addr()?.ip());
    }
    addresses.dedup();
    Ok(addresses)
}
