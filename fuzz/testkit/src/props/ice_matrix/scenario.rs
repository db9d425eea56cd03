//! What a run of the matrix is about: where two peers are, what lies between them, what happens.

use core::fmt;
use core::time::Duration;

use ortc_ice::RolePolicy;

use crate::link::Link;
use crate::nat::{Behaviour, Dependence, Hairpin, Refresh};

/// How a site reaches the IPv4 internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessV4 {
    /// Through its NAT.
    Nat,
    /// Directly (where the sites share a carrier: directly in the carrier's realm).
    Open,
    /// Not at all.
    None,
}

/// How a site reaches the IPv6 internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessV6 {
    /// Not at all.
    None,
    /// Directly.
    Open,
    /// Through a firewall that filters by address and port.
    Firewall,
}

/// What a peer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Servers {
    /// A STUN server.
    Stun,
    /// Nothing: it has its host candidates only.
    None,
    /// A TURN server, which says the reflexive address as well.
    Turn,
    /// Both.
    StunAndTurn,
}

impl Servers {
    /// Whether there is one of each.
    #[must_use]
    pub const fn has(self) -> (bool, bool) {
        match self {
            Self::Stun => (true, false),
            Self::None => (false, false),
            Self::Turn => (false, true),
            Self::StunAndTurn => (true, true),
        }
    }
}

/// Where one peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its way to IPv4.
    pub v4: AccessV4,
    /// Its NAT.
    pub nat: Behaviour,
    /// Its way to IPv6.
    pub v6: AccessV6,
    /// Its servers.
    pub servers: Servers,
}

/// Where the two are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Each at a site of its own; the private addresses are the same, as they are in life.
    Apart,
    /// Both at the first site, in one network.
    Together,
    /// Each at a site of its own, both sites behind the NAT of one carrier.
    Sisters,
}

/// Who begins with which role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Roles {
    /// As the credentials say.
    Settled,
    /// The first controls.
    Opposite,
    /// Both control.
    BothControlling,
    /// Neither does.
    BothControlled,
    /// Both control, with one tie-breaker.
    Tie,
}

impl Roles {
    /// The policy of one side.
    #[must_use]
    pub const fn policy(self, side: usize) -> RolePolicy {
        match (self, side) {
            (Self::Settled, _) => RolePolicy::ByCredentials,
            (Self::Opposite, 0) | (Self::BothControlling | Self::Tie, _) => RolePolicy::Controlling,
            (Self::Opposite, _) | (Self::BothControlled, _) => RolePolicy::Controlled,
        }
    }
}

/// The weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weather {
    /// Nothing is lost.
    Fair,
    /// One in ten is lost.
    Lossy,
    /// One in five is lost.
    Storm,
    /// One in five comes twice, and they overtake each other.
    Shuffled,
}

impl Weather {
    /// Each direction of the network.
    #[must_use]
    pub const fn link(self) -> Link {
        let link = Link::perfect(Duration::from_millis(25));
        match self {
            Self::Fair => link,
            Self::Lossy => link.with_loss(0.1),
            Self::Storm => link.with_loss(0.2),
            Self::Shuffled => {
                let link = link.with_loss(0.05).with_jitter(Duration::from_millis(150));
                link.with_duplicate(0.2)
            }
        }
    }
}

/// What happens once they are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Story {
    /// Nothing.
    Plain,
    /// Nothing, for five minutes: bindings live only as long as something keeps them alive.
    Idle,
    /// The first peer's network dies.
    Dies,
    /// The first peer's network is gone for 45 seconds.
    Returns,
    /// The first peer restarts ICE.
    Restart,
    /// Both do.
    RestartBoth,
    /// The first peer gets another network, and some time later loses the one that it had.
    Roams,
    /// Every NAT forgets its bindings.
    Reboots,
}

/// What an embedder may do, or leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Whether the end of candidates is signalled (RFC 8838 §13).
    pub end_is_told: bool,
    /// Whether data that arrives is reported to the agent, as a sign of life.
    pub data_counts: bool,
}

/// One run of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// For everything that is drawn.
    pub seed: u16,
    /// Where the two are to each other.
    pub place: Place,
    /// Where each is.
    pub sites: [Site; 2],
    /// The carrier's NAT, for sisters.
    pub carrier: Behaviour,
    /// The roles.
    pub roles: Roles,
    /// The weather.
    pub weather: Weather,
    /// How much later the second peer hears of the first than the other way round.
    pub skew: Duration,
    /// How long a candidate takes to be signalled, at most.
    pub trickle: Duration,
    /// What both do beyond the least.
    pub manners: Manners,
    /// Whether the letter of RFC 8445 is followed.
    pub strict: bool,
    /// What happens.
    pub story: Story,
}

const PLACES: [Place; 3] = [Place::Apart, Place::Together, Place::Sisters];
const ACCESSES_V4: [AccessV4; 3] = [AccessV4::Nat, AccessV4::Open, AccessV4::None];
const ACCESSES_V6: [AccessV6; 3] = [AccessV6::None, AccessV6::Open, AccessV6::Firewall];
/// What peers ask.
pub const SERVERS: [Servers; 4] = [
    Servers::Stun,
    Servers::None,
    Servers::Turn,
    Servers::StunAndTurn,
];
/// All distributions of the roles.
pub const ROLES: [Roles; 5] = [
    Roles::Settled,
    Roles::Opposite,
    Roles::BothControlling,
    Roles::BothControlled,
    Roles::Tie,
];
/// All kinds of weather.
pub const WEATHERS: [Weather; 4] = [
    Weather::Fair,
    Weather::Lossy,
    Weather::Storm,
    Weather::Shuffled,
];
/// All stories.
pub const STORIES: [Story; 8] = [
    Story::Plain,
    Story::Idle,
    Story::Dies,
    Story::Returns,
    Story::Restart,
    Story::RestartBoth,
    Story::Roams,
    Story::Reboots,
];
const EXPIRIES: [u64; 3] = [120, 30, 600];
const SKEWS: [u64; 4] = [0, 300, 2_000, 8_000];
const TRICKLES: [u64; 3] = [0, 100, 1_500];

/// Octets that say a whole scenario.
pub const LENGTH: usize = 22;

impl Scenario {
    /// Any octets are a scenario; those that are missing count as 0.
    #[must_use]
    pub fn from_bytes(data: &[u8]) -> Self {
        let byte = |index: usize| usize::from(data.get(index).copied().unwrap_or_default());
        let behaviour = |index: usize| {
            let (kind, rest) = (byte(index) % 9, byte(index) / 9);
            let hairpin = [Hairpin::Off, Hairpin::On][byte(index + 1) % 2];
            let refresh = [Refresh::Outbound, Refresh::Both][rest % 2];
            let expiry = EXPIRIES[byte(index + 1) / 2 % EXPIRIES.len()];
            Behaviour::new(Dependence::ALL[kind / 3], Dependence::ALL[kind % 3])
                .with_hairpin(hairpin)
                .with_refresh(refresh)
                .with_expiry(Duration::from_secs(expiry))
        };
        let site = |index: usize| {
            let v6 = ACCESSES_V6[byte(index + 3) % 3];
            let v4 = match ACCESSES_V4[byte(index) % 3] {
                AccessV4::None if v6 == AccessV6::None => AccessV4::Nat,
                v4 => v4,
            };
            Site {
                v4,
                nat: behaviour(index + 1),
                v6,
                servers: SERVERS[byte(index + 4) % 4],
            }
        };
        let flag = |bit: usize| byte(19) >> bit & 1 == 1;
        Self {
            seed: u16::try_from(byte(0) << 8 | byte(1)).unwrap(),
            place: PLACES[byte(2) % 3],
            sites: [site(3), site(8)],
            carrier: behaviour(13),
            roles: ROLES[byte(15) % ROLES.len()],
            weather: WEATHERS[byte(16) % WEATHERS.len()],
            skew: Duration::from_millis(SKEWS[byte(17) % SKEWS.len()]),
            trickle: Duration::from_millis(TRICKLES[byte(18) % TRICKLES.len()]),
            manners: Manners {
                end_is_told: flag(0),
                data_counts: flag(1),
            },
            strict: flag(2),
            story: STORIES[byte(20) % STORIES.len()],
        }
    }

    /// The octets that say it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..2].copy_from_slice(&self.seed.to_be_bytes());
        bytes[2] = place_of(&PLACES, &self.place);
        for (index, site) in [3, 8].into_iter().zip(&self.sites) {
            bytes[index] = place_of(&ACCESSES_V4, &site.v4);
            bytes[index + 1..index + 3].copy_from_slice(&behaviour(&site.nat));
            bytes[index + 3] = place_of(&ACCESSES_V6, &site.v6);
            bytes[index + 4] = place_of(&SERVERS, &site.servers);
        }
        bytes[13..15].copy_from_slice(&behaviour(&self.carrier));
        bytes[15] = place_of(&ROLES, &self.roles);
        bytes[16] = place_of(&WEATHERS, &self.weather);
        bytes[17] = place_of(&SKEWS.map(u128::from), &self.skew.as_millis());
        bytes[18] = place_of(&TRICKLES.map(u128::from), &self.trickle.as_millis());
        bytes[19] = u8::from(self.manners.end_is_told)
            | u8::from(self.manners.data_counts) << 1
            | u8::from(self.strict) << 2;
        bytes[20] = place_of(&STORIES, &self.story);
        bytes
    }
}

fn behaviour(nat: &Behaviour) -> [u8; 2] {
    let kind =
        place_of(&Dependence::ALL, &nat.mapping) * 3 + place_of(&Dependence::ALL, &nat.filtering);
    let refresh = u8::from(nat.refresh == Refresh::Both);
    let hairpin = u8::from(nat.hairpin == Hairpin::On);
    let expiry = place_of(&EXPIRIES, &nat.expiry.as_secs());
    [kind + 9 * refresh, hairpin + 2 * expiry]
}

fn place_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let index = all.iter().position(|known| known == one);
    u8::try_from(index.expect("it is one of them")).unwrap()
}

/// The whole scenario, and how to run it again.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{self:#?}")?;
        write!(f, "again: ICE_MATRIX=")?;
        for byte in self.to_bytes() {
            write!(f, "{byte:02x}")?;
        }
        write!(f, " cargo test -p ortc-ice --test matrix one_scenario")
    }
}
