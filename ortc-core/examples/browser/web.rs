//! The web server: the page with its files, and a WebSocket for each call's signalling.

use core::time::Duration;
use std::borrow::Cow;
use std::path::PathBuf;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Orders that may wait for the hub; a page that floods waits itself.
pub(crate) const MAX_ORDERS: usize = 256;
/// Texts that may wait for one page; one that does not read misses the rest.
const MAX_TEXTS: usize = 1_024;
/// Octets of one signalling text; descriptions of a track have some thousand.
const MAX_TEXT: usize = 64 << 10;

/// How long a page that was refused may take to hang up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a page asks of the hub.
#[derive(Debug)]
pub(crate) enum Order {
    /// A page has come.
    Open {
        room: String,
        texts: mpsc::Sender<String>,
        /// Where the hub says which call it is.
        number: tokio::sync::oneshot::Sender<u64>,
    },
    /// It signals something.
    Text { call: u64, text: String },
    /// It is gone.
    Gone { call: u64 },
}

type Orders = mpsc::Sender<Order>;

/// The files of the page; they are part of the program.
const FILES: [(&str, &str, &str); 13] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("page/index.html"),
    ),
    ("/page.css", "text/css", include_str!("page/page.css")),
    ("/page.js", SCRIPT, include_str!("page/page.js")),
    ("/figures.js", SCRIPT, include_str!("page/figures.js")),
    ("/sentences.js", SCRIPT, include_str!("page/sentences.js")),
    ("/graph.js", SCRIPT, include_str!("page/graph.js")),
    ("/ortc.js", SCRIPT, include_str!("page/ortc.js")),
    ("/track.js", SCRIPT, include_str!("page/track.js")),
    ("/event.js", SCRIPT, include_str!("page/event.js")),
    ("/sdp.js", SCRIPT, include_str!("page/sdp.js")),
    ("/candidate.js", SCRIPT, include_str!("page/candidate.js")),
    ("/tones.js", SCRIPT, include_str!("page/tones.js")),
    (
        "/tones-worker.js",
        SCRIPT,
        include_str!("page/tones-worker.js"),
    ),
];
const SCRIPT: &str = "text/javascript";

/// Serves the page, from a folder if there is one, until the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    orders: Orders,
    folder: Option<PathBuf>,
) -> std::io::Result<()> {
    let mut router = Router::new().route("/signalling", get(signalling));
    for (path, kind, text) in FILES {
        let folder = folder.clone();
        let file = move || async move {
            let name = match path {
                "/" => "index.html",
                path => path.trim_start_matches('/'),
            };
            let edited = folder.and_then(|folder| std::fs::read_to_string(folder.join(name)).ok());
            let text = edited.map_or(Cow::Borrowed(text), Cow::Owned);
            ([(header::CONTENT_TYPE, kind)], text)
        };
        router = router.route(path, get(file));
    }
    axum::serve(listener, router.with_state(orders)).await
}

#[derive(Debug, Deserialize)]
struct Place {
    /// Pages with the same room see each other; without one a page is alone.
    #[serde(default)]
    room: String,
}

async fn signalling(
    upgrade: WebSocketUpgrade,
    Query(place): Query<Place>,
    State(orders): State<Orders>,
) -> Response {
    upgrade
        .max_message_size(MAX_TEXT)
        .on_upgrade(move |socket| converse(socket, place.room, orders))
        .into_response()
}

async fn converse(mut socket: WebSocket, room: String, orders: Orders) {
    let (texts, mut outgoing) = mpsc::channel(MAX_TEXTS);
    let (number, told) = tokio::sync::oneshot::channel();
    let open = Order::Open {
        room,
        texts,
        number,
    };
    if orders.send(open).await.is_err() {
        return;
    }
    let Ok(call) = told.await else {
        // The reason, if the page is still there to hear it.
        while let Ok(text) = outgoing.try_recv() {
            let _ = socket.send(Message::Text(text.into())).await;
        }
        // The page closes once it has read it; a close from here with input unread could overtake it.
        let read = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = tokio::time::timeout(PATIENCE, read).await;
        return;
    };
    let (mut to_page, mut from_page) = socket.split();
    loop {
        tokio::select! {
            text = outgoing.recv() => {
                let Some(text) = text else { break };
                if to_page.send(Message::Text(text.into())).await.is_err() {
                    break;
                }
            }
            message = from_page.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let text = text.to_string();
                    if orders.send(Order::Text { call, text }).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            }
        }
    }
    // A hub that is gone needs not be told.
    let _ = orders.send(Order::Gone { call }).await;
}
