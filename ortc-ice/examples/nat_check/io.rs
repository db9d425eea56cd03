//! Sockets, each with a thread that waits for what comes in; what goes out is written at once.
#![expect(
    clippy::disallowed_types,
    reason = "sockets belong to the caller, which is this example"
)]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use ortc_ice::{OpenStream, Path, QueryId, Security, StreamId, Transmit, Transport};

use crate::tls::{Tls, Trust};

/// What happened outside.
pub(crate) enum Input {
    Datagram(Path, Vec<u8>),
    Resolved(QueryId, String, Vec<IpAddr>),
    Connected(OpenStream, io::Result<TcpStream>),
    /// Octets of a stream; none when it was closed.
    Octets(StreamId, Vec<u8>),
    Line(String),
}

/// How long a connection may take; the gatherer waits no longer.
const CONNECT: Duration = Duration::from_secs(9);

/// The sockets and streams of this process.
pub(crate) struct Io {
    sender: Sender<Input>,
    receiver: Receiver<Input>,
    sockets: BTreeMap<SocketAddr, UdpSocket>,
    streams: BTreeMap<StreamId, Stream>,
    serial: u64,
    trust: Trust,
}

struct Stream {
    socket: TcpStream,
    tls: Option<Box<Tls>>,
}

impl Io {
    pub(crate) fn new(trust: Trust) -> Self {
        let (sender, receiver) = mpsc::channel();
        Self {
            sender,
            receiver,
            sockets: BTreeMap::new(),
            streams: BTreeMap::new(),
            serial: 0,
            trust,
        }
    }

    /// The address from which this one is reached; nothing is sent.
    pub(crate) fn route_to(remote: SocketAddr) -> Option<IpAddr> {
        let any: SocketAddr = if remote.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(remote).ok()?;
        Some(socket.local_addr().ok()?.ip())
    }

    /// Binds a UDP socket to a port of the moment.
    pub(crate) fn bind(&mut self, ip: IpAddr) -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0))?;
        let local = socket.local_addr()?;
        let (reader, sender) = (socket.try_clone()?, self.sender.clone());
        self.sockets.insert(local, socket);
        thread::spawn(move || {
            let mut buf = [0; 2048];
            loop {
                // An error here is an ICMP message about something that was sent.
                let Ok((len, remote)) = reader.recv_from(&mut buf) else {
                    continue;
                };
                let octets = buf.get(..len).unwrap_or_default().to_vec();
                let input = Input::Datagram(Path::udp(local, remote), octets);
                if sender.send(input).is_err() {
                    return;
                }
            }
        });
        Ok(local)
    }

    /// Waits for the next input.
    pub(crate) fn wait(&self, longest: Duration) -> Option<Input> {
        self.receiver.recv_timeout(longest).ok()
    }

    /// Sends a datagram, or writes to a stream. What cannot be sent is lost, as on the way.
    pub(crate) fn send(&mut self, transmit: &Transmit, octets: &[u8]) {
        match transmit.path.transport {
            Transport::Stream(id) => self.write(id, octets),
            Transport::Udp => {
                if let Some(socket) = self.sockets.get(&transmit.path.local) {
                    let _ = socket.send_to(octets, transmit.path.remote);
                }
            }
            Transport::Unopened => {}
            _ => {}
        }
    }

    fn write(&mut self, id: StreamId, octets: &[u8]) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let written = match &mut stream.tls {
            Some(tls) => tls.write(octets, &mut stream.socket),
            None => stream.socket.write_all(octets),
        };
        if written.is_err() {
            let _ = self.sender.send(Input::Octets(id, Vec::new()));
        }
    }

    /// Asks the system's resolver.
    pub(crate) fn resolve(&self, query: QueryId, host: String) {
        let sender = self.sender.clone();
        thread::spawn(move || {
            let found = (host.as_str(), 0).to_socket_addrs();
            let ips = found.map_or(Vec::new(), |found| found.map(|a| a.ip()).collect());
            let _ = sender.send(Input::Resolved(query, host, ips));
        });
    }

    /// Connects; std binds no address before that, so the system chooses it.
    pub(crate) fn connect(&self, open: OpenStream) {
        let sender = self.sender.clone();
        thread::spawn(move || {
            let stream = TcpStream::connect_timeout(&open.remote, CONNECT);
            let _ = sender.send(Input::Connected(open, stream));
        });
    }

    /// Takes over a stream that was connected, with TLS if it was asked for.
    pub(crate) fn adopt(
        &mut self,
        open: &OpenStream,
        mut socket: TcpStream,
    ) -> Result<(StreamId, SocketAddr), String> {
        let broken = |error: io::Error| error.to_string();
        socket.set_nodelay(true).map_err(broken)?;
        let tls = match &open.security {
            Security::Plain => None,
            Security::Tls { server_name } => Some(Box::new(Tls::connect(
                &self.trust,
                server_name,
                &mut socket,
            )?)),
        };
        let local = socket.local_addr().map_err(broken)?;
        let id = StreamId(self.serial);
        self.serial += 1;
        let (mut reader, sender) = (socket.try_clone().map_err(broken)?, self.sender.clone());
        self.streams.insert(id, Stream { socket, tls });
        thread::spawn(move || {
            let mut buf = [0; 16_384];
            loop {
                let len = reader.read(&mut buf).unwrap_or(0);
                let octets = buf.get(..len).unwrap_or_default().to_vec();
                if sender.send(Input::Octets(id, octets)).is_err() || len == 0 {
                    return;
                }
            }
        });
        Ok((id, local))
    }

    /// What octets of a stream say, once TLS is taken away; `None` when the stream is broken.
    pub(crate) fn open(&mut self, id: StreamId, octets: Vec<u8>) -> Option<Vec<u8>> {
        let stream = self.streams.get_mut(&id)?;
        match &mut stream.tls {
            Some(tls) => tls.read(&octets, &mut stream.socket),
            None => Some(octets),
        }
    }

    pub(crate) fn close(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.remove(&id) {
            let _ = stream.socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Reads the lines of standard input from now on.
    pub(crate) fn read_lines(&self) {
        let sender = self.sender.clone();
        thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(Input::Line(line)).is_err() {
                    return;
                }
            }
        });
    }
}
