//! The event loop of one process: a UDP socket, the signalling pipe, and one participant or, when
//! several answers share the port, more.

use core::error::Error;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use ortc_core::{ConnectionId, Path, RTCConnection, RTCConnectionOptions, RTCSocket, Route};

use crate::duties::{Description, duties};
use crate::lossy::LossySocket;
use crate::participant::Participant;
use crate::signalling::{Message, listen};
use crate::{Arguments, Part, system};

const SOCKET: Token = Token(0);
const SIGNALLING: Token = Token(1);
/// Larger than any datagram that comes over a path of 1,500 octets.
const DATAGRAM: usize = 2_048;

/// Runs one side of the call to its end.
pub(crate) fn run(part: Part, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut poll = Poll::new()?;
    let mut socket = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
    poll.registry()
        .register(&mut socket, SOCKET, Interest::READABLE)?;
    let messages = listen(Arc::new(Waker::new(poll.registry(), SIGNALLING)?));
    let socket = LossySocket::new(socket, arguments.loss, loss_seed(part, arguments));

    let mut end = End::new(part, arguments, socket, messages)?;
    let mut events = Events::with_capacity(16);
    end.flush()?;
    while !end.is_over() {
        let now = system::now();
        let wait = end
            .poll_timeout()
            .map(|at| at.saturating_duration_since(now));
        match poll.poll(&mut events, wait) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        end.handle_datagrams()?;
        end.handle_messages()?;
        end.handle_timeouts()?;
        end.flush()?;
    }
    Ok(())
}

/// Every process loses by dice of its own.
fn loss_seed(part: Part, arguments: &Arguments) -> [u8; 32] {
    let mut seed = [0; 32];
    let (number, dice) = seed.split_at_mut(8);
    number.copy_from_slice(&arguments.seed.to_be_bytes());
    if let [whose, answer, ..] = dice {
        *whose = part as u8;
        *answer = u8::try_from(arguments.answer.unwrap_or_default()).unwrap_or(u8::MAX);
    }
    seed
}

struct End {
    participants: Vec<Participant>,
    /// Says whose a datagram is, when it can be of several.
    shared: Option<RTCSocket>,
    by_id: BTreeMap<ConnectionId, usize>,
    socket: LossySocket,
    messages: Receiver<Message>,
    out: Vec<u8>,
}

impl End {
    fn new(
        part: Part,
        arguments: &Arguments,
        socket: LossySocket,
        messages: Receiver<Message>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut end = Self {
            participants: Vec::new(),
            shared: None,
            by_id: BTreeMap::new(),
            socket,
            messages,
            out: Vec::with_capacity(DATAGRAM),
        };
        let address = end.socket.local_addr()?;
        let answers = match part {
            Part::Caller => 1,
            Part::Callee if arguments.fork => 2,
            Part::Callee => 1,
        };
        let options = || -> Result<RTCConnectionOptions, Box<dyn Error>> {
            Ok(RTCConnectionOptions::new(system::seed()?).wall_clock(system::wall_clock()))
        };
        let now = system::now();
        let mut first = RTCConnection::new(options()?.local_address(address), now)?;
        let mut connections = Vec::new();
        if answers > 1 {
            let mut shared = first.get_local_socket()?;
            for _ in 1..answers {
                connections.push(RTCConnection::new(options()?.socket(shared.fork()?), now)?);
            }
            end.shared = Some(shared);
        }
        connections.insert(0, first);
        for (index, connection) in connections.into_iter().enumerate() {
            let answer = arguments.fork.then_some(match part {
                Part::Caller => arguments.answer.unwrap_or_default(),
                Part::Callee => index,
            });
            let description = match index {
                0 => Description::Own,
                _ => Description::Shared,
            };
            let duties = duties(part, answer, description, arguments);
            std::fs::create_dir_all(&duties.folder)?;
            let id = connection.socket_id();
            end.by_id.extend(id.map(|id| (id, index)));
            let participant = Participant::new(connection, duties, address.port(), now)?;
            end.participants.push(participant);
        }
        Ok(end)
    }

    fn is_over(&self) -> bool {
        self.participants.iter().all(Participant::is_over)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let participants = self.participants.iter();
        participants.filter_map(Participant::poll_timeout).min()
    }

    /// All datagrams that wait, so that the next deadline is computed once.
    fn handle_datagrams(&mut self) -> Result<(), Box<dyn Error>> {
        let mut datagram = [0; DATAGRAM];
        let local = self.socket.local_addr()?;
        loop {
            let (len, remote) = match self.socket.recv_from(&mut datagram) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // An ICMP answer to something sent before: it concerns no datagram that came.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error.into()),
            };
            let now = system::now();
            let contents = datagram.get_mut(..len).unwrap_or_default();
            let path = Path::udp(local, remote);
            let whose = match &mut self.shared {
                None => Some(0),
                Some(shared) => match shared.handle_datagram(path, contents, now) {
                    Route::Connection(id) => self.by_id.get(&id).copied(),
                    // It asks no servers, so that nothing comes through a relay.
                    Route::Held | Route::Unknown | Route::Consumed | Route::Relayed { .. } => None,
                },
            };
            let participant = whose.and_then(|index| self.participants.get_mut(index));
            if let Some(participant) = participant {
                participant.handle_datagram(path, contents, now);
                // At once, so that however many datagrams wait no event is lost.
                participant.flush(&mut self.socket, &mut self.out, now)?;
            }
        }
    }

    fn handle_messages(&mut self) -> Result<(), Box<dyn Error>> {
        loop {
            let now = system::now();
            match self.messages.try_recv() {
                Ok(message) => {
                    // A caller has one participant, whichever answer it is.
                    let index = match self.participants.len() {
                        1 => 0,
                        _ => message.answer.unwrap_or_default(),
                    };
                    let participant = self.participants.get_mut(index);
                    let participant = participant.ok_or("a message for nobody")?;
                    participant.handle_message(message, now)?;
                }
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => {
                    for participant in &mut self.participants {
                        participant.end("the signalling channel was closed", &self.socket, now)?;
                    }
                    return Ok(());
                }
            }
        }
    }

    fn handle_timeouts(&mut self) -> Result<(), Box<dyn Error>> {
        let now = system::now();
        for participant in &mut self.participants {
            participant.handle_timeout(now)?;
        }
        Ok(())
    }

    /// Sends what waits, and carries what connections and their shared socket have to say.
    fn flush(&mut self) -> Result<(), Box<dyn Error>> {
        let now = system::now();
        for participant in &mut self.participants {
            participant.flush(&mut self.socket, &mut self.out, now)?;
        }
        let Some(shared) = &mut self.shared else {
            return Ok(());
        };
        for participant in &mut self.participants {
            while let Some(update) = participant.connection.poll_socket_update() {
                shared.handle_update(update, now);
            }
        }
        while let Some((id, mut pending)) = shared.poll_pending() {
            let index = self.by_id.get(&id);
            let participant = index.and_then(|index| self.participants.get_mut(*index));
            if let Some(participant) = participant {
                participant.handle_datagram(pending.path, &mut pending.contents, now);
                participant.flush(&mut self.socket, &mut self.out, now)?;
            }
        }
        Ok(())
    }
}
