//! The agent against aioice, an ICE agent in Python, in every distribution of the roles. The test
//! installs it under the target folder; without Python, pip or the package index it says so and
//! passes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    reason = "test code: a failed expectation is the report, and here the sockets are real"
)]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::path::{Path as File, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, Credentials, Datagram, Ecn, Path, Role, RolePolicy,
    stun,
};

#[test]
fn we_control_and_aioice_follows() {
    talk(RolePolicy::Controlling, "controlled", Role::Controlling);
}

#[test]
fn aioice_controls_and_we_follow() {
    talk(RolePolicy::Controlled, "controlling", Role::Controlled);
}

/// RFC 8445 §7.3.1.1: whoever has the smaller tie-breaker gives way.
#[test]
fn both_begin_as_controlling() {
    talk(RolePolicy::Controlling, "controlling", None);
}

#[test]
fn neither_begins_as_controlling() {
    talk(RolePolicy::Controlled, "controlled", None);
}

/// The peer: credentials and candidates by lines, then data back to where it came from.
const PEER: &str = r#"
import asyncio, sys
from aioice import Candidate, Connection

async def line():
    return (await asyncio.get_event_loop().run_in_executor(None, sys.stdin.readline)).split()

def say(*words):
    print(*words, flush=True)

async def main():
    ice = Connection(ice_controlling=sys.argv[1] == "controlling")
    await ice.gather_candidates()
    say("credentials", ice.local_username, ice.local_password)
    for candidate in ice.local_candidates:
        say("candidate", candidate.to_sdp())
    say("end")
    while True:
        words = await line()
        if words[0] == "credentials":
            ice.remote_username, ice.remote_password = words[1:]
        elif words[0] == "candidate":
            await ice.add_remote_candidate(Candidate.from_sdp(" ".join(words[1:])))
        else:
            await ice.add_remote_candidate(None)
            break
    await ice.connect()
    say("connected", "controlling" if ice.ice_controlling else "controlled")
    while True:
        await ice.send(await ice.recv())

asyncio.run(main())
"#;

/// How long anything may take on one machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// One session; `role` is ours in the end, where only one outcome is right.
fn talk(ours: RolePolicy, theirs: &str, role: impl Into<Option<Role>>) {
    let Some(modules) = modules() else {
        println!("skipped: python3 with pip and the package index are needed to install aioice");
        return;
    };
    let Some(ip) = own_address() else {
        println!("skipped: aioice uses no loopback address, and this machine has no other");
        return;
    };
    let mut peer = Peer::start(modules, theirs);
    let socket = UdpSocket::bind(SocketAddr::new(ip, 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let local = socket.local_addr().unwrap();
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&local.port().to_be_bytes());
    let mut agent = Agent::new(Config::default().role(ours), seed, now());

    let described = agent
        .add_local_candidate(Candidate::host(local).unwrap(), now())
        .unwrap();
    let credentials = agent.local_credentials();
    peer.say(&format!(
        "credentials {} {}",
        credentials.ufrag(),
        credentials.password()
    ));
    peer.say(&format!(
        "candidate {} {} udp {} {} {} typ host",
        described.foundation(),
        described.component(),
        described.priority(),
        local.ip(),
        local.port()
    ));
    peer.say("end");
    loop {
        let words = peer.hear();
        match words[0].as_str() {
            "credentials" => agent
                .set_remote_credentials(Credentials::new(&words[1], &words[2]).unwrap(), now())
                .unwrap(),
            "candidate" => agent
                .add_remote_candidate(candidate(&words[1..]), now())
                .unwrap(),
            _ => break,
        }
    }
    agent.end_of_remote_candidates(now());
    agent.connect(now()).unwrap();

    // Data until some comes back, over the nominated pair.
    let begin = now();
    let mut echoed = None;
    while echoed.is_none() {
        assert!(now() - begin < PATIENCE, "{:?}", agent.stats().pairs);
        flush(&mut agent, &socket);
        if let Some(path) = agent.data_path() {
            socket.send_to(b"data", path.remote).unwrap();
        }
        echoed = receive(&mut agent, &socket, local);
        agent.handle_timeout(now());
    }
    let stats = agent.stats();
    let active = stats.pairs.iter().find(|pair| pair.active).unwrap();
    assert!(active.nominated, "{active:?}");
    let words = peer.hear();
    let their_role = if agent.role() == Role::Controlling {
        "controlled"
    } else {
        "controlling"
    };
    assert_eq!(words, ["connected", their_role]);
    if let Some(role) = role.into() {
        assert_eq!(agent.role(), role);
    }
}

fn flush(agent: &mut Agent, socket: &UdpSocket) {
    let mut buf = Vec::new();
    while let Some(transmit) = agent.poll_transmit(&mut buf, now()) {
        // A candidate that this machine cannot reach is none of ours to worry about.
        let _ = socket.send_to(&buf, transmit.path.remote);
        buf.clear();
    }
    while agent.poll_event().is_some() {}
}

/// Takes one datagram in; data that came over a valid path is returned.
fn receive(agent: &mut Agent, socket: &UdpSocket, local: SocketAddr) -> Option<Vec<u8>> {
    let mut buf = [0; 2048];
    let (length, remote) = socket.recv_from(&mut buf).ok()?;
    let contents = &mut buf[..length];
    let path = Path::udp(local, remote);
    if !stun::is_stun(contents) {
        assert_eq!(agent.path_state(&path), ortc_ice::PathState::Valid);
        return Some(contents.to_vec());
    }
    let datagram = Datagram {
        path,
        contents,
        ecn: Ecn::default(),
    };
    let _ = agent.handle_datagram(datagram, now());
    None
}

/// `foundation component transport priority address port typ kind` (RFC 8839 §5.1).
fn candidate(words: &[String]) -> Candidate {
    let address = SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap());
    Candidate::remote(
        &words[0],
        words[1].parse().unwrap(),
        words[3].parse().unwrap(),
        address,
        CandidateKind::Host,
        None,
    )
    .unwrap()
}

/// The peer's process, which ends with the test.
struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(modules: &File, role: &str) -> Self {
        let mut process = Command::new("python3")
            .args(["-c", PEER, role])
            .env("PYTHONPATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
        self.input.flush().unwrap();
    }

    fn hear(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the peer has ended");
        line.split_whitespace().map(String::from).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where aioice is, installed once for all tests.
fn modules() -> Option<&'static File> {
    static MODULES: OnceLock<Option<PathBuf>> = OnceLock::new();
    MODULES.get_or_init(install).as_deref()
}

fn install() -> Option<PathBuf> {
    let folder = File::new(env!("CARGO_TARGET_TMPDIR")).join("aioice-0.13.0");
    let works = || {
        let output = Command::new("python3")
            .args(["-c", "import aioice"])
            .env("PYTHONPATH", &folder)
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    if !works() {
        let output = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--target"])
            .arg(&folder)
            .arg("aioice==0.13.0")
            .output();
        output.ok().filter(|output| output.status.success())?;
    }
    works().then_some(folder)
}

/// The address that this machine sends from, unless it has but loopback ones. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[expect(clippy::disallowed_methods, reason = "an embedder has a clock")]
fn now() -> Instant {
    Instant::now()
}
