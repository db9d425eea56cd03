//! The cookie: what a server would have to remember, and a MAC over this, over the client's
//! address and over what the client must say again.
//!
//! | octets | what |
//! |---|---|
//! | 8 | milliseconds from the gate's beginning to the cookie's |
//! | 2, 2, 1 | DTLS 1.3: the suite, the group, and whether its share was there |
//! | 32 or 48 | DTLS 1.3: the hash of the first ClientHello |
//! | 24 | the start of HMAC-SHA256 |

use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::crypto::{CryptoError, Hash, HmacKey, Provider};
use crate::v13::server::{RetryRequest, lasting};
use crate::v13::{Suite, Transcript};
use crate::wire::hello::ClientHello;
use crate::wire::{CipherSuite, NamedGroup, ProtocolVersion, Reader, writer};

/// Octets of the MAC. With the time, the cookie of DTLS 1.2 has the 32 octets that any client
/// takes (RFC 6347 §4.2.1).
const TAG: usize = 24;
const TIME: usize = 8;

/// Octets of the longest cookie.
pub(super) const MAX_COOKIE: usize = TIME + 5 + 48 + TAG;

/// What a cookie vouches for, besides its own contents.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) peer: &'a [u8],
    pub(crate) hello: &'a ClientHello<'a>,
}

/// What a cookie of DTLS 1.3 must say.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) request: RetryRequest,
    /// The body of the first ClientHello.
    pub(super) first: &'a [u8],
}

/// Makes cookies and knows them again.
pub(crate) struct Cookies {
    provider: Arc<dyn Provider>,
    lifetime: Duration,
    origin: Instant,
    now: Instant,
    key: Box<dyn HmacKey>,
    /// Since when there is this key, from the origin.
    since: Duration,
    previous: Option<Box<dyn HmacKey>>,
    /// What the MAC covers, and the cookie that was made last.
    scratch: Vec<u8>,
    cookie: Vec<u8>,
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

impl Cookies {
    pub(crate) fn new(
        provider: Arc<dyn Provider>,
        lifetime: Duration,
        now: Instant,
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            key: draw(&*provider)?,
            provider,
            lifetime,
            origin: now,
            now,
            since: Duration::ZERO,
            previous: None,
            scratch: Vec::with_capacity(2048),
            cookie: Vec::with_capacity(MAX_COOKIE),
        })
    }

    pub(super) const fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    /// A secret makes cookies for one lifetime and knows them for another.
    pub(super) fn observe(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let age = self.age();
        if age.saturating_sub(self.since) < self.lifetime {
            return;
        }
        if self.rotate().is_err() {
            tracing::warn!("the generator failed: the secret is to be changed at the next call");
        }
    }

    /// Changes the secret; a generator that fails leaves it as it is.
    pub(super) fn rotate(&mut self) -> Result<(), CryptoError> {
        let key = draw(&*self.provider)?;
        self.previous = Some(core::mem::replace(&mut self.key, key));
        self.since = self.age();
        Ok(())
    }

    /// The latest instant seen.
    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    fn age(&self) -> Duration {
        self.now.saturating_duration_since(self.origin)
    }

    pub(crate) fn issue12(&mut self, claim: &Claim<'_>) -> &[u8] {
        self.issue(claim, None)
    }

    pub(super) fn issue(&mut self, claim: &Claim<'_>, request: Option<&Request<'_>>) -> &[u8] {
        let millis = u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX);
        self.cookie.clear();
        self.cookie.extend_from_slice(&millis.to_be_bytes());
        let mut had_share = None;
        if let Some(Request { request, first }) = request {
            had_share = Some(request.had_share);
            writer::u16(&mut self.cookie, request.suite.id.0);
            writer::u16(&mut self.cookie, request.group.0);
            self.cookie.push(request.had_share.into());
            let hash = Transcript::hash_hello(&*self.provider, request.suite.hash, first);
            self.cookie.extend_from_slice(hash.as_ref());
        }
        cover(&mut self.scratch, claim, had_share, &self.cookie);
        let mac = self.key.sign(&[&self.scratch]);
        self.cookie
            .extend_from_slice(mac.as_ref().get(..TAG).unwrap_or_default());
        &self.cookie
    }

    pub(crate) fn verify12(&mut self, claim: &Claim<'_>, cookie: &[u8]) -> bool {
        cookie.len() == TIME + TAG && self.verify(claim, None, cookie).is_some()
    }

    /// What was asked for, and the hash of the first ClientHello.
    pub(super) fn verify13<'a>(
        &mut self,
        claim: &Claim<'_>,
        cookie: &'a [u8],
    ) -> Option<(RetryRequest, &'a [u8])> {
        let mut reader = Reader::new(cookie, "cookie");
        reader.take(TIME).ok()?;
        let suite = Suite::find(CipherSuite(reader.u16().ok()?))?;
        let group = NamedGroup(reader.u16().ok()?);
        let had_share = match reader.u8().ok()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let first = reader.take(suite.hash.output_len()).ok()?;
        reader.take(TAG).ok()?;
        reader.finish().ok()?;
        self.verify(claim, Some(had_share), cookie)?;
        let request = RetryRequest {
            suite,
            group,
            had_share,
        };
        Some((request, first))
    }

    fn verify(&mut self, claim: &Claim<'_>, had_share: Option<bool>, cookie: &[u8]) -> Option<()> {
        let (contents, tag) = cookie.split_last_chunk::<TAG>()?;
        let issued = Duration::from_millis(u64::from_be_bytes(*contents.first_chunk()?));
        let age = self.age();
        // A time to come is nobody's who could sign it.
        if age.checked_sub(issued)? > self.lifetime {
            return None;
        }
        // The cookie has whole milliseconds, the change of the secret has not.
        let since = Duration::from_millis(u64::try_from(self.since.as_millis()).ok()?);
        cover(&mut self.scratch, claim, had_share, contents);
        let fits = |key: &dyn HmacKey| {
            let mac = key.sign(&[&self.scratch]);
            let expected = mac.as_ref().get(..TAG).unwrap_or_default();
            bool::from(expected.ct_eq(tag))
        };
        let known = (issued >= since && fits(&*self.key))
            || (issued <= since && self.previous.as_deref().is_some_and(fits));
        known.then_some(())
    }
}

fn draw(provider: &dyn Provider) -> Result<Box<dyn HmacKey>, CryptoError> {
    let mut secret = Zeroizing::new([0; 32]);
    provider.random(&mut *secret)?;
    Ok(provider.hmac(Hash::Sha256, &*secret))
}

/// Everything that the MAC covers, each part behind its length. `had_share` is of DTLS 1.3, where
/// all of the hello is repeated but for a share that was asked for; in DTLS 1.2 it is what RFC 6347
/// §4.2.1 names.
fn cover(out: &mut Vec<u8>, claim: &Claim<'_>, had_share: Option<bool>, contents: &[u8]) {
    out.clear();
    let mut part = |octets: &[u8]| {
        out.extend_from_slice(&(octets.len() as u64).to_be_bytes());
        out.extend_from_slice(octets);
    };
    let hello = claim.hello;
    part(claim.peer);
    part(contents);
    part(&hello.legacy_version.0.to_be_bytes());
    part(hello.random);
    part(hello.session_id);
    part(hello.compression_methods);
    part(hello.cipher_suite_octets());
    let Some(had_share) = had_share else {
        part(&ProtocolVersion::DTLS12.0.to_be_bytes());
        return;
    };
    part(&ProtocolVersion::DTLS13.0.to_be_bytes());
    for (kind, data) in lasting(hello, had_share) {
        part(&kind.0.to_be_bytes());
        part(data);
    }
}
