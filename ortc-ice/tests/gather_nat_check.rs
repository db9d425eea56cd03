//! The example `nat_check` as its users run it, against coturn where that is installed.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use ortc_testkit::servers::coturn::{Coturn, PASSWORD, USER};

/// Two addresses, which RFC 5780 needs.
fn coturn() -> Option<Coturn> {
    Coturn::start(&["--listening-ip=127.0.0.2"])
}

#[test]
fn candidates_of_all_transports_and_the_nat_are_shown() {
    let Some(server) = coturn() else {
        return;
    };
    let ca = std::env::temp_dir().join(format!("nat-check-{}.pem", std::process::id()));
    fs::write(&ca, &server.certificate).unwrap();
    let (plain, tls) = (server.plain, server.tls.port());
    let uris = [
        format!("stun:{plain}"),
        format!("turn:{USER}@{plain}"),
        format!("turn:{USER}@{plain}?transport=tcp"),
        format!("turns:{USER}@localhost:{tls}"),
    ];
    let mut command = nat_check(&["--bind", "127.0.0.1", "--credential", PASSWORD]);
    for uri in &uris {
        command.args(["--server", uri]);
    }
    let output = command.arg("--ca").arg(&ca).output().unwrap();
    let _ = fs::remove_file(ca);
    let text = text(&output);

    assert!(output.status.success(), "{text}");
    assert_eq!(rows(&text, "Local addresses").len(), 1, "{text}");
    let candidates = rows(&text, "Candidates");
    let of = |kind: &str| candidates.iter().filter(|row| row[0] == kind).count();
    assert_eq!((of("host"), of("relay")), (1, 3), "{text}");
    for uri in &uris[1..] {
        let row = candidates.iter().find(|row| row[3] == *uri);
        let row = row.unwrap_or_else(|| panic!("{uri} in {text}"));
        assert!(row[4].parse::<f64>().is_ok() && row[5] == "ms", "{text}");
        assert!(row[6].parse::<u32>().is_ok(), "{text}");
    }
    let servers = rows(&text, "Servers");
    assert_eq!(servers.len(), 4, "{text}");
    let all_work = servers.iter().all(|row| row.last().unwrap() == "works");
    assert!(all_work, "{text}");
    // Loopback has no NAT, and coturn answers from its second address.
    let behaviour = rows(&text, "NAT behaviour");
    assert_eq!(behaviour[0][..2], ["translation", "none:"], "{text}");
    assert_eq!(behaviour[1], ["mapping", "endpoint-independent"], "{text}");
    assert_eq!(
        behaviour[2],
        ["filtering", "endpoint-independent"],
        "{text}"
    );
}

#[test]
fn two_peers_connect_through_a_relay_and_say_which_pair_they_chose() {
    let Some(server) = coturn() else {
        return;
    };
    let uri = format!("turn:{USER}@{}", server.plain);
    let common = ["--bind", "127.0.0.1", "--no-behaviour", "--loopback-peers"];
    let start = |side: &str| {
        let mut command = nat_check(&common);
        command.args(["--relay-only", "--credential", PASSWORD, "--server", &uri]);
        command
            .arg(side)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        Pasting::new(command.spawn().unwrap())
    };
    let (mut offer, mut answer) = (start("--offer"), start("--answer"));
    offer.paste(&answer.line);
    answer.paste(&offer.line);
    for side in [offer, answer] {
        let (text, code) = side.end();
        assert_eq!(code, Some(0), "{text}");
        let pairs = rows(&text, "Pairs");
        let chosen = pairs.iter().find(|row| row[0] == "*");
        let chosen = chosen.unwrap_or_else(|| panic!("no pair chosen in {text}"));
        assert_eq!((&*chosen[1], &*chosen[3]), ("relay", "relay"), "{text}");
        assert_eq!(chosen[5], "succeeded", "{text}");
        assert_eq!(chosen.last().map(String::as_str), Some("yes"), "{text}");
        assert!(text.contains("Pair chosen: relay "), "{text}");
    }
}

#[test]
fn two_peers_connect_without_a_server_by_files() {
    let folder = std::env::temp_dir().join(format!("nat-check-peers-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let start = |side: &str| {
        let mut command = nat_check(&["--bind", "127.0.0.1", "--no-behaviour", side]);
        command.arg("--peer-file").arg(folder.join("peer"));
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    for side in [start("--offer"), start("--answer")] {
        let output = side.wait_with_output().unwrap();
        let text = text(&output);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("Pair chosen: host "), "{text}");
        assert!(text.contains("because it has the highest priority of all"));
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "files stay");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn wrong_credentials_are_said_to_be_wrong() {
    let Some(server) = coturn() else {
        return;
    };
    let uri = format!("turn:{USER}@{}", server.plain);
    let output = nat_check(&["--bind", "127.0.0.1", "--no-behaviour"])
        .args(["--server", &uri, "--credential", "wrong"])
        .output()
        .unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("{uri} gives nothing: ")), "{text}");
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    let output = nat_check(&["--bind", "127.0.0.1", "--no-behaviour", "--timeout", "0.3"])
        .args(["--server", "stun:127.0.0.1:1"])
        .output()
        .unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("stun:127.0.0.1:1 has not answered in 0.3 s."),
        "{text}"
    );
}

#[test]
fn a_wrong_call_is_explained() {
    for (arguments, explanation) in [
        (
            vec!["--server", "http:x"],
            "the scheme must be stun, stuns, turn or turns",
        ),
        (vec!["--timeout", "0"], "it must be 0.1 to 300"),
        (
            vec!["--peer-file", "x"],
            "--peer-file needs --offer or --answer.",
        ),
        (vec!["--offer", "--answer"], "cannot be used with"),
    ] {
        let output = nat_check(&arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(explanation), "{errors}");
    }
}

/// A process that waits for the other side's line.
struct Pasting {
    child: Child,
    stdout: BufReader<ChildStdout>,
    line: String,
}

impl Pasting {
    fn new(mut child: Child) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with('{') {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended early");
        }
        Self {
            child,
            stdout,
            line,
        }
    }

    fn paste(&mut self, line: &str) {
        let mut stdin = self.child.stdin.take().unwrap();
        stdin.write_all(line.as_bytes()).unwrap();
    }

    fn end(mut self) -> (String, Option<i32>) {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        (text, self.child.wait().unwrap().code())
    }
}

/// The words of each row of a table.
fn rows(text: &str, title: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with(title));
    let rows = lines.skip(2).take_while(|line| line.starts_with("  "));
    let words = |row: &str| row.split_whitespace().map(String::from).collect();
    rows.map(words).collect()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `cargo test` builds the examples beside the folder of the tests.
fn nat_check(arguments: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let built: PathBuf = profile
        .join("examples/nat_check")
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        built.is_file(),
        "{} is missing: build it with `cargo build --example nat_check`",
        built.display()
    );
    let mut command = Command::new(built);
    command.args(arguments);
    command
}
