//! Two peers in network namespaces, each behind a NAT of the Linux kernel, with a real TURN server
//! on the segment between the NATs. It takes root, `ip`, `nft` and coturn; without them the tests
//! say so and pass. They remove the namespaces that they made, by name.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    reason = "test code: a failed expectation is the report, and here the sockets are real"
)]

use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use ortc_ice::{Candidate, CandidateKind, Config, Credentials, Event, ServerCredentials};
use ortc_testkit::net::Machine;
use ortc_testkit::props::ice_matrix::{Manners, Peer, Signal};

/// `masquerade` keeps one port for all destinations, and lets in who was sent to.
#[test]
fn two_cones_reach_each_other_directly() {
    let Some(kinds) = session("cone", "masquerade") else {
        return;
    };
    assert!(!kinds.contains(&"relay".to_owned()), "{kinds:?}");
}

/// `fully-random` takes another port for each destination: nobody knows it but the relay.
#[test]
fn two_symmetric_nats_meet_on_a_relay() {
    let Some(kinds) = session("symm", "masquerade fully-random") else {
        return;
    };
    assert!(kinds.contains(&"relay".to_owned()), "{kinds:?}");
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The TURN server, which answers STUN too.
const SERVER: &str = "198.51.100.1";

/// A session between two hosts behind such NATs; the kinds of the candidates that it uses, or `None`
/// where there can be none.
fn session(name: &str, rule: &str) -> Option<Vec<String>> {
    let Some(lab) = Lab::build(name, rule) else {
        println!("skipped: root, ip, nft and turnserver are needed, and network namespaces");
        return None;
    };
    let mut sides = [lab.start(1), lab.start(2)];
    let begin = now();
    let mut kinds: [Option<Vec<String>>; 2] = [None, None];
    while kinds.iter().any(Option::is_none) {
        assert!(now() - begin < PATIENCE, "no data: {kinds:?}");
        for side in [0, 1] {
            while let Ok(line) = sides[side].lines.recv_timeout(Duration::from_millis(5)) {
                match line.strip_prefix("uses ") {
                    Some(pair) => {
                        kinds[side] = Some(pair.split(' ').map(String::from).collect());
                    }
                    None => writeln!(sides[1 - side].input, "{line}").unwrap(),
                }
            }
        }
    }
    Some(kinds.into_iter().flatten().flatten().collect())
}

/// One of the two hosts, as a process of its own in its namespace; it is started by `session`.
#[test]
fn host_process() {
    let Ok(local) = std::env::var("ORTC_NETNS_HOST") else {
        return;
    };
    let socket = UdpSocket::bind(&local).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let local = socket.local_addr().unwrap();
    let seed = [local.ip().to_string().bytes().last().unwrap(); 32];
    let manners = Manners {
        end_is_told: true,
        data_counts: true,
    };
    let mut peer = Peer::new(Config::default(), manners, [seed, seed], now());
    peer.gatherer.add_base(local).unwrap();
    let turn = format!("turn:{SERVER}:3478?transport=udp").parse().unwrap();
    let credentials = ServerCredentials::new("alice", "secret");
    peer.gatherer.add_server(turn, Some(credentials)).unwrap();
    peer.begin(now());

    let (lines, inbox) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
        std::process::exit(0); // the other end of the pipe is gone
    });
    let begin = now();
    let mut told = false;
    while now() - begin < 2 * PATIENCE {
        for signal in core::mem::take(&mut peer.signals) {
            println!("\nice {}", written(&signal));
        }
        while let Ok(line) = inbox.try_recv() {
            peer.hear(read(&line), now());
        }
        let mut buf = Vec::new();
        while let Some((_, remote)) = peer.poll_transmit(&mut buf, now()) {
            let _ = socket.send_to(&buf, remote); // some candidates have no route
            buf.clear();
        }
        let mut buf = [0; 2048];
        if let Ok((length, remote)) = socket.recv_from(&mut buf) {
            let contents = buf.get_mut(..length).unwrap();
            peer.handle_datagram(local, remote, contents, now());
        }
        peer.handle_timeout(now());
        // Data has come, and the pair had time to become the best.
        let settled = peer.data[1].is_some() && now() - begin > Duration::from_secs(4);
        if settled && !told {
            told = true;
            println!("\nice uses {}", pair_in_use(&peer));
        }
    }
}

/// The kinds of the pair in use.
fn pair_in_use(peer: &Peer) -> String {
    let pair = peer.events.iter().rev().find_map(|(_, event)| {
        let Event::ActivePair { local, remote, .. } = event else {
            return None;
        };
        Some(format!("{} {}", word(local.kind()), word(remote.kind())))
    });
    pair.unwrap()
}

fn written(signal: &Signal) -> String {
    match signal {
        Signal::Credentials(credentials) => {
            format!(
                "credentials {} {}",
                credentials.ufrag(),
                credentials.password()
            )
        }
        Signal::Candidate(candidate) => format!(
            "candidate {} {} {} {}",
            candidate.foundation(),
            candidate.priority(),
            candidate.address(),
            word(candidate.kind())
        ),
        Signal::End => "end".to_owned(),
    }
}

fn read(line: &str) -> Signal {
    let words: Vec<_> = line.split(' ').collect();
    match words[..] {
        ["credentials", ufrag, password] => {
            Signal::Credentials(Credentials::new(ufrag, password).unwrap())
        }
        ["candidate", foundation, priority, address, kind] => {
            let kind = KINDS.iter().find(|(_, word)| *word == kind).unwrap().0;
            let (priority, address) = (priority.parse().unwrap(), address.parse().unwrap());
            let candidate = Candidate::remote(foundation, 1, priority, address, kind, None);
            Signal::Candidate(candidate.unwrap())
        }
        _ => Signal::End,
    }
}

/// The candidate types of RFC 8839 §5.1.
const KINDS: [(CandidateKind, &str); 4] = [
    (CandidateKind::Host, "host"),
    (CandidateKind::ServerReflexive, "srflx"),
    (CandidateKind::PeerReflexive, "prflx"),
    (CandidateKind::Relayed, "relay"),
];

fn word(kind: CandidateKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).unwrap().1
}

/// Five namespaces: two hosts, two NATs, the segment between them with the server.
struct Lab {
    names: Vec<String>,
    server: Option<Child>,
}

impl Lab {
    fn build(name: &str, rule: &str) -> Option<Self> {
        let tools = [["ip", "-V"], ["nft", "-v"], ["turnserver", "--version"]];
        if !tools.iter().all(|tool| succeeds(tool)) {
            return None;
        }
        let id = std::process::id();
        let name = |part: &str| format!("ortc-{name}-{id}-{part}");
        let [host1, nat1, wan, nat2, host2] = ["h1", "n1", "w", "n2", "h2"].map(name);
        let mut lab = Self {
            names: Vec::new(),
            server: None,
        };
        for name in [&host1, &nat1, &wan, &nat2, &host2] {
            if !succeeds(&["ip", "netns", "add", name]) {
                return None; // what was made is removed
            }
            lab.names.push(name.clone());
            inside(name, "ip link set lo up");
        }
        inside(&wan, "ip link add br0 type bridge");
        for (number, nat, host) in [(1, &nat1, &host1), (2, &nat2, &host2)] {
            let port = format!("port{number}");
            let pairs = [
                ("wan", nat, port.as_str(), &wan),
                ("lan", nat, "eth0", host),
            ];
            for (end, space, other_end, other_space) in pairs {
                let made = succeeds(&[
                    "ip",
                    "link",
                    "add",
                    end,
                    "netns",
                    space,
                    "type",
                    "veth",
                    "peer",
                    "name",
                    other_end,
                    "netns",
                    other_space,
                ]);
                assert!(made, "a link between {space} and {other_space}");
            }
            inside(&wan, &format!("ip link set {port} master br0 up"));
            inside(nat, &format!("ip addr add 198.51.100.1{number}/24 dev wan"));
            inside(nat, &format!("ip addr add 10.0.{number}.1/24 dev lan"));
            inside(nat, "ip link set wan up");
            inside(nat, "ip link set lan up");
            inside(nat, "sysctl -q -w net.ipv4.ip_forward=1");
            inside(nat, "nft add table ip lab");
            inside(
                nat,
                "nft add chain ip lab out { type nat hook postrouting priority 100 ; }",
            );
            inside(nat, &format!("nft add rule ip lab out oifname wan {rule}"));
            // Without it the kernel takes a stranger's packet for one to itself, and then gives the
            // flow that it belongs to another port.
            inside(
                nat,
                "nft add chain ip lab in { type filter hook input priority 0 ; }",
            );
            inside(nat, "nft add rule ip lab in iifname wan ct state new drop");
            inside(host, &format!("ip addr add 10.0.{number}.2/24 dev eth0"));
            inside(host, "ip link set eth0 up");
            inside(host, &format!("ip route add default via 10.0.{number}.1"));
        }
        inside(&wan, &format!("ip addr add {SERVER}/24 dev br0"));
        inside(&wan, "ip link set br0 up");
        // A private candidate must be lost, not unreachable: then the server ends the allocation.
        inside(&wan, "ip route add default dev br0");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&wan);
        std::fs::create_dir_all(&folder).unwrap();
        let server = Command::new("ip")
            .args(["netns", "exec", &wan, "turnserver", "-n", "--lt-cred-mech"])
            .arg(format!("--listening-ip={SERVER}"))
            .arg(format!("--relay-ip={SERVER}"))
            .args(["--user=alice:secret", "--realm=example.org", "--no-cli"])
            .args(["--no-tls", "--no-dtls", "--log-file=stdout"])
            .args(["--pidfile=./pid", "--userdb=./db.sqlite"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        lab.server = Some(server);
        Some(lab)
    }

    /// Starts the process of a host.
    fn start(&self, number: u8) -> Side {
        let name = &self.names[usize::from(number - 1) * 4];
        let mut process = Command::new("ip")
            .args(["netns", "exec", name])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "host_process", "--nocapture"])
            .env("ORTC_NETNS_HOST", format!("10.0.{number}.2:5000"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (lines, inbox) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix("ice ")
                    && lines.send(line.to_owned()).is_err()
                {
                    break;
                }
            }
        });
        Side {
            input: process.stdin.take().unwrap(),
            lines: inbox,
            process,
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
        for name in &self.names {
            succeeds(&["ip", "netns", "del", name]);
        }
    }
}

/// The process of a host; it ends with its input.
struct Side {
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn inside(space: &str, command: &str) {
    let mut words = vec!["ip", "netns", "exec", space];
    words.extend(command.split(' '));
    assert!(succeeds(&words), "{command} in {space}");
}

fn succeeds(words: &[&str]) -> bool {
    let output = Command::new(words[0]).args(&words[1..]).output();
    output.is_ok_and(|output| output.status.success())
}

#[expect(clippy::disallowed_methods, reason = "an embedder has a clock")]
fn now() -> Instant {
    Instant::now()
}
