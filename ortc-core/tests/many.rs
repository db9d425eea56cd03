//! Thousands of connections on one socket: each datagram goes to its own, at no cost that grows.

use allocation_counter::measure;
use ortc_core::{Path, Route};
use ortc_testkit::call::address_a;
use ortc_testkit::crowd::{Crowd, peer_address};

const MANY: u32 = 3_000;

#[test]
fn among_thousands_every_datagram_goes_to_its_own_connection() {
    let mut crowd = Crowd::new(MANY);
    for member in &crowd.members {
        for datagram in [&member.check, &member.answer, &member.media] {
            let route = crowd
                .socket
                .handle_datagram(member.path, datagram, crowd.now);
            assert_eq!(route, Route::Connection(member.id));
        }
    }
    let stranger = Path::udp(address_a(), peer_address(MANY));
    let media = crowd.members[0].media.clone();
    let route = crowd.socket.handle_datagram(stranger, &media, crowd.now);
    assert_eq!(route, Route::Unknown);
}

#[test]
fn telling_whose_a_datagram_is_allocates_nothing() {
    let mut crowd = Crowd::new(200);
    let garbage = [
        0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 3, b'a',
        b':', b'b', 0,
    ];
    let info = measure(|| {
        for member in &crowd.members {
            for datagram in [&member.check, &member.answer, &member.media] {
                crowd
                    .socket
                    .handle_datagram(member.path, datagram, crowd.now);
            }
            crowd
                .socket
                .handle_datagram(member.path, &garbage, crowd.now);
        }
    });
    assert_eq!(info.count_total, 0);
}
