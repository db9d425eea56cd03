//! The WHIP example, asked as clients ask it: offers of browsers, recorded, and what cannot be.
#![expect(clippy::unwrap_used, reason = "a failed expectation is the report")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const CHROMIUM: &str = include_str!("whip/offers/chromium.sdp");
const FIREFOX: &str = include_str!("whip/offers/firefox.sdp");
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

#[test]
fn an_offer_is_answered_with_a_session_that_ends_once() {
    let server = Server::start(&[]);
    let published = server.post("/whip/live", SDP, &publishing(CHROMIUM));
    assert_eq!(published.status, 201, "{}", published.body);
    assert_eq!(published.header("content-type"), SDP);
    assert!(published.header("etag").starts_with('"'));
    let session = published.header("location").to_owned();
    assert!(session.starts_with("/whip/live/") && session.len() > 40);

    let ended = server.ask("DELETE", &session, &[], "");
    assert_eq!(ended.status, 200);
    let again = server.ask("DELETE", &session, &[], "");
    assert_eq!(again.status, 404);
    assert_eq!(again.body, "There is no such session, or it has ended.\n");
}

/// RFC 9725 §4.2 and §4.4: one bundle, each section with the one codec that is agreed on.
#[test]
fn the_answer_has_what_a_browser_needs() {
    let server = Server::start(&["--video", "h264,vp8"]);
    let answer = server.post("/whip/live", SDP, &publishing(CHROMIUM)).body;
    assert!(answer.ends_with("\r\n"));
    let lines: Vec<_> = answer.lines().collect();
    for line in [
        "v=0",
        "a=group:BUNDLE 0 1",
        "a=ice-lite",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=video 9 UDP/TLS/RTP/SAVPF 102 103",
        "a=setup:passive",
        "a=rtcp-mux",
        "a=recvonly",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:102 H264/90000",
        "a=rtcp-fb:102 nack pli",
        "a=fmtp:103 apt=102",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=end-of-candidates",
    ] {
        assert!(lines.contains(&line), "no {line} in:\n{answer}");
    }
    let begins = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(begins("a=fingerprint:sha-256 "), 2);
    assert!(begins("a=candidate:") >= 2);
    // This side cannot measure what transport-wide feedback would need.
    assert!(!answer.contains("transport-cc") && !answer.contains("transport-wide"));
}

#[test]
fn a_player_gets_what_is_published_in_its_own_payload_types() {
    let server = Server::start(&[]);
    let early = server.post("/whep/live", SDP, &playing(FIREFOX));
    assert_eq!(early.status, 409);
    assert_eq!(early.header("retry-after"), "2");
    assert_eq!(early.body, "Nobody publishes in live yet.\n");

    server.post("/whip/live", SDP, &publishing(CHROMIUM));
    let played = server.post("/whep/live", SDP, &playing(FIREFOX));
    assert_eq!(played.status, 201, "{}", played.body);
    let lines: Vec<_> = played.body.lines().collect();
    for line in [
        "m=audio 9 UDP/TLS/RTP/SAVPF 109",
        "m=video 9 UDP/TLS/RTP/SAVPF 120 124",
        "a=sendonly",
        "a=msid:live live-video",
        "a=rtpmap:120 VP8/90000",
    ] {
        assert!(lines.contains(&line), "no {line} in:\n{}", played.body);
    }
    let second = server.post("/whip/live", SDP, &publishing(FIREFOX));
    assert_eq!(second.status, 409);
    assert_eq!(second.body, "Somebody publishes in live already.\n");

    // A player with another codec only.
    let without = playing(FIREFOX).replace("VP8/90000", "VP1/90000");
    let without = without.replace("opus/48000", "opus/16000");
    let refused = server.post("/whep/live", SDP, &without);
    assert_eq!(refused.status, 406);
    assert_eq!(
        refused.body,
        "There is opus and VP8 in live, and the offer receives none of it.\n"
    );
}

#[test]
fn what_cannot_be_published_is_refused_with_a_sentence() {
    let server = Server::start(&[]);
    let offer = publishing(CHROMIUM);
    let without = |name: &str| -> String {
        let kept = offer.lines().filter(|line| !line.starts_with(name));
        kept.map(|line| format!("{line}\r\n")).collect()
    };
    let twice = format!("{offer}{}", section(&offer, "m=video"));
    let cases = [
        (String::new(), 400, "Line 1 of the SDP is not v=0."),
        (
            "v=0\r\nnonsense\r\n".to_owned(),
            400,
            "Line 2 of the SDP should be one letter, = and a value.",
        ),
        (
            without("a=fingerprint"),
            400,
            "The offer has no certificate fingerprint (a=fingerprint).",
        ),
        (
            without("a=ice-pwd"),
            400,
            "The offer has no ICE password (a=ice-pwd).",
        ),
        (
            without("a=rtcp-mux"),
            406,
            "Section \"0\" has no a=rtcp-mux: RTP and RTCP share one port.",
        ),
        (
            without("a=group"),
            406,
            "Section \"0\" is not in the BUNDLE group: all media shares one port.",
        ),
        (
            playing(CHROMIUM),
            406,
            "The offer sends neither audio nor video.",
        ),
        (
            offer.replace("opus/", "lyra/").replace("PCM", "XYZ"),
            406,
            "None of the audio codecs can be used here.",
        ),
        (
            twice,
            406,
            "The offer sends more than one video track, and one of each kind is all that can be published.",
        ),
    ];
    for (offer, status, sentence) in cases {
        let refused = server.post("/whip/live", SDP, &offer);
        assert_eq!(
            (refused.status, refused.body.trim_end()),
            (status, sentence)
        );
    }
    // None of them has left a session behind.
    assert_eq!(
        server.ask("GET", "/", &[], "").body,
        "Nobody publishes and nobody plays.\n"
    );
    let wrong = server.post("/whip/live", "text/plain", &offer);
    assert_eq!(wrong.status, 415);
    let long = server.post("/whip/live", SDP, &"v=0\r\n".repeat(20_000));
    assert_eq!(long.status, 413);
    assert_eq!(server.post("/whip/a%20b", SDP, &offer).status, 404);
}

/// RFC 9725 §4.3.
#[test]
fn candidates_and_restarts_are_patched_in_under_the_entity_tag() {
    let server = Server::start(&["--ice", "full"]);
    let published = server.post("/whip/live", SDP, &publishing(CHROMIUM));
    let (session, etag) = (published.header("location"), published.header("etag"));
    let patch = |tag: Option<&str>, fragment: &str| {
        let mut headers = vec![("content-type", FRAGMENT)];
        headers.extend(tag.map(|tag| ("if-match", tag)));
        server.ask("PATCH", session, &headers, fragment)
    };
    let trickled = "a=ice-ufrag:kdmK\r\na=ice-pwd:rAa4vsH63tmXozqxTumHYGuK\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
        a=candidate:1 1 udp 2122260223 127.0.0.1 9 typ host\r\na=candidate:2 1 sctp 1 nowhere 9 typ host\r\n";
    assert_eq!(patch(None, trickled).status, 428);
    assert_eq!(patch(Some("\"other\""), trickled).status, 412);
    let added = patch(Some(etag), trickled);
    assert_eq!((added.status, added.body.as_str()), (204, ""));
    assert!(!added.has("etag"));
    assert_eq!(patch(Some(etag), "nonsense").status, 400);

    let restart = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n";
    let restarted = patch(Some("*"), restart);
    assert_eq!(restarted.status, 200);
    assert_eq!(restarted.header("content-type"), FRAGMENT);
    assert_ne!(restarted.header("etag"), etag);
    let ufrag = |text: &str| {
        let mut lines = text.lines();
        lines
            .find(|line| line.starts_with("a=ice-ufrag:"))
            .unwrap()
            .to_owned()
    };
    assert_ne!(ufrag(&restarted.body), ufrag(&published.body));
    assert_eq!(patch(Some(etag), trickled).status, 412, "of the past");
    let wrong = [("content-type", SDP), ("if-match", "*")];
    assert_eq!(server.ask("PATCH", session, &wrong, restart).status, 415);
}

#[test]
fn other_methods_are_refused_and_pages_of_any_origin_may_ask() {
    let server = Server::start(&["--ice-server", "stun:stun.example.net"]);
    let options = server.ask("OPTIONS", "/whip/live", &[], "");
    assert_eq!(options.status, 200);
    assert_eq!(options.header("accept-post"), SDP);
    assert_eq!(options.header("access-control-allow-origin"), "*");
    assert_eq!(
        options.header("link"),
        "<stun:stun.example.net>; rel=\"ice-server\""
    );
    assert_eq!(server.ask("GET", "/whip/live", &[], "").status, 204);
    assert_eq!(server.ask("PUT", "/whip/live", &[], "").status, 405);
    let published = server.post("/whip/live", SDP, &publishing(CHROMIUM));
    assert!(published.has("link"));
    let session = published.header("location");
    let options = server.ask("OPTIONS", session, &[], "");
    assert_eq!(options.header("accept-patch"), FRAGMENT);
    assert_eq!(server.ask("GET", session, &[], "").status, 204);
    assert_eq!(server.post(session, SDP, CHROMIUM).status, 405);
}

#[test]
fn with_a_token_nobody_comes_in_without() {
    let server = Server::start(&["--token", "secret"]);
    let offer = publishing(CHROMIUM);
    let refused = server.post("/whip/live", SDP, &offer);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    for (shown, status) in [
        ("Bearer other", 401),
        ("Basic secret", 401),
        ("bearer secret", 201),
    ] {
        let headers = [("content-type", SDP), ("authorization", shown)];
        let answer = server.ask("POST", "/whip/live", &headers, &offer);
        assert_eq!(answer.status, status, "{shown}");
    }
    // What a browser asks before it asks carries no token.
    assert_eq!(server.ask("OPTIONS", "/whip/live", &[], "").status, 200);
}

/// The offer of a browser that only sends, or only receives.
fn publishing(offer: &str) -> String {
    offer.replace("a=sendrecv", "a=sendonly")
}

fn playing(offer: &str) -> String {
    offer.replace("a=sendrecv", "a=recvonly")
}

/// The section that begins so.
fn section<'a>(offer: &'a str, start: &str) -> &'a str {
    offer.split_at(offer.find(start).unwrap()).1
}

/// The program, on free ports.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Response {
    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(example("whip"))
            .args(["--http", "127.0.0.1:0", "--address", "127.0.0.1"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        // Whatever else it says has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let address = first.split("//").nth(1).unwrap();
        let address = address.split('/').next().unwrap().to_owned();
        Self { child, address }
    }

    fn post(&self, path: &str, content_type: &str, body: &str) -> Response {
        self.ask("POST", path, &[("content-type", content_type)], body)
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!(
            "content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        // A server that refuses a body need not read it.
        let _ = stream.write_all(body.as_bytes());
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Response {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }
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
