//! `dimpl`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use ortc_dtls::Role;

use crate::{Keying, Side, Version};

/// An endpoint of `dimpl`; time stands still.
pub struct Dimpl {
    dtls: Dtls,
    buffer: Vec<u8>,
    connected: bool,
    keying: Option<Keying>,
    data: VecDeque<Vec<u8>>,
}

impl Dimpl {
    /// Begins with a certificate in DER and its key as PKCS #8.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        version: Version,
        certificate: DtlsCertificate,
        role: Role,
        now: Instant,
    ) -> Self {
        let mut dtls = match version {
            Version::DTLS13 => Dtls::new_13(config, certificate, now),
            _ => Dtls::new_12(config, certificate, now),
        };
        dtls.set_active(role == Role::Client);
        dtls.handle_timeout(now).unwrap();
        Self {
            dtls,
            buffer: vec![0; 2048],
            connected: false,
            keying: None,
            data: VecDeque::new(),
        }
    }
}

impl Side for Dimpl {
    fn receive(&mut self, datagram: &mut [u8]) {
        self.dtls.handle_packet(datagram).unwrap();
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        loop {
            match self.dtls.poll_output(&mut self.buffer) {
                Output::Packet(packet) => {
                    out.extend_from_slice(packet);
                    return true;
                }
                Output::Timeout(_) => return false,
                Output::Connected => self.connected = true,
                Output::KeyingMaterial(material, profile) => {
                    self.keying = Some(Keying {
                        profile: match profile {
                            SrtpProfile::AES128_CM_SHA1_80 => 1,
                            SrtpProfile::AEAD_AES_128_GCM => 7,
                            SrtpProfile::AEAD_AES_256_GCM => 8,
                            _ => panic!("an unknown profile"),
                        },
                        material: material.to_vec(),
                    });
                }
                Output::ApplicationData(data) => self.data.push_back(data.to_vec()),
                Output::BufferTooSmall { needed } => panic!("{needed} octets in a datagram"),
                _ => {}
            }
        }
    }

    fn is_connected(&self) -> bool {
        self.connected
    }

    fn keying(&mut self) -> Keying {
        self.keying.clone().unwrap()
    }

    fn send(&mut self, data: &[u8]) {
        self.dtls.send_application_data(data).unwrap();
    }

    fn take(&mut self, out: &mut Vec<u8>) -> bool {
        match self.data.pop_front() {
            Some(data) => {
                out.extend_from_slice(&data);
                true
            }
            None => false,
        }
    }
}
