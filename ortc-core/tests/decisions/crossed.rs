//! Who sends the ClientHello when nobody was told, on networks that lose, delay and reorder: the
//! two sides agree on one handshake, and media opens both ways.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use ortc_core::dtls::{Version, is_client_hello};
use ortc_core::ice::Config;
use ortc_core::{
    Autostart, DescriptionForm, DropReason, DtlsRole, Event, Frame, PeerVerification,
    RTCTrackFilter, RolePolicy,
};
use ortc_testkit::call::Call;
use ortc_testkit::link::{Fate, Link};

use super::{ms, stream};

/// Everything that a history decides by chance.
#[derive(Clone, Debug)]
struct History {
    link: Link,
    mtu: usize,
    versions: usize,
    roles: [DtlsRole; 2],
    ice: [RolePolicy; 2],
    extended: [bool; 2],
    /// When each end hears what the other signals: its ICE information, and the rest.
    hears: [[u64; 2]; 2],
}

/// A number below this one.
fn below(fate: &mut Fate, limit: u32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number between zero and the limit"
    )]
    let value = (fate.unit() * f64::from(limit)) as u32;
    value
}

fn one_of<T: Copy>(fate: &mut Fate, values: &[T]) -> T {
    let count = u32::try_from(values.len()).unwrap();
    values[usize::try_from(below(fate, count)).unwrap()]
}

impl History {
    fn of(seed: u64) -> Self {
        const POLICIES: [RolePolicy; 4] = [
            RolePolicy::ByCredentials,
            RolePolicy::ByCredentials,
            RolePolicy::Controlling,
            RolePolicy::Controlled,
        ];
        const ROLES: [DtlsRole; 6] = [
            DtlsRole::Client,
            DtlsRole::Server,
            DtlsRole::Auto,
            DtlsRole::Auto,
            DtlsRole::Auto,
            DtlsRole::Auto,
        ];
        let fate = &mut Fate::new(seed);
        let link = Link::perfect(ms(u64::from(below(fate, 120))))
            .with_jitter(ms(one_of(fate, &[0, 30, 400, 1_500])))
            .with_loss(one_of(fate, &[0.0, 0.1, 0.3, 0.3]))
            .with_duplicate(one_of(fate, &[0.0, 0.3]));
        let mut roles = [one_of(fate, &ROLES), one_of(fate, &ROLES)];
        if roles[0] == roles[1] {
            roles = [DtlsRole::Auto; 2];
        }
        let hears = [(); 2].map(|()| {
            let info = u64::from(below(fate, 3) * below(fate, 1_500));
            [info, info + u64::from(below(fate, 3) * below(fate, 1_500))]
        });
        Self {
            link,
            mtu: one_of(fate, &[256, 1_200]),
            versions: one_of(fate, &[0, 1, 2]),
            roles,
            ice: [one_of(fate, &POLICIES), one_of(fate, &POLICIES)],
            extended: [one_of(fate, &[true, false]), one_of(fate, &[true, false])],
            hears,
        }
    }

    fn call(&self, number: u64) -> Call {
        let versions = [
            vec![Version::DTLS13, Version::DTLS12],
            vec![Version::DTLS12],
            vec![Version::DTLS13],
        ];
        let mut call = Call::new(number, self.link, |end, options| {
            let form = match self.extended[end] {
                true => DescriptionForm::Extended,
                false => DescriptionForm::Draft,
            };
            options
                .dtls_role(self.roles[end])
                .dtls_versions(versions[self.versions].clone())
                .descriptions(form)
                .mtu(self.mtu)
                .peer_verification(PeerVerification::TrustFirst)
                .ice(Config::default().role(self.ice[end]))
        });
        call.net.record = false;
        for end in [call.a, call.b] {
            let connection = &mut call.net.node_mut(end).connection;
            connection.add_stream(&stream("s"), Autostart::Yes).unwrap();
        }
        call
    }
}

fn signal_in_pieces(call: &mut Call, history: &History) {
    let began = call.net.now();
    let ends = [call.a, call.b];
    let texts = ends.map(|end| call.net.node_mut(end).signals());
    let mut due = BTreeMap::new();
    for (end, hears) in history.hears.iter().enumerate() {
        for (index, text) in texts[1 - end].iter().enumerate() {
            let at = hears[usize::from(index > 0)];
            due.insert((at, end, index), text.clone());
        }
    }
    for ((at, end, _), text) in due {
        call.net.run_until(began + ms(at), |_| false);
        let now = call.net.now();
        let peer = call.net.node_mut(ends[end]);
        if !peer.connection.is_closed() {
            peer.handle_signal(&text, now);
        }
    }
}

/// Runs one history; `None` when all is well.
fn trouble(seed: u64) -> Option<String> {
    let history = History::of(seed);
    let mut call = history.call(seed);
    signal_in_pieces(&mut call, &history);
    let mut said = String::new();
    let connected = call.run_until_connected(ms(60_000));
    call.net.set_link(Link::perfect(ms(10)));
    call.net.run_for(ms(4_000));
    if !connected {
        let reasons = super::connecting::disconnects(&mut call);
        write!(said, "never connected {reasons:?}; ").unwrap();
    }
    let ends = [call.a, call.b];
    for index in 0..25_u64 {
        let now = call.net.now();
        for end in ends {
            let connection = &mut call.net.node_mut(end).connection;
            let track = connection.tracks(&RTCTrackFilter::default())[0];
            let frame = Frame::new(vec![0xFC, 1, 2, 3], index * 960);
            if connection.is_connected() {
                let _ = connection.send_frame(track, &frame, now);
            }
        }
        call.net.run_for(ms(20));
    }
    call.net.run_for(ms(1_000));
    let now = call.net.now();
    for end in ends {
        let peer = call.net.node(end);
        let heard = peer.count(|event| matches!(event, Event::Frame(_)));
        let stats = peer.connection.stats(now);
        let failed = stats.drops.get(DropReason::Authentication);
        if heard < 20 || failed > 0 {
            let dtls = stats.dtls.map(|dtls| (dtls.role, dtls.version));
            write!(
                said,
                "{end:?}: {heard} frames, {failed} not authentic, {dtls:?}; "
            )
            .unwrap();
        }
    }
    (!said.is_empty()).then(|| format!("{seed}: {said}\n  {history:?}"))
}

#[test]
fn on_networks_that_lose_and_reorder_one_handshake_keys_both_ways() {
    let found: Vec<_> = (0..150).filter_map(trouble).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// 433: each side gives way to the other and takes up its own again. 611: each becomes the server.
/// 847, 1695: one was told to be the client, and the other gets few of its hellos.
#[test]
fn hellos_that_cross_in_rare_ways_come_to_one_handshake() {
    let found: Vec<_> = [433, 611, 847, 1_695]
        .into_iter()
        .filter_map(trouble)
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn extended(number: u64, ice: [RolePolicy; 2]) -> Call {
    let mut call = Call::new(number, Link::perfect(ms(10)), |end, options| {
        options
            .descriptions(DescriptionForm::Extended)
            .ice(Config::default().role(ice[end]))
    });
    call.net.record = true;
    call
}

/// Which end sent a ClientHello, and which one should have: the one whose credentials are smaller.
fn hellos(call: &mut Call) -> ([bool; 2], [bool; 2]) {
    let ends = [call.a, call.b];
    let sent = ends.map(|end| {
        let mut log = call.net.log.iter();
        log.any(|sent| sent.by == end && is_client_hello(&sent.contents))
    });
    let key = |end| {
        let ice = call.net.node(end).connection.local().ice.clone().unwrap();
        format!("{}:{}", ice.username_frag, ice.password)
    };
    let a_is_client = key(call.a) < key(call.b);
    (sent, [a_is_client, !a_is_client])
}

/// A browser begins as the controlling side whatever the credentials say, and gives up when two
/// ClientHellos cross.
#[test]
fn sides_whose_descriptions_leave_the_role_open_go_by_credentials_and_not_by_ice_roles() {
    use RolePolicy::{ByCredentials, Controlled, Controlling};
    let policies = [
        [Controlling, Controlled],
        [Controlled, Controlling],
        [Controlling, Controlling],
        [ByCredentials, Controlling],
        [Controlled, ByCredentials],
    ];
    for (number, ice) in (640..).zip(policies) {
        let mut call = extended(number, ice);
        call.signal();
        assert!(call.run_until_connected(ms(2_000)), "{ice:?}");
        let (sent, wanted) = hellos(&mut call);
        assert_eq!(sent, wanted, "{ice:?}");
    }
}

/// Checks can overtake signalling. A side that waits for a description leaves the hello to the
/// other for a second at most.
#[test]
fn a_description_that_comes_after_the_pair_is_valid_still_decides() {
    for number in 650..658 {
        let mut call = extended(number, [RolePolicy::Controlled, RolePolicy::Controlling]);
        let (from_a, from_b) = (call.a().signals(), call.b().signals());
        let now = call.net.now();
        call.b().handle_signal(&from_a[0], now);
        call.b().handle_signal(&from_a[1], now);
        call.a().handle_signal(&from_b[0], now);
        // The first end finds the other by its checks.
        call.net.run_for(ms(400));
        let now = call.net.now();
        call.a().handle_signal(&from_b[1], now);
        assert!(call.run_until_connected(ms(500)), "{number}");
        let (sent, wanted) = hellos(&mut call);
        assert_eq!(sent, wanted, "{number}");
    }
}

#[test]
fn a_peer_that_describes_nothing_is_waited_for_no_longer_than_a_second() {
    let mut call = extended(660, [RolePolicy::Controlled, RolePolicy::Controlling]);
    let (from_a, from_b) = (call.a().signals(), call.b().signals());
    let now = call.net.now();
    call.b().handle_signal(&from_a[0], now);
    call.b().handle_signal(&from_a[1], now);
    call.a().handle_signal(&from_b[0], now);
    assert!(call.run_until_connected(ms(1_500)));
}
