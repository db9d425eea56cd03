//! The examples, run as a visitor runs them.
#![expect(clippy::unwrap_used, reason = "a failed expectation is the report")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

#[test]
fn the_call_delivers_everything_that_was_sent() {
    let (output, folder) = call("whole", &["--seconds", "3"]);

    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for line in [
        "DTLS 1.3",
        "SRTP_AEAD_AES_128_GCM",
        "tones 159#0123ABCD*: sent 159#0123ABCD*, received 159#0123ABCD*",
        "vp8 from caller to callee: every frame arrived as it was sent",
        "h264 from caller to callee: every frame arrived as it was sent",
        "opus from caller to callee: every frame arrived as it was sent",
        "opus from callee to caller: every frame arrived as it was sent",
    ] {
        assert!(text.contains(line), "no {line:?} in:\n{text}");
    }
    for file in [
        "received.opus",
        "received.ivf",
        "received.h264",
        "returned.opus",
    ] {
        assert!(folder.join(file).is_file(), "{file} is missing");
    }
}

#[test]
fn the_call_copes_with_loss_of_every_kind_of_datagram() {
    let (output, _) = call("loss", &["--seconds", "3", "--loss", "5", "--seed", "1"]);

    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("lost on purpose"), "{text}");
}

#[test]
fn two_callers_answer_one_description_over_one_port() {
    let (output, folder) = call("fork", &["--seconds", "3", "--fork"]);

    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("both calls ran over the one port"), "{text}");
    for call in ["call-1", "call-2"] {
        assert!(folder.join(call).join("received.ivf").is_file(), "{text}");
    }
}

#[test]
fn a_call_that_loses_everything_fails() {
    let (output, _) = call("nothing", &["--seconds", "1", "--loss", "100"]);
    assert!(!output.status.success());
}

/// Each end prints a line for the other, and then what the other says to it.
#[test]
fn two_event_loops_meet_when_their_lines_are_exchanged() {
    let mut ends = [(); 2].map(|()| {
        Command::new(example("event_loop"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    });
    let mut inputs = ends.each_mut().map(|end| end.stdin.take().unwrap());
    let mut outputs = ends
        .each_mut()
        .map(|end| BufReader::new(end.stdout.take().unwrap()).lines());
    let lines = outputs
        .each_mut()
        .map(|lines| lines.next().unwrap().unwrap());
    writeln!(inputs[0], "{}", lines[1]).unwrap();
    writeln!(inputs[1], "{}", lines[0]).unwrap();
    for lines in &mut outputs {
        assert_eq!(lines.next().unwrap().unwrap(), "the peer says b\"hello\"");
    }
    for end in &mut ends {
        end.kill().unwrap();
        end.wait().unwrap();
    }
}

/// What the README shows is what was compiled.
#[test]
fn the_readme_shows_the_event_loop_as_it_is() {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(manifest.join("../README.md")).unwrap();
    let source = std::fs::read_to_string(manifest.join("examples/event_loop.rs")).unwrap();
    assert!(
        readme.contains(&format!("```rust,no_run\n{source}```\n")),
        "README.md and ortc-core/examples/event_loop.rs differ"
    );
}

/// Runs the call; its files go to a folder of the test's own.
fn call(name: &str, arguments: &[&str]) -> (Output, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("call-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    let output = Command::new(example("call"))
        .args(arguments)
        .arg("--out")
        .arg(&folder)
        .output()
        .unwrap();
    (output, folder)
}

/// `cargo test` builds the examples beside the folder of the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let built = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        built.is_file(),
        "{} is missing: build it with `cargo build --example {name}`",
        built.display()
    );
    built
}
