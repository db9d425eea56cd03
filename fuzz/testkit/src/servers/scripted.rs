//! A TURN server of a few lines, for one client: a test says what each answer is.

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{
    AttributeType, Class, ErrorCode, LongTermCredentials, LongTermKey, Message, MessageBuilder,
    Method, PasswordAlgorithm,
};
use ortc_ice::turn::{Client, Config, Event, PeerPolicy};
use ortc_ice::{Path, StreamId};

/// The realm of the server.
pub const REALM: &str = "example.org";

/// A client with the server that it talks to, and the time.
#[derive(Debug)]
pub struct Scripted {
    /// The client.
    pub client: Client,
    /// What the server signs with.
    pub key: LongTermKey,
    /// The nonce that counts.
    pub nonce: Vec<u8>,
    /// The lifetime that it grants, in seconds.
    pub lifetime: u32,
    /// The time.
    pub now: Instant,
    /// When it began.
    pub origin: Instant,
}

/// The relayed address that it gives.
#[must_use]
pub fn relayed() -> SocketAddr {
    "203.0.113.9:50000".parse().unwrap()
}

/// The address that it sees.
#[must_use]
pub fn mapped() -> SocketAddr {
    "198.51.100.7:40000".parse().unwrap()
}

/// The usual path.
#[must_use]
pub fn udp() -> Path {
    Path::udp(
        "192.0.2.1:50000".parse().unwrap(),
        "198.51.100.1:3478".parse().unwrap(),
    )
}

/// The same two over a stream.
#[must_use]
pub fn stream() -> Path {
    Path::stream(StreamId(1), udp().local, udp().remote)
}

/// The usual configuration.
#[must_use]
pub fn config() -> Config {
    let credentials = LongTermCredentials::new("alice", "secret").unwrap();
    Config::new(credentials).peer_policy(PeerPolicy::AllowLoopback)
}

impl Scripted {
    /// A client that has just begun.
    #[must_use]
    pub fn new(config: Config, path: Path) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
        let now = Instant::now();
        let credentials = LongTermCredentials::new("alice", "secret").unwrap();
        Self {
            client: Client::new(config, path, [5; 32], now),
            key: credentials.key(REALM, PasswordAlgorithm::Md5).unwrap(),
            nonce: b"nonce-1".to_vec(),
            lifetime: 600,
            now,
            origin: now,
        }
    }

    /// A client that has its allocation.
    #[must_use]
    pub fn allocated(config: Config, path: Path) -> Self {
        let mut this = Self::new(config, path);
        this.serve();
        assert!(matches!(
            this.client.poll_event(),
            Some(Event::Allocated { .. })
        ));
        this
    }

    /// The next request of the client.
    pub fn sent(&mut self) -> Option<Vec<u8>> {
        let mut buf = Vec::new();
        let transmit = self.client.poll_transmit(&mut buf, self.now)?;
        assert_eq!(transmit.len, buf.len());
        Some(buf)
    }

    /// Answers everything that is queued as a good server would; the methods that there were.
    pub fn serve(&mut self) -> Vec<Method> {
        let mut methods = Vec::new();
        while let Some(request) = self.sent() {
            methods.push(Message::parse(&request).unwrap().method());
            let answer = self.good(&request);
            self.hand_in(&answer);
        }
        methods
    }

    /// What a good server answers.
    #[must_use]
    pub fn good(&self, request: &[u8]) -> Vec<u8> {
        let message = Message::parse(request).unwrap();
        if !message.verify_integrity(self.key.sha1()) {
            return self.challenge(request, 401);
        }
        if message.find(AttributeType::NONCE) != Some(&self.nonce) {
            return self.challenge(request, 438);
        }
        self.success(request, |answer| {
            let lifetime = self.lifetime.to_be_bytes();
            if message.method() == Method::ALLOCATE {
                answer.xor_address(AttributeType::XOR_RELAYED_ADDRESS, relayed());
                answer.xor_mapped_address(mapped());
                answer
                    .attribute(AttributeType::LIFETIME, &lifetime)
                    .unwrap();
                if message.find(AttributeType::MOBILITY_TICKET).is_some() {
                    let ticket = AttributeType::MOBILITY_TICKET;
                    answer.attribute(ticket, b"ticket-1").unwrap();
                }
            }
            if message.method() == Method::REFRESH {
                answer
                    .attribute(AttributeType::LIFETIME, &lifetime)
                    .unwrap();
            }
        })
    }

    /// An unsigned challenge with our nonce.
    #[must_use]
    pub fn challenge(&self, request: &[u8], code: u16) -> Vec<u8> {
        let mut out = Vec::new();
        let mut answer = answer(&mut out, Class::Error, request);
        answer.error_code(ErrorCode { code, reason: b"" }).unwrap();
        answer
            .attribute(AttributeType::REALM, REALM.as_bytes())
            .and_then(|answer| answer.attribute(AttributeType::NONCE, &self.nonce))
            .unwrap();
        out
    }

    /// A signed success with these attributes.
    #[must_use]
    pub fn success(&self, request: &[u8], with: impl Fn(&mut MessageBuilder<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        let mut answer = answer(&mut out, Class::Success, request);
        with(&mut answer);
        answer.integrity(self.key.sha1()).fingerprint();
        out
    }

    /// A signed error with these attributes.
    #[must_use]
    pub fn error(
        &self,
        request: &[u8],
        code: u16,
        with: impl Fn(&mut MessageBuilder<'_>),
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let mut answer = answer(&mut out, Class::Error, request);
        answer
            .error_code(ErrorCode {
                code,
                reason: b"no",
            })
            .unwrap();
        with(&mut answer);
        answer.integrity(self.key.sha1()).fingerprint();
        out
    }

    /// The answer reaches the client.
    pub fn hand_in(&mut self, answer: &[u8]) {
        match self.client.path().transport {
            ortc_ice::Transport::Udp => {
                let _ = self.client.handle_datagram(answer, self.now);
            }
            _ => self.client.handle_stream(answer, self.now),
        }
    }

    /// Goes to the next deadline; how long after the beginning that is.
    pub fn wait(&mut self) -> Option<Duration> {
        let at = self.client.poll_timeout()?.at;
        self.now = self.now.max(at);
        self.client.handle_timeout(self.now);
        let after = self.client.poll_timeout().map(|timeout| timeout.at);
        assert!(after.is_none_or(|after| after > at || after <= self.now));
        Some(self.now - self.origin)
    }

    /// Lets this much time pass, serving what comes.
    pub fn pass(&mut self, time: Duration) -> Vec<(Duration, Method)> {
        let end = self.now + time;
        let mut served = Vec::new();
        loop {
            for method in self.serve() {
                served.push((self.now - self.origin, method));
            }
            match self.client.poll_timeout() {
                Some(timeout) if timeout.at <= end => {
                    let _ = self.wait();
                }
                _ => break,
            }
        }
        self.now = end;
        served
    }

    /// All events that wait.
    pub fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.client.poll_event()).collect()
    }
}

/// The beginning of an answer to a request.
pub fn answer<'a>(out: &'a mut Vec<u8>, class: Class, request: &[u8]) -> MessageBuilder<'a> {
    let message = Message::parse(request).unwrap();
    MessageBuilder::new(out, class, message.method(), message.transaction_id())
}

/// A Data indication from this peer.
#[must_use]
pub fn data_indication(peer: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let id = ortc_ice::stun::TransactionId([8; 12]);
    let mut message = MessageBuilder::new(&mut out, Class::Indication, Method::DATA, id);
    message.xor_address(AttributeType::XOR_PEER_ADDRESS, peer);
    message.attribute(AttributeType::DATA, payload).unwrap();
    out
}

/// `ChannelData`, padded.
#[must_use]
pub fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    let mut out = [number.to_be_bytes(), len.to_be_bytes()].concat();
    out.extend_from_slice(payload);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}
