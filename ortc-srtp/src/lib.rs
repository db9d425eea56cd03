//! SRTP and SRTCP transforms that work in place: RFC 3711, 7714.
//!
//! A pure transform for whoever has keys and packets: a WebRTC stack after its DTLS handshake, a
//! SIP proxy, a recorder, a load generator. No sockets, no clock, no threads and nothing from the
//! rest of the workspace. A [`Sender`] and a [`Receiver`] each hold one direction's keys, expanded
//! once, and the state of each SSRC: rollover counter, replay window, SRTCP index.
//!
//! ```
//! use ortc_srtp::{MasterKey, Profile, Receiver, Sender, UnprotectError};
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! // Both sides have these from the handshake: RFC 5764 §4.2, one key and salt a direction.
//! let profile = Profile::from_id(0x0007).ok_or("not negotiated")?;
//! let (key, salt) = ([0x11; 16], [0x22; 12]);
//! let master = MasterKey::new(profile, &key, &salt)?;
//!
//! // Eight random octets each in production: they key the table of SSRCs.
//! let mut sender = Sender::new(&master, [0; 8]);
//! let mut receiver = Receiver::new(&master, [0; 8]);
//!
//! // One buffer for every packet: header and payload are written, then protected in place.
//! let mut buf = Vec::with_capacity(1500);
//! for seq in 1..=3_u16 {
//!     buf.clear();
//!     buf.extend_from_slice(&[0x80, 96]);
//!     buf.extend_from_slice(&seq.to_be_bytes());
//!     buf.extend_from_slice(&[0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef]);
//!     buf.extend_from_slice(b"payload");
//!     sender.protect_rtp(&mut buf, 0)?;
//!
//!     // The other side: the datagram as it arrived, decrypted where it lies.
//!     let mut replay = buf.clone();
//!     let len = receiver.unprotect_rtp(&mut buf)?;
//!     assert!(buf[..len].ends_with(b"payload"));
//!
//!     // Whatever is refused is counted and dropped; nothing else has happened.
//!     let refused = receiver.unprotect_rtp(&mut replay);
//!     assert_eq!(refused, Err(UnprotectError::Replay));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Standards
//!
//! | RFC | What | Where this crate differs |
//! |---|---|---|
//! | 3711 | SRTP and SRTCP: AES-CM, HMAC-SHA1, replay protection, key derivation | No AES-f8, no null cipher, no MKI: DTLS-SRTP does not negotiate them. Key derivation rate 0. A sender always encrypts SRTCP; a receiver takes it unencrypted and authenticated (E = 0). The sender also refuses what would use a nonce twice. In the first round of the rollover counter, where §3.3.1 would estimate an index below zero, the receiver takes the sequence number for a jump ahead |
//! | 5764 | The profiles 0x0001, 0x0002 and their code points | Not the null profiles. `maximum_lifetime` is that of RFC 3711 §9.2: 2^48 RTP and 2^31 RTCP packets |
//! | 6188 | AES-256 counter mode in the key derivation of `AEAD_AES_256_GCM` | As a cipher it is in no DTLS-SRTP profile |
//! | 7714 | AES-GCM: the profiles 0x0007, 0x0008 | Tag and decryption are computed in one pass (§5.3 asks for one after the other); what fails is overwritten before anybody sees it |
//!
//! # Secrets
//!
//! Master and session keys, AES-CM round keys, HMAC states and salts are zeroized on drop and not
//! shown by `Debug`. The AES-GCM keys are in ring's hands, which does not zeroize them. Tags are
//! compared in constant time.
//!
//! # Cost
//!
//! Per packet: one pass of the cipher, one of the hash, a look-up that for the SSRC of the packet
//! before is one comparison, and no allocation. `benches/protect.rs` runs the bare primitives on
//! the same octets beside it. AES-GCM is several times cheaper than AES-CM with HMAC-SHA1, whose
//! hash cannot be computed faster than block after block: prefer it when negotiating.

mod cipher;
mod error;
mod history;
mod index;
mod kdf;
mod keys;
mod profile;
mod receiver;
mod replay;
mod rtcp;
mod rtp;
mod sender;
mod sources;

pub use error::{KeyError, ProtectError, UnprotectError};
pub use keys::{MasterKey, SessionKey, SessionKeys};
pub use profile::Profile;
pub use receiver::Receiver;
pub use sender::Sender;
