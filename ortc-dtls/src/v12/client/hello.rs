//! ClientHello out; HelloVerifyRequest or ServerHello in (RFC 6347 §4.2.1, RFC 5246 §7.4.1).

use super::State;
use super::server_flight::AwaitCertificate;
use crate::config::Config;
use crate::context::Context;
use crate::event::{CloseReason, ProtocolError};
use crate::flight::Await;
use crate::reassembly::Message;
use crate::transcript::Transcript;
use crate::v12::{SCHEMES, Session, Suite, unexpected};
use crate::wire::hello::{ServerHello, parse_hello_verify_request};
use crate::wire::{ExtensionType, HandshakeType, ProtocolVersion, writer};

/// Whether the server has asked for a cookie; it may once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cookie {
    NotAsked,
    Sent,
}

#[derive(Debug)]
pub(crate) struct AwaitServerHello {
    random: [u8; 32],
    transcript: Transcript,
    cookie: Cookie,
}

impl AwaitServerHello {
    pub(super) fn start(cx: &mut Context) -> Result<Self, CloseReason> {
        let mut random = [0; 32];
        cx.config.provider.random(&mut random)?;
        let mut state = Self {
            random,
            transcript: Transcript::default(),
            cookie: Cookie::NotAsked,
        };
        state.send(cx, &[], None);
        Ok(state)
    }

    fn send(&mut self, cx: &mut Context, cookie: &[u8], answers: Option<u16>) {
        let (random, config) = (&self.random, &cx.config);
        cx.flight.begin(answers);
        let hello = cx.flight.message(HandshakeType::CLIENT_HELLO, 0, |out| {
            encode(out, random, cookie, config);
        });
        self.transcript.add(hello);
        cx.flight.launch(Await::Answer, cx.now);
    }

    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<State, CloseReason> {
        match message.kind {
            HandshakeType::HELLO_VERIFY_REQUEST if self.cookie == Cookie::NotAsked => {
                let cookie = parse_hello_verify_request(&message.body)?;
                self.cookie = Cookie::Sent;
                // The same hello again but for the cookie; neither it nor the request count.
                self.transcript.reset();
                self.send(cx, cookie, Some(message.message_seq));
                Ok(State::ServerHello(self))
            }
            HandshakeType::SERVER_HELLO => {
                let session = self.accept(&message.body, cx)?;
                self.transcript.add_received(message);
                self.transcript
                    .start_hash(&*cx.config.provider, session.suite.hash);
                cx.outbound.set_version(ProtocolVersion::DTLS12);
                Ok(State::Certificate(AwaitCertificate {
                    session,
                    transcript: self.transcript,
                }))
            }
            _ => Err(unexpected(message)),
        }
    }

    fn accept(&self, body: &[u8], cx: &Context) -> Result<Session, CloseReason> {
        let hello = ServerHello::parse(body)?;
        let config = &cx.config;
        if hello.version != ProtocolVersion::DTLS12 {
            return Err(ProtocolError::Version.into());
        }
        let suite = Suite::find(hello.cipher_suite)
            .filter(|suite| config.cipher_suites.contains(&suite.id))
            .ok_or(ProtocolError::IllegalChoice("cipher suite"))?;
        for (kind, _) in hello.extensions.iter() {
            if !is_offered(kind, config) {
                return Err(ProtocolError::UnsolicitedExtension(kind).into());
            }
        }
        // RFC 7627 §5.2
        match hello.extensions.get(ExtensionType::EXTENDED_MASTER_SECRET) {
            Some([]) => {}
            Some(_) | None => return Err(ProtocolError::NoExtendedMasterSecret.into()),
        }
        if !hello.extensions.renegotiation_is_initial() {
            return Err(ProtocolError::Renegotiation.into());
        }
        if !hello.extensions.has_uncompressed_points()? {
            return Err(ProtocolError::IllegalChoice("point format").into());
        }
        let mut srtp_profile = None;
        if let Some(use_srtp) = hello.extensions.use_srtp()? {
            let mut profiles = use_srtp.profiles();
            srtp_profile = profiles
                .next()
                .filter(|profile| config.srtp_profiles.contains(profile));
            // Exactly one, out of ours, and the MKI that we sent: none (RFC 5764 §4.1.1, §4.1.3).
            if srtp_profile.is_none() || profiles.next().is_some() || !use_srtp.mki().is_empty() {
                return Err(ProtocolError::IllegalChoice("SRTP profile").into());
            }
        }
        Ok(Session {
            suite,
            client_random: self.random,
            server_random: *hello.random,
            srtp_profile,
        })
    }
}

fn is_offered(kind: ExtensionType, config: &Config) -> bool {
    match kind {
        ExtensionType::SUPPORTED_GROUPS
        | ExtensionType::EC_POINT_FORMATS
        | ExtensionType::SIGNATURE_ALGORITHMS
        | ExtensionType::EXTENDED_MASTER_SECRET
        | ExtensionType::RENEGOTIATION_INFO => true,
        ExtensionType::USE_SRTP => !config.srtp_profiles.is_empty(),
        _ => false,
    }
}

fn encode(out: &mut Vec<u8>, random: &[u8; 32], cookie: &[u8], config: &Config) {
    writer::u16(out, ProtocolVersion::DTLS12.0);
    out.extend_from_slice(random);
    writer::vector8(out, |_| ()); // session_id
    writer::vector8(out, |out| out.extend_from_slice(cookie));
    writer::vector16(out, |out| {
        for suite in &config.cipher_suites {
            writer::u16(out, suite.0);
        }
    });
    writer::vector8(out, |out| out.push(0)); // null compression
    writer::vector16(out, |out| {
        extension(out, ExtensionType::RENEGOTIATION_INFO, |out| out.push(0));
        extension(out, ExtensionType::EXTENDED_MASTER_SECRET, |_| ());
        extension(out, ExtensionType::SUPPORTED_GROUPS, |out| {
            writer::vector16(out, |out| {
                for group in &config.groups {
                    writer::u16(out, group.0);
                }
            });
        });
        extension(out, ExtensionType::EC_POINT_FORMATS, |out| {
            writer::vector8(out, |out| out.push(0)); // uncompressed
        });
        extension(out, ExtensionType::SIGNATURE_ALGORITHMS, |out| {
            writer::vector16(out, |out| {
                for scheme in SCHEMES {
                    writer::u16(out, scheme.0);
                }
            });
        });
        if !config.srtp_profiles.is_empty() {
            extension(out, ExtensionType::USE_SRTP, |out| {
                writer::vector16(out, |out| {
                    for &profile in &config.srtp_profiles {
                        writer::u16(out, profile);
                    }
                });
                writer::vector8(out, |_| ()); // MKI
            });
        }
    });
}

fn extension(out: &mut Vec<u8>, kind: ExtensionType, body: impl FnOnce(&mut Vec<u8>)) {
    writer::u16(out, kind.0);
    writer::vector16(out, body);
}
