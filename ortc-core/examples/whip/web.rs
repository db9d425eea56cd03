//! The HTTP side: endpoints, sessions, and who may ask from where.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, options};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::offer::Way;
use crate::options::Arguments;
use crate::refusal::Refusal;
use crate::session::Patched;

/// Orders that may wait for the hub; more wait at their sockets.
pub(crate) const MAX_ORDERS: usize = 256;
/// Octets of an offer; those of browsers have some ten thousand.
const MAX_OFFER: usize = 64 << 10;
/// Characters of what a client calls itself that are shown.
const MAX_AGENT: usize = 40;

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What is asked of the hub.
#[derive(Debug)]
pub(crate) enum Order {
    Open(Opening, Reply<Answered>),
    Patch {
        session: String,
        if_match: Option<String>,
        fragment: String,
        reply: Reply<Patched>,
    },
    End {
        session: String,
        reply: Reply<()>,
    },
    Show {
        reply: oneshot::Sender<String>,
    },
}

/// A session that is asked for.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) way: Way,
    pub(crate) room: String,
    pub(crate) offer: String,
    pub(crate) agent: String,
}

/// A session that was made.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) token: String,
    pub(crate) etag: String,
    pub(crate) answer: String,
}

#[derive(Clone)]
struct Server {
    orders: mpsc::Sender<Order>,
    token: Option<Arc<str>>,
    /// Values of Link that name STUN and TURN servers (RFC 9725 §4.6).
    links: Arc<[HeaderValue]>,
}

pub(crate) async fn serve(
    listener: TcpListener,
    orders: mpsc::Sender<Order>,
    arguments: &Arguments,
) -> std::io::Result<()> {
    let links = arguments.ice_servers.iter().filter_map(|server| {
        let link = format!("<{server}>; rel=\"ice-server\"");
        HeaderValue::try_from(link).ok()
    });
    let server = Server {
        orders,
        token: arguments.token.as_deref().map(Arc::from),
        links: links.collect(),
    };
    // A GET finds nothing to show and is no mistake (RFC 9725 §4.1).
    let endpoint = || options(endpoint_options).get(StatusCode::NO_CONTENT);
    let session = || {
        options(session_options)
            .get(StatusCode::NO_CONTENT)
            .patch(patch)
            .delete(end)
    };
    let router = Router::new()
        .route("/", get(show))
        .route("/whip/{room}", endpoint().post(publish))
        .route("/whep/{room}", endpoint().post(play))
        .route("/whip/{room}/{session}", session())
        .route("/whep/{room}/{session}", session())
        .layer(DefaultBodyLimit::max(MAX_OFFER))
        .layer(middleware::from_fn_with_state(server.clone(), admit))
        .layer(middleware::map_response(allow_origins))
        .with_state(server);
    axum::serve(listener, router).await
}

/// Asks for the bearer token (RFC 6750 §2.1), but not in what a browser asks before it asks.
async fn admit(State(server): State<Server>, request: Request, next: Next) -> Response {
    if let Some(token) = &server.token
        && request.method() != Method::OPTIONS
    {
        let shown = request.headers().get(header::AUTHORIZATION);
        let shown = shown.and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.split_once(' '));
        let bearer = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (shown, token) = (bearer.map(|(_, shown)| shown.trim()), token.as_bytes());
        if !shown.is_some_and(|shown| same(shown.as_bytes(), token)) {
            let text = "This needs the bearer token of the server.";
            return Refusal::new(StatusCode::UNAUTHORIZED, text).into_response();
        }
    }
    next.run(request).await
}

/// Compares in a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && differences == 0
}

/// Pages of any origin may ask: whoever must not needs a token.
async fn allow_origins(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let set = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "Location, ETag, Link, Retry-After",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, POST, PATCH, DELETE, OPTIONS",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, If-Match",
        ),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn endpoint_options(State(server): State<Server>) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCEPT_POST, HeaderValue::from_static(SDP));
    add_links(headers, &server);
    response
}

async fn session_options() -> Response {
    let accepted = HeaderValue::from_static(FRAGMENT);
    (StatusCode::OK, [(ACCEPT_PATCH, accepted)]).into_response()
}

fn add_links(headers: &mut HeaderMap, server: &Server) {
    for link in server.links.iter() {
        headers.append(header::LINK, link.clone());
    }
}

async fn show(State(server): State<Server>) -> Result<String, Refusal> {
    let (reply, told) = oneshot::channel();
    let order = Order::Show { reply };
    server
        .orders
        .send(order)
        .await
        .map_err(|_| Refusal::ending())?;
    told.await.map_err(|_| Refusal::ending())
}

async fn publish(
    State(server): State<Server>,
    Path(room): Path<String>,
    headers: HeaderMap,
    offer: Bytes,
) -> Result<Response, Refusal> {
    open(server, Way::Publish, room, &headers, &offer).await
}

async fn play(
    State(server): State<Server>,
    Path(room): Path<String>,
    headers: HeaderMap,
    offer: Bytes,
) -> Result<Response, Refusal> {
    open(server, Way::Play, room, &headers, &offer).await
}

async fn open(
    server: Server,
    way: Way,
    room: String,
    headers: &HeaderMap,
    offer: &[u8],
) -> Result<Response, Refusal> {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if room.len() > 64 || !room.chars().all(letter) {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "A room has up to 64 letters, digits, dots, hyphens and underscores.",
        ));
    }
    expect_type(headers, SDP)?;
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let base = match way {
        Way::Publish => format!("/whip/{room}"),
        Way::Play => format!("/whep/{room}"),
    };
    let opening = Opening {
        way,
        room,
        offer: text(offer)?,
        agent: agent.unwrap_or_default().chars().take(MAX_AGENT).collect(),
    };
    let answered = ask(&server, |reply| Order::Open(opening, reply)).await?;
    let location = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("{base}/{}", answered.token)),
        (header::ETAG, answered.etag),
    ];
    let mut response = (StatusCode::CREATED, location, answered.answer).into_response();
    add_links(response.headers_mut(), &server);
    Ok(response)
}

async fn patch(
    State(server): State<Server>,
    Path((_, session)): Path<(String, String)>,
    headers: HeaderMap,
    fragment: Bytes,
) -> Result<Response, Refusal> {
    expect_type(&headers, FRAGMENT)?;
    let if_match = headers.get(header::IF_MATCH);
    let if_match = if_match.and_then(|value| value.to_str().ok());
    let (if_match, fragment) = (if_match.map(str::to_owned), text(&fragment)?);
    let patched = ask(&server, |reply| Order::Patch {
        session,
        if_match,
        fragment,
        reply,
    });
    Ok(match patched.await? {
        Patched::Trickled => StatusCode::NO_CONTENT.into_response(),
        Patched::Restarted { etag, fragment } => {
            let headers = [
                (header::CONTENT_TYPE, FRAGMENT.to_owned()),
                (header::ETAG, etag),
            ];
            (StatusCode::OK, headers, fragment).into_response()
        }
    })
}

async fn end(
    State(server): State<Server>,
    Path((_, session)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    ask(&server, |reply| Order::End { session, reply }).await?;
    Ok(StatusCode::OK)
}

/// Hands an order to the hub and waits for what becomes of it.
async fn ask<T>(server: &Server, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Refusal> {
    let (reply, told) = oneshot::channel();
    let sent = server.orders.send(order(reply)).await;
    sent.map_err(|_| Refusal::ending())?;
    told.await.unwrap_or_else(|_| Err(Refusal::ending()))
}

fn expect_type(headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
    let shown = headers.get(header::CONTENT_TYPE);
    let shown = shown
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = shown.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("The body should be {expected}."),
    ))
}

fn text(body: &[u8]) -> Result<String, Refusal> {
    let text = core::str::from_utf8(body);
    let text = text.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "The body is not UTF-8."))?;
    Ok(text.to_owned())
}
