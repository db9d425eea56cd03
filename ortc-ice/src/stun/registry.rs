//! The numbers that long-term credentials and TURN use, and which of them a client understands.

use super::{AttributeType, Method};

impl Method {
    /// Allocate (RFC 8656 §17).
    pub const ALLOCATE: Self = Self::of(0x003);
    /// Refresh (RFC 8656 §17).
    pub const REFRESH: Self = Self::of(0x004);
    /// Send (RFC 8656 §17), an indication.
    pub const SEND: Self = Self::of(0x006);
    /// Data (RFC 8656 §17), an indication.
    pub const DATA: Self = Self::of(0x007);
    /// `CreatePermission` (RFC 8656 §17).
    pub const CREATE_PERMISSION: Self = Self::of(0x008);
    /// `ChannelBind` (RFC 8656 §17).
    pub const CHANNEL_BIND: Self = Self::of(0x009);
    /// Connect (RFC 6062 §6.1).
    pub const CONNECT: Self = Self::of(0x00A);
    /// `ConnectionBind` (RFC 6062 §6.1).
    pub const CONNECTION_BIND: Self = Self::of(0x00B);
    /// `ConnectionAttempt` (RFC 6062 §6.1), an indication.
    pub const CONNECTION_ATTEMPT: Self = Self::of(0x00C);

    const fn of(number: u16) -> Self {
        match Self::new(number) {
            Some(method) => method,
            None => Self::BINDING, // unreachable: the numbers above are 12 bits
        }
    }
}

impl AttributeType {
    /// CHANNEL-NUMBER (RFC 8656 §18.1).
    pub const CHANNEL_NUMBER: Self = Self(0x000C);
    /// LIFETIME (RFC 8656 §18.2).
    pub const LIFETIME: Self = Self(0x000D);
    /// XOR-PEER-ADDRESS (RFC 8656 §18.3).
    pub const XOR_PEER_ADDRESS: Self = Self(0x0012);
    /// DATA (RFC 8656 §18.4).
    pub const DATA: Self = Self(0x0013);
    /// XOR-RELAYED-ADDRESS (RFC 8656 §18.5).
    pub const XOR_RELAYED_ADDRESS: Self = Self(0x0016);
    /// REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
    pub const REQUESTED_ADDRESS_FAMILY: Self = Self(0x0017);
    /// EVEN-PORT (RFC 8656 §18.7).
    pub const EVEN_PORT: Self = Self(0x0018);
    /// REQUESTED-TRANSPORT (RFC 8656 §18.8).
    pub const REQUESTED_TRANSPORT: Self = Self(0x0019);
    /// DONT-FRAGMENT (RFC 8656 §18.9).
    pub const DONT_FRAGMENT: Self = Self(0x001A);
    /// RESERVATION-TOKEN (RFC 8656 §18.10).
    pub const RESERVATION_TOKEN: Self = Self(0x0022);
    /// CONNECTION-ID (RFC 6062 §6.2.1).
    pub const CONNECTION_ID: Self = Self(0x002A);
    /// ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §18.11).
    pub const ADDITIONAL_ADDRESS_FAMILY: Self = Self(0x8000);
    /// ADDRESS-ERROR-CODE (RFC 8656 §18.12).
    pub const ADDRESS_ERROR_CODE: Self = Self(0x8001);
    /// PASSWORD-ALGORITHMS (RFC 8489 §14.11).
    pub const PASSWORD_ALGORITHMS: Self = Self(0x8002);
    /// ALTERNATE-DOMAIN (RFC 8489 §14.16).
    pub const ALTERNATE_DOMAIN: Self = Self(0x8003);
    /// ICMP (RFC 8656 §18.13).
    pub const ICMP: Self = Self(0x8004);
    /// ALTERNATE-SERVER (RFC 8489 §14.15).
    pub const ALTERNATE_SERVER: Self = Self(0x8023);
    /// MOBILITY-TICKET (RFC 8016 §4.1).
    pub const MOBILITY_TICKET: Self = Self(0x8030);

    /// Whether a TURN client understands it: all of RFC 8489, 8656 and 6062.
    pub(crate) const fn is_known_to_turn(self) -> bool {
        self.is_known()
            || matches!(
                self,
                Self::CHANNEL_NUMBER
                    | Self::LIFETIME
                    | Self::XOR_PEER_ADDRESS
                    | Self::DATA
                    | Self::XOR_RELAYED_ADDRESS
                    | Self::REQUESTED_ADDRESS_FAMILY
                    | Self::EVEN_PORT
                    | Self::REQUESTED_TRANSPORT
                    | Self::DONT_FRAGMENT
                    | Self::RESERVATION_TOKEN
                    | Self::CONNECTION_ID
            )
    }
}
