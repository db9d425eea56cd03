//! Every name of the draft, spelled as there.

pub(crate) mod capabilities;
pub(crate) mod codec;
pub(crate) mod connection;
pub(crate) mod description;
pub(crate) mod dtls_parameters;
mod dtmf_handler;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod ice_server;
pub(crate) mod options;
pub(crate) mod side;
pub(crate) mod socket;
pub(crate) mod stream;
pub(crate) mod track;

pub use capabilities::{RTCCapabilities, get_rtc_capabilities, get_rtc_codec};
pub use codec::{RTCCodec, RTCCodecParam};
pub use connection::{Autostart, DtmfContainer, Forwarded, RTCConnection, RTCTrackFilter};
pub use description::{
    RTCIceCandidateDescription, RTCMediaAttributes, RTCRtxDescription, RTCTrackDescription,
    RtpExtHeaders,
};
pub use dtls_parameters::RTCDtlsParameters;
pub use dtmf_handler::RTCDTMFHandler;
pub use error::{ConnectionError, DescriptionError, DtlsError, SendError};
pub use event::{
    ActivePair, DisconnectReason, Event, Frame, ReceiveMode, ReceivedFrame, ReceivedGap,
    ReceivedRtp, ResolveQuery, RtpToSend, TapDirection, TapPacket, Timeout, Timer, UnknownTrack,
};
pub use ice_server::RTCIceServer;
pub use options::{
    DEFAULT_MTU, DescriptionForm, DtlsRole, LocalCandidates, RTCConnectionOptions, RtcpForm,
};
pub use side::{
    CertificateFingerprint, RTCConnectionSide, RTCDtlsConnectionInfo, RTCIceConnectionInfo,
};
pub use socket::{
    ConnectionId, MAX_CONNECTIONS, MAX_HELD_CHECKS, Pending, RTCSocket, Route, SharedSocket,
    SocketCandidates, SocketError, SocketEvent, SocketOptions, SocketUpdate,
};
pub use stream::{MediaKind, MediaStream, MediaStreamTrack};
pub use track::RTCTrack;
