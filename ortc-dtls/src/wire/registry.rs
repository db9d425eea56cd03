//! The numbers of the TLS registries: integer newtypes, so that unknown values survive.

use core::fmt;

macro_rules! registry {
    ($(#[$doc:meta])* $name:ident($int:ty, $width:literal) { $($(#[$vdoc:meta])* $constant:ident = $value:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$vdoc])* pub const $constant: Self = Self($value);)*
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$constant => f.write_str($text),)*
                    Self(value) => write!(f, concat!("{:#0", $width, "x}"), value),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

registry! {
    /// What a record carries (RFC 5246 §6.2.1).
    ContentType(u8, 4) {
        /// Start of encryption in TLS 1.2; carries no information in DTLS.
        CHANGE_CIPHER_SPEC = 20, "change_cipher_spec";
        /// Closure or error.
        ALERT = 21, "alert";
        /// Handshake messages.
        HANDSHAKE = 22, "handshake";
        /// What the application sends.
        APPLICATION_DATA = 23, "application_data";
        /// A protected record of DTLS 1.2 that has a connection id; its real type is inside
        /// (RFC 9146 §4).
        TLS12_CID = 25, "tls12_cid";
        /// Which handshake records came (RFC 9147 §7).
        ACK = 26, "ack";
    }
}

registry! {
    /// The version field of records and hellos: ones' complement of the version (RFC 6347 §4.1).
    ProtocolVersion(u16, 6) {
        /// DTLS 1.0; only ever seen on the records of a first ClientHello.
        DTLS10 = 0xfeff, "DTLS 1.0";
        /// DTLS 1.2.
        DTLS12 = 0xfefd, "DTLS 1.2";
        /// DTLS 1.3; on the wire in supported_versions only.
        DTLS13 = 0xfefc, "DTLS 1.3";
    }
}

registry! {
    /// The kind of a handshake message (RFC 5246 §7.4, RFC 6347 §4.3.2).
    HandshakeType(u8, 4) {
        /// Asks for a renegotiation; always ignored.
        HELLO_REQUEST = 0, "hello_request";
        /// First message of the client.
        CLIENT_HELLO = 1, "client_hello";
        /// The server's choices.
        SERVER_HELLO = 2, "server_hello";
        /// The server's cookie.
        HELLO_VERIFY_REQUEST = 3, "hello_verify_request";
        /// What a session could be resumed with (RFC 8446 §4.6.1); never used.
        NEW_SESSION_TICKET = 4, "new_session_ticket";
        /// The server's answers that need no plaintext (RFC 8446 §4.3.1).
        ENCRYPTED_EXTENSIONS = 8, "encrypted_extensions";
        /// Asks for connection ids (RFC 9147 §9).
        REQUEST_CONNECTION_ID = 9, "request_connection_id";
        /// Brings connection ids (RFC 9147 §9).
        NEW_CONNECTION_ID = 10, "new_connection_id";
        /// A certificate chain.
        CERTIFICATE = 11, "certificate";
        /// The server's key share, signed.
        SERVER_KEY_EXCHANGE = 12, "server_key_exchange";
        /// The server wants a client certificate.
        CERTIFICATE_REQUEST = 13, "certificate_request";
        /// End of the server's flight.
        SERVER_HELLO_DONE = 14, "server_hello_done";
        /// Proof of the private key.
        CERTIFICATE_VERIFY = 15, "certificate_verify";
        /// The client's key share.
        CLIENT_KEY_EXCHANGE = 16, "client_key_exchange";
        /// Proof of the whole handshake.
        FINISHED = 20, "finished";
        /// The sender changes its keys (RFC 8446 §4.6.3).
        KEY_UPDATE = 24, "key_update";
        /// Stands for the first ClientHello in a transcript (RFC 8446 §4.4.1).
        MESSAGE_HASH = 254, "message_hash";
    }
}

registry! {
    /// A hello extension.
    ExtensionType(u16, 6) {
        /// RFC 8422 §5.1.1.
        SUPPORTED_GROUPS = 10, "supported_groups";
        /// RFC 8422 §5.1.2.
        EC_POINT_FORMATS = 11, "ec_point_formats";
        /// RFC 5246 §7.4.1.4.1.
        SIGNATURE_ALGORITHMS = 13, "signature_algorithms";
        /// RFC 5764 §4.1.1.
        USE_SRTP = 14, "use_srtp";
        /// RFC 7301 §3.1.
        ALPN = 16, "application_layer_protocol_negotiation";
        /// RFC 7685 §3.
        PADDING = 21, "padding";
        /// RFC 7627 §5.1.
        EXTENDED_MASTER_SECRET = 23, "extended_master_secret";
        /// RFC 8449 §4.
        RECORD_SIZE_LIMIT = 28, "record_size_limit";
        /// RFC 8446 §4.2.11.
        PRE_SHARED_KEY = 41, "pre_shared_key";
        /// RFC 8446 §4.2.10.
        EARLY_DATA = 42, "early_data";
        /// RFC 8446 §4.2.1.
        SUPPORTED_VERSIONS = 43, "supported_versions";
        /// RFC 8446 §4.2.2.
        COOKIE = 44, "cookie";
        /// RFC 8446 §4.2.9.
        PSK_KEY_EXCHANGE_MODES = 45, "psk_key_exchange_modes";
        /// RFC 8446 §4.2.8.
        KEY_SHARE = 51, "key_share";
        /// RFC 9146 §3.
        CONNECTION_ID = 54, "connection_id";
        /// RFC 5746 §3.2.
        RENEGOTIATION_INFO = 0xff01, "renegotiation_info";
    }
}

registry! {
    /// A group for key exchange (RFC 8422 §5.1.1).
    NamedGroup(u16, 6) {
        /// NIST P-256.
        SECP256R1 = 0x0017, "secp256r1";
        /// NIST P-384.
        SECP384R1 = 0x0018, "secp384r1";
        /// Curve25519 (RFC 7748).
        X25519 = 0x001d, "x25519";
        /// ML-KEM-768 and X25519 together (draft-ietf-tls-ecdhe-mlkem); DTLS 1.3 only.
        X25519MLKEM768 = 0x11ec, "X25519MLKEM768";
    }
}

registry! {
    /// A signature algorithm (RFC 8446 §4.2.3; the same numbers as the pairs of RFC 5246).
    SignatureScheme(u16, 6) {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        RSA_PKCS1_SHA256 = 0x0401, "rsa_pkcs1_sha256";
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        RSA_PKCS1_SHA384 = 0x0501, "rsa_pkcs1_sha384";
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        RSA_PKCS1_SHA512 = 0x0601, "rsa_pkcs1_sha512";
        /// ECDSA with SHA-256.
        ECDSA_SHA256 = 0x0403, "ecdsa_secp256r1_sha256";
        /// ECDSA with SHA-384.
        ECDSA_SHA384 = 0x0503, "ecdsa_secp384r1_sha384";
        /// Ed25519 (RFC 8032).
        ED25519 = 0x0807, "ed25519";
        /// RSASSA-PSS with SHA-256 and an rsaEncryption key.
        RSA_PSS_SHA256 = 0x0804, "rsa_pss_rsae_sha256";
        /// RSASSA-PSS with SHA-384 and an rsaEncryption key.
        RSA_PSS_SHA384 = 0x0805, "rsa_pss_rsae_sha384";
        /// RSASSA-PSS with SHA-512 and an rsaEncryption key.
        RSA_PSS_SHA512 = 0x0806, "rsa_pss_rsae_sha512";
    }
}

registry! {
    /// A cipher suite; `Display` is its IANA name.
    CipherSuite(u16, 6) {
        /// RFC 8446 §B.4; DTLS 1.3.
        AES_128_GCM_SHA256 = 0x1301, "TLS_AES_128_GCM_SHA256";
        /// RFC 8446 §B.4; DTLS 1.3.
        AES_256_GCM_SHA384 = 0x1302, "TLS_AES_256_GCM_SHA384";
        /// RFC 8446 §B.4; DTLS 1.3.
        CHACHA20_POLY1305_SHA256 = 0x1303, "TLS_CHACHA20_POLY1305_SHA256";
        /// RFC 5289; the one that RFC 8827 §6.5 makes mandatory.
        ECDHE_ECDSA_AES_128_GCM = 0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
        /// RFC 5289.
        ECDHE_ECDSA_AES_256_GCM = 0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
        /// RFC 7905.
        ECDHE_ECDSA_CHACHA20_POLY1305 = 0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
        /// RFC 5289.
        ECDHE_RSA_AES_128_GCM = 0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
        /// RFC 5289.
        ECDHE_RSA_AES_256_GCM = 0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        /// RFC 7905.
        ECDHE_RSA_CHACHA20_POLY1305 = 0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
        /// Not a suite: the client says that it knows secure renegotiation (RFC 5746 §3.3).
        EMPTY_RENEGOTIATION_INFO = 0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
    }
}
