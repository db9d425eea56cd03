//! One end of a call over a real socket. Start it twice, and paste what each end prints into the
//! other: that is the signalling, and yours may be any.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "the embedder owns the clock, and ignores events that it has no use for"
)]
use std::time::Instant;

use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use ortc_core::*;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, from_value, json};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut socket = UdpSocket::bind("127.0.0.1:0".parse()?)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(16));
    poll.registry()
        .register(&mut socket, Token(0), Interest::READABLE)?;
    let (local, now) = (socket.local_addr()?, Instant::now);
    let (mut seed, mut input, mut output) = ([0; 32], [0; 2_048], Vec::new());
    SystemRandom::new().fill(&mut seed).map_err(|_| "entropy")?;
    let options = RTCConnectionOptions::new(seed).local_address(local);
    let mut connection = RTCConnection::new(options, now())?;

    let Some(Event::Candidate(candidate)) = connection.poll_event() else {
        return Ok(());
    };
    connection.set_local_candidate(&candidate, now())?;
    let RTCConnectionSide { ice, dtls } = connection.local().clone();
    println!(
        "{}",
        json!({ "ice": ice, "dtls": dtls, "candidate": candidate })
    );

    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let peer: Value = serde_json::from_str(&line)?;
    let dtls: RTCDtlsConnectionInfo = from_value(peer["dtls"].clone())?;
    let fingerprint = dtls.fingerprint.as_ref().and_then(|set| set.strongest());
    connection.set_remote_fingerprint(*fingerprint.ok_or("no fingerprint")?, now())?;
    connection.set_remote_ice(from_value(peer["ice"].clone())?, now())?;
    connection.set_remote_candidate(&from_value(peer["candidate"].clone())?, now())?;
    connection.connect(now())?;

    while !connection.is_closed() {
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected => connection.send_application_data(b"hello", now())?,
                Event::ApplicationData(data) => println!("the peer says {data:?}"),
                Event::Disconnected(reason) => println!("disconnected: {reason}"),
                _ => {} // frames, tones, tracks: what your application is about
            }
        }
        while let Some(transmit) = connection.poll_transmit(&mut output, now()) {
            socket.send_to(&output, transmit.path.remote)?;
            output.clear();
        }
        let due = connection.poll_timeout().map(|timeout| timeout.at);
        poll.poll(
            &mut events,
            due.map(|at| at.saturating_duration_since(now())),
        )?;
        while let Ok((len, remote)) = socket.recv_from(&mut input) {
            let (path, contents) = (Path::udp(local, remote), &mut input[..len]);
            let ecn = Ecn::default();
            connection.handle_datagram(
                Datagram {
                    path,
                    contents,
                    ecn,
                },
                now(),
            );
        }
        connection.handle_timeout(now());
    }
    Ok(())
}
