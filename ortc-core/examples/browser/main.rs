//! A page that speaks the draft's `RTCConnection`, and a program behind it that has one too.
//!
//! `cargo run --release --example browser`, then open the address that it prints. Everything runs
//! in one thread: the web server hands signalling to the hub, the hub owns the UDP socket and all
//! calls.

mod call;
mod figures;
mod film;
mod hub;
mod key_frames;
#[path = "../call/media/mod.rs"]
mod media;
mod options;
mod record;
mod rooms;
#[path = "../whip/sockets.rs"]
mod sockets;
#[path = "../call/source.rs"]
#[expect(dead_code, reason = "the other example compares files as well")]
mod source;
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
    std::fs::create_dir_all(&arguments.out)?;
    let listener = TcpListener::bind(("localhost", arguments.port)).await;
    let listener = listener.map_err(|error| {
        let port = arguments.port;
        format!("port {port} cannot serve the page, --port names another: {error}")
    })?;
    let (orders, inbox) = mpsc::channel(web::MAX_ORDERS);
    let hub = Hub::bind(&arguments, inbox).await?;
    println!("Open http://localhost:{}/", listener.local_addr()?.port());
    println!("Media on UDP {}", hub.addresses());
    println!("Recordings go to {}", arguments.out.display());
    tokio::select! {
        served = web::serve(listener, orders, arguments.page) => served?,
        ran = hub.run() => ran?,
    }
    Ok(())
}
