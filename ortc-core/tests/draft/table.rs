//! The table of the crate documentation names tests; they exist.

use std::path::Path;

#[test]
fn every_test_that_the_crate_documentation_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documentation = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let mut named = 0;
    for line in documentation
        .lines()
        .filter(|line| line.starts_with("//! |"))
    {
        for cell in line.split('`').filter(|part| part.contains(".rs::")) {
            let (file, test) = cell.split_once("::").unwrap();
            let source = std::fs::read_to_string(root.join("tests").join(file))
                .unwrap_or_else(|_| panic!("no file {file}"));
            assert!(
                source.contains(&format!("fn {test}()")),
                "{cell} does not exist"
            );
            named += 1;
        }
    }
    assert!(named > 90, "the table names {named} tests");
}

/// Each member of the draft's interfaces has a row.
#[test]
fn every_member_of_the_draft_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documentation = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let members = [
        "Constructor",
        "local",
        "remote",
        "getLocalSocket",
        "setLocalCandidate",
        "setRemoteCandidate",
        "connect",
        "update",
        "addStream",
        "removeStream",
        "track",
        "tracks",
        "receiveTrack",
        "addDtmfHandler",
        "getSendingStreams",
        "getReceivingStreams",
        "close",
        "oncandidate",
        "onendofcandidates",
        "onactivecandidate",
        "onconnected",
        "ondisconnected",
        "onaddstream",
        "onunknowntrack",
        "onadddtmfhandler",
        "iceServers",
        "socket",
        "url",
        "credential",
        "ice",
        "dtls",
        "usernameFrag",
        "password",
        "fingerprint",
        "getter",
        "foundation",
        "component",
        "transport",
        "priority",
        "connectionAddress",
        "connectionPort",
        "type",
        "relAddress",
        "relPort",
        "mediaStream",
        "kind",
        "source",
        "ssrc",
        "msid",
        "codecs",
        "mediaAttributes",
        "rtpExtHeaders",
        "getDescription",
        "start",
        "stop",
        "remove",
        "payload-id",
        "name",
        "clockRate",
        "numChannels",
        "params",
        "value",
        "videoMaxWidth",
        "videoMaxHeight",
        "id",
        "label",
        "toneBuffer",
        "duration",
        "interToneGap",
        "insertDTMF",
        "ondtmf",
        "getRTCCapabilities",
        "getRTCCodec",
        "audioCodecs",
        "videoCodecs",
        "addTrack",
    ];
    for member in members {
        let row = documentation.lines().any(|line| {
            line.starts_with("//! |")
                && line.split('|').nth(1).is_some_and(|cell| {
                    cell.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                        .any(|word| word == member)
                })
        });
        assert!(row, "{member} has no row");
    }
}
