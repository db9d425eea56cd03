//! Flights for an outside carrier, which may repeat them in whatever it sends anyway.

use core::fmt;
use std::time::Instant;

use super::{Endpoint, State};
use crate::config::ConfigError;
use crate::crypto::CryptoError;
use crate::event::CloseReason;
use crate::flight::{Carried, Carrier};

/// The datagrams of a handshake that the peer has not shown to have, as [`Endpoint::flight`] finds
/// them.
#[derive(Clone, Copy)]
pub struct Flight<'a> {
    carried: Option<&'a Carried>,
    ack: bool,
    generation: u32,
    awaits_answer: bool,
}

impl fmt::Debug for Flight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("generation", &self.generation)
            .field("awaits_answer", &self.awaits_answer)
            .field("datagrams", &self.datagrams().count())
            .finish_non_exhaustive()
    }
}

impl<'a> Flight<'a> {
    /// The datagrams in their order; they are the same, octet for octet, as long as
    /// [`Flight::generation`] is.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let ack = self.ack;
        self.carried.into_iter().flat_map(move |carried| {
            let ack = ack.then_some(&carried.ack[..]);
            ack.into_iter().chain(carried.datagrams())
        })
    }

    /// As [`Endpoint::flight_generation`].
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether the peer must answer or acknowledge it. What needs no answer, the last flight of a
    /// server, is there all the same until the carrier gives it up: nobody says that it arrived but
    /// what the peer sends after it.
    #[must_use]
    pub const fn awaits_answer(&self) -> bool {
        self.awaits_answer
    }

    /// Whether there is nothing to carry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.carried.is_none()
    }
}

/// Flights that something else carries.
///
/// A handshake need not wait for a path of its own: each datagram of a flight may travel in what
/// is exchanged anyway, such as an attribute of each connectivity check, as often as there is one.
/// [`Endpoint::carry_flights`] stops the endpoint's own repetition meanwhile. What the peer's
/// carrier brings is handed in by [`Endpoint::handle_datagram`], in any order and as often as it
/// comes; what came before is dropped and counted.
///
/// ```
/// # use std::sync::Arc;
/// # use std::time::Instant;
/// use ortc_dtls::{Carrier, Config, Endpoint, Event, Role};
/// # use ortc_dtls::{Certificate, HashAlgorithm, crypto};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[expect(clippy::disallowed_methods, reason = "an example has a clock")]
/// # let now = Instant::now();
/// # let provider = crypto::default_provider();
/// # let certificates = [Certificate::generate(&provider)?, Certificate::generate(&provider)?];
/// # let mut ends = [(Role::Client, 0, 1), (Role::Server, 1, 0)].map(|(role, own, peer)| {
/// #     let expected = certificates[peer].fingerprint(HashAlgorithm::Sha256);
/// #     let config = Config::new(certificates[own].clone(), provider.clone())
/// #         .expected_fingerprints(vec![expected]);
/// #     Endpoint::new(Arc::new(config), role, now)
/// # });
/// for end in &mut ends {
///     end.carry_flights(Carrier::Outside, now);
/// }
/// let mut connected = 0;
/// while connected < 2 || ends.iter_mut().any(|end| end.awaits_answer()) {
///     for (from, to) in [(0, 1), (1, 0)] {
///         let flight = ends[from].flight(1000)?;
///         let datagrams: Vec<Vec<u8>> = flight.datagrams().map(<[u8]>::to_vec).collect();
///         for mut datagram in datagrams {
///             // Each in a message of the carrier; this one or another of them may be lost.
///             ends[to].handle_datagram(&mut datagram, now);
///         }
///         while let Some(event) = ends[to].poll_event() {
///             assert_eq!(event, Event::Connected);
///             connected += 1;
///         }
///     }
/// }
/// for end in &mut ends {
///     end.carry_flights(Carrier::Datagrams, now);
/// }
/// # Ok(())
/// # }
/// ```
impl Endpoint {
    /// Says who repeats flights from now on, and acknowledgements of DTLS 1.3 with them. Default
    /// [`Carrier::Datagrams`].
    ///
    /// While it is [`Carrier::Outside`], [`Endpoint::poll_transmit`] has only application data and
    /// alerts, and no deadline is a retransmission; that of [`Config::handshake_timeout`] and those
    /// after which something missing is acknowledged stay. Back at [`Carrier::Datagrams`], what the
    /// peer has not shown to have is sent at once, and repeated as if for the first time.
    ///
    /// The time to give it back is when the endpoint is connected, awaits no answer
    /// ([`Endpoint::awaits_answer`]), and the peer has sent something under the keys of the
    /// connection, or the carrier knows that the last flight arrived: a server's is not answered.
    ///
    /// [`Config::handshake_timeout`]: crate::Config::handshake_timeout
    pub fn carry_flights(&mut self, by: Carrier, now: Instant) {
        self.observe(now);
        self.cx.flight.carry(by, self.cx.now);
        if by == Carrier::Datagrams {
            self.cx.carried = None;
        }
    }

    /// What the peer has not shown to have of the current flight, in datagrams of at most `mtu`
    /// octets: any number of times, whoever carries it. In DTLS 1.3 under [`Carrier::Outside`], an
    /// acknowledgement that is due comes before it.
    ///
    /// Nothing is used up by looking. Protected records are made once for each generation and
    /// `mtu`, and shown again as they are; each making of them uses up record numbers.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Mtu`] outside 256 to 16384, or where the peer's connection id leaves less
    /// than 64 octets of it.
    pub fn flight(&mut self, mtu: usize) -> Result<Flight<'_>, ConfigError> {
        if !(256..=16_384).contains(&mtu) || !self.cx.has_room(mtu) {
            return Err(ConfigError::Mtu);
        }
        if self.show(mtu).is_err() {
            self.finish(CloseReason::Internal);
        }
        let ack = self.is_ack_carried();
        let nothing = self.cx.flight.is_empty() && !ack;
        Ok(Flight {
            carried: self.cx.carried.as_deref().filter(|_| !nothing),
            ack,
            generation: self.flight_generation(),
            awaits_answer: self.awaits_answer(),
        })
    }

    fn show(&mut self, mtu: usize) -> Result<(), CryptoError> {
        let acks = self.carrier() == Carrier::Outside && self.cx.acks.is_queued();
        if !acks && self.cx.flight.is_empty() {
            if !self.is_ack_carried() {
                self.cx.carried = None;
            }
            return Ok(());
        }
        let mut carried = self.cx.carried.take().unwrap_or_default();
        if acks {
            carried.ack.clear();
            self.write_ack(&mut carried.ack, mtu)?;
            carried.ack_of = self.cx.acks.generation();
        }
        self.cx
            .flight
            .show(&mut self.cx.outbound, mtu, &mut carried)?;
        self.cx.carried = Some(carried);
        Ok(())
    }

    /// Whether the acknowledgement that was made last still says what there is to say.
    fn is_ack_carried(&self) -> bool {
        self.carrier() == Carrier::Outside
            && self.cx.carried.as_ref().is_some_and(|carried| {
                !carried.ack.is_empty() && carried.ack_of == self.cx.acks.generation()
            })
    }

    /// Who repeats flights.
    #[must_use]
    pub const fn carrier(&self) -> Carrier {
        self.cx.flight.carrier()
    }

    /// Another number whenever [`Endpoint::flight`] has something else to show: a new flight, less
    /// of the same, or an acknowledgement. It wraps.
    #[must_use]
    pub const fn flight_generation(&self) -> u32 {
        let (flight, acks) = (&self.cx.flight, &self.cx.acks);
        flight.generation().wrapping_add(acks.generation())
    }

    /// Whether the current flight must be answered or acknowledged: the handshake is done when the
    /// endpoint is connected and this is false.
    #[must_use]
    pub const fn awaits_answer(&self) -> bool {
        self.cx.flight.awaits_answer()
    }

    /// Shows the current flight in new records from now on, as another generation.
    ///
    /// A record that the peer has read counts nothing when it comes again. Where only one side has
    /// a carrier, the other's last flight or acknowledgement may be lost in a datagram, and is sent
    /// again only when a message comes in a new record: renew a flight of which the peer has had
    /// everything for a while without an answer.
    pub fn renew_flight(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.cx.flight.renew();
        }
    }
}
