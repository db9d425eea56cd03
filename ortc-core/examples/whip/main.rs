//! Publishing by WHIP (RFC 9725), playing by WHEP (draft-ietf-wish-whep), with `RTCConnection` behind
//! both and SDP only in this folder.
//!
//! `cargo run --release --example whip`, then publish to the address that it prints. Everything runs
//! in one thread: the web server hands requests to the hub, the hub owns the UDP sockets and all
//! sessions, and sends on the packets of each publisher to the players of its room.

mod answer;
mod hub;
#[path = "../browser/key_frames.rs"]
mod key_frames;
mod offer;
mod options;
mod refusal;
mod room;
mod screen;
mod sdp;
mod session;
mod sockets;
#[path = "../call/system.rs"]
mod system;
mod web;

use core::error::Error;

use clap::Parser as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::hub::Hub;
use crate::options::Arguments;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(arguments.http).await;
    let listener = listener
        .map_err(|error| format!("cannot serve at {}, see --http: {error}", arguments.http))?;
    let (orders, inbox) = mpsc::channel(web::MAX_ORDERS);
    let hub = Hub::bind(&arguments, inbox).await?;
    let http = format!("http://{}", listener.local_addr()?);
    println!("Publish to {http}/whip/ROOM");
    println!("Play from  {http}/whep/ROOM");
    println!("Media on UDP {}", hub.addresses());
    tokio::select! {
        served = web::serve(listener, orders, &arguments) => served?,
        ran = hub.run() => ran?,
    }
    Ok(())
}
