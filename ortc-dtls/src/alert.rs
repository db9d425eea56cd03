//! Alerts (RFC 5246 §7.2, RFC 8446 §6), and which one each reason to close sends.

use core::fmt;

use crate::event::{CloseReason, ProtocolError};
use crate::wire::ParseError;

/// What an alert says.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlertDescription(pub u8);

macro_rules! alerts {
    ($($constant:ident = $value:literal, $text:literal;)*) => {
        impl AlertDescription {
            $(#[doc = concat!("`", $text, "`")] pub const $constant: Self = Self($value);)*
        }

        impl fmt::Display for AlertDescription {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$constant => f.write_str($text),)*
                    Self(value) => write!(f, "alert {value}"),
                }
            }
        }
    };
}

alerts! {
    CLOSE_NOTIFY = 0, "close_notify";
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    BAD_RECORD_MAC = 20, "bad_record_mac";
    RECORD_OVERFLOW = 22, "record_overflow";
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    BAD_CERTIFICATE = 42, "bad_certificate";
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    UNKNOWN_CA = 48, "unknown_ca";
    ACCESS_DENIED = 49, "access_denied";
    DECODE_ERROR = 50, "decode_error";
    DECRYPT_ERROR = 51, "decrypt_error";
    TOO_MANY_CIDS_REQUESTED = 52, "too_many_cids_requested";
    PROTOCOL_VERSION = 70, "protocol_version";
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    INTERNAL_ERROR = 80, "internal_error";
    USER_CANCELED = 90, "user_canceled";
    NO_RENEGOTIATION = 100, "no_renegotiation";
    MISSING_EXTENSION = 109, "missing_extension";
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    CERTIFICATE_REQUIRED = 116, "certificate_required";
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

impl fmt::Debug for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `AlertLevel`
const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// An alert on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    level: u8,
    pub(crate) description: AlertDescription,
}

impl Alert {
    /// The connection stays as it is (RFC 5246 §7.2.2).
    pub(crate) const NO_RENEGOTIATION: Self = Self {
        level: WARNING,
        description: AlertDescription::NO_RENEGOTIATION,
    };

    pub(crate) const fn parse(contents: &[u8]) -> Option<Self> {
        match *contents {
            [level @ (WARNING | FATAL), description] => Some(Self {
                level,
                description: AlertDescription(description),
            }),
            _ => None,
        }
    }

    pub(crate) const fn octets(self) -> [u8; 2] {
        [self.level, self.description.0]
    }

    pub(crate) const fn is_fatal(self) -> bool {
        self.level == FATAL
    }

    /// What the peer is told when the endpoint closes for this reason, if anything.
    pub(crate) const fn for_reason(reason: &CloseReason) -> Option<Self> {
        let description = match reason {
            CloseReason::Local | CloseReason::PeerClosed => {
                return Some(Self {
                    level: WARNING,
                    description: AlertDescription::CLOSE_NOTIFY,
                });
            }
            CloseReason::PeerAlert(_)
            | CloseReason::Timeout { .. }
            | CloseReason::Unacknowledged => return None,
            CloseReason::Protocol(error) => error.alert(),
            CloseReason::FingerprintMismatch => AlertDescription::BAD_CERTIFICATE,
            CloseReason::KeyLimit | CloseReason::Internal => AlertDescription::INTERNAL_ERROR,
        };
        Some(Self {
            level: FATAL,
            description,
        })
    }
}

impl CloseReason {
    /// The alert that tells the peer, unless there is nothing to tell.
    #[must_use]
    pub const fn alert(&self) -> Option<AlertDescription> {
        match Alert::for_reason(self) {
            Some(alert) => Some(alert.description),
            None => None,
        }
    }
}

impl ProtocolError {
    /// The alert that tells the peer.
    #[must_use]
    pub const fn alert(&self) -> AlertDescription {
        match self {
            // What does not fit the syntax, and what fits it and makes no sense (RFC 8446 §6).
            Self::Malformed(
                ParseError::Truncated(_) | ParseError::Trailing(_) | ParseError::Length(_),
            ) => AlertDescription::DECODE_ERROR,
            Self::Malformed(ParseError::Invalid(_) | ParseError::Duplicate(_))
            | Self::MessageTooLong(_)
            | Self::IllegalChoice(_)
            | Self::MisplacedExtension(_)
            | Self::SecondHello
            | Self::Downgrade
            | Self::KeyShare => AlertDescription::ILLEGAL_PARAMETER,
            Self::UnexpectedMessage(_) | Self::ContentType(_) | Self::KeyUpdates => {
                AlertDescription::UNEXPECTED_MESSAGE
            }
            Self::ConnectionIdRequests => AlertDescription::TOO_MANY_CIDS_REQUESTED,
            Self::MissingExtension(_) => AlertDescription::MISSING_EXTENSION,
            Self::CertificateRequired => AlertDescription::CERTIFICATE_REQUIRED,
            Self::ApplicationProtocol => AlertDescription::NO_APPLICATION_PROTOCOL,
            Self::Version => AlertDescription::PROTOCOL_VERSION,
            Self::NothingInCommon(_)
            | Self::NoExtendedMasterSecret
            | Self::Renegotiation
            | Self::NoCertificate => AlertDescription::HANDSHAKE_FAILURE,
            Self::Certificate(_) => AlertDescription::UNSUPPORTED_CERTIFICATE,
            Self::Signature | Self::Finished => AlertDescription::DECRYPT_ERROR,
            Self::UnsolicitedExtension(_) => AlertDescription::UNSUPPORTED_EXTENSION,
        }
    }
}
