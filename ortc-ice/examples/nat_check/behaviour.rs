//! What the NAT does: the tests of RFC 5780, from a socket of their own.

use core::error::Error;

use ortc_ice::{Behaviour, BehaviourCheck, Datagram, Ecn};

use crate::endpoint::Endpoint;
use crate::io::{Input, Io};
use crate::tls::Trust;
use crate::{system, table};

pub(crate) fn print(endpoint: &Endpoint) -> Result<(), Box<dyn Error>> {
    let Some((ip, server, second)) = endpoint.behaviour_servers() else {
        println!("\nWhat the NAT does is unknown: there is no server to ask over UDP.");
        return Ok(());
    };
    let mut io = Io::new(Trust::new(None)?);
    let local = io.bind(ip)?;
    let mut check = BehaviourCheck::new(local, server, system::seed()?, system::now());
    if let Some(second) = second {
        check = check.second_server(second);
    }
    let found = run(&mut check, &mut io);
    let rows = rows(local, &found);
    table::print(
        &format!("NAT behaviour, by {server}"),
        &["what", "result"],
        &rows,
    );
    Ok(())
}

/// At most 10.5 s.
fn run(check: &mut BehaviourCheck, io: &mut Io) -> Behaviour {
    let mut buf = Vec::new();
    loop {
        let now = system::now();
        while let Some(transmit) = check.poll_transmit(&mut buf, now) {
            io.send(&transmit, &buf);
            buf.clear();
        }
        if let Some(found) = check.poll_behaviour() {
            return found;
        }
        let next = check.poll_timeout().map_or(now, |timeout| timeout.at);
        if let Some(Input::Datagram(path, mut contents)) =
            io.wait(next.saturating_duration_since(now))
        {
            let contents = &mut contents;
            let ecn = Ecn::NotEct;
            let datagram = Datagram {
                path,
                contents,
                ecn,
            };
            let _ = check.handle_datagram(datagram, system::now());
        }
        check.handle_timeout(system::now());
    }
}

fn rows(local: core::net::SocketAddr, found: &Behaviour) -> Vec<Vec<String>> {
    let unknown = |reason: &ortc_ice::BehaviourError| format!("unknown: {reason}");
    let address = match found.mapped {
        Ok(mapped) if mapped == local => "none: the server sees the local address".into(),
        Ok(mapped) => format!("the server sees {mapped} for {local}"),
        Err(reason) => unknown(&reason),
    };
    let mapping = found.mapping.as_ref();
    let filtering = found.filtering.as_ref();
    let hairpinning = match found.hairpinning {
        Some(true) => "yes",
        Some(false) => "no",
        None if found.mapped == Ok(local) => "not needed without a NAT",
        None => "unknown",
    };
    [
        ("translation", address),
        ("mapping", mapping.map_or_else(unknown, ToString::to_string)),
        (
            "filtering",
            filtering.map_or_else(unknown, ToString::to_string),
        ),
        ("hairpinning", hairpinning.into()),
    ]
    .map(|(what, result)| vec![what.into(), result])
    .into()
}
