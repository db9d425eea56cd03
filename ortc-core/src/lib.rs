//! `RTCConnection`, the object API of the ORTC draft of October 2013, without I/O.
//!
//! A connection carries sound, pictures and tones to one peer, a browser for example: ICE finds the
//! path, DTLS keys it, SRTP protects the media. There is no SDP and no offer or answer; what the two
//! sides must know of each other travels over a signalling of the application's own, as the JSON of
//! the draft. There are no sockets, clocks, threads or callbacks inside: the embedder hands in
//! datagrams and instants, and takes out datagrams, events and the next deadline.
//!
//! # The loop
//!
//! ```
//! use std::time::Instant;
//! use ortc_core::{Datagram, Ecn, Event, Path, RTCConnection, RTCConnectionOptions};
//!
//! /// What arrived before the deadline, if anything did.
//! type Arrival = Option<(Path, Vec<u8>)>;
//!
//! fn run(
//!     connection: &mut RTCConnection,
//!     mut send: impl FnMut(&Path, &[u8]),
//!     mut receive_until: impl FnMut(Option<Instant>) -> (Arrival, Instant),
//!     mut now: Instant,
//! ) {
//!     let mut buf = Vec::with_capacity(1_500);
//!     while !connection.is_closed() {
//!         while let Some(transmit) = connection.poll_transmit(&mut buf, now) {
//!             send(&transmit.path, &buf);
//!             buf.clear();
//!         }
//!         while let Some(event) = connection.poll_event() {
//!             match event {
//!                 Event::Candidate(candidate) => {
//!                     // Signal it, and let it take part.
//!                     let _ = connection.set_local_candidate(&candidate, now);
//!                 }
//!                 Event::Frame(frame) => println!("{} octets", frame.payload.len()),
//!                 _ => {}
//!             }
//!         }
//!         let deadline = connection.poll_timeout().map(|timeout| timeout.at);
//!         let (arrival, at) = receive_until(deadline);
//!         now = at;
//!         match arrival {
//!             Some((path, mut octets)) => {
//!                 let (contents, ecn) = (octets.as_mut_slice(), Ecn::default());
//!                 connection.handle_datagram(Datagram { path, contents, ecn }, now);
//!             }
//!             None => connection.handle_timeout(now),
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Instant::now();
//! let seed = [7; 32]; // from the operating system, in earnest
//! let options = RTCConnectionOptions::new(seed).local_address("192.0.2.1:5000".parse()?);
//! let mut connection = RTCConnection::new(options, now)?;
//! # connection.close(now);
//! run(&mut connection, |_, _| (), |_| (None, now), now);
//! # Ok(())
//! # }
//! ```
//!
//! The order of the calls is free: nothing is lost when many datagrams come before one poll, up to
//! bounds that are counted. Every machine here is `Send`.
//!
//! # Servers, relays and streams
//!
//! With [`RTCConnectionOptions::ice_servers`] the connection asks STUN and TURN servers for more
//! candidates, and its loop has three more things to do. They are events with an answer, and nothing
//! else waits for it:
//!
//! - [`Event::Resolve`] wants the addresses of a name: [`RTCConnection::resolved`].
//! - [`Event::OpenStream`] wants a TCP or TLS connection, to a server or for a candidate over TCP
//!   (RFC 6544): [`RTCConnection::stream_opened`] or [`stream_failed`](RTCConnection::stream_failed),
//!   then [`handle_stream`](RTCConnection::handle_stream) for what it brings, whatever the pieces. A
//!   [`Transmit`] whose transport is that stream is written to it as it is.
//! - [`Event::CloseStream`] ends one; what the other end closes is told to
//!   [`stream_closed`](RTCConnection::stream_closed).
//!
//! What goes through a relay is wrapped and unwrapped inside, runs of segments too. On a shared
//! socket the [`RTCSocket`] asks the servers, for all its connections at once; it then has a loop of
//! its own, and [`RTCSocket::encapsulate`] is called for what they send.
//!
//! # Forwarding
//!
//! A media server neither decodes nor encodes. It receives tracks as [`ReceiveMode::Raw`], makes a
//! track on each other connection, and says with [`RTCTrack::forward_from`] what it repeats;
//! [`RTCConnection::forward`] then takes each [`Event::Rtp`]. The payload is shared by all of them.
//! Payload types, header-extension ids, sequence numbers and timestamps are the track's own, and go
//! on when the source changes; each connection answers retransmission requests from its own history.
//! [`Event::KeyFrameRequested`] is the application's to pass on, with
//! [`RTCConnection::request_key_frame`], and to bound where many ask.
//!
//! # The draft, member by member
//!
//! Types have the draft's names; methods and fields are in snake case; `onX` handlers are variants
//! of [`Event`]. JSON has the draft's member names.
//!
//! | WebIDL | Rust | Shown by |
//! |---|---|---|
//! | RTCConnection Constructor | [`RTCConnection::new`] | `draft/connection.rs::constructor_begins_to_gather` |
//! | RTCConnection local | [`RTCConnection::local`] | `draft/connection.rs::local_is_there_from_the_start` |
//! | RTCConnection remote | [`RTCConnection::remote`] | `draft/connection.rs::remote_is_what_was_set_and_after_the_handshake_the_fingerprint` |
//! | RTCConnection getLocalSocket | [`RTCConnection::get_local_socket`] | `draft/connection.rs::get_local_socket_hands_out_the_socket` |
//! | RTCConnection setLocalCandidate | [`RTCConnection::set_local_candidate`] | `draft/connection.rs::set_local_candidate_takes_what_the_event_gave` |
//! | RTCConnection setRemoteCandidate | [`RTCConnection::set_remote_candidate`] | `draft/connection.rs::set_remote_candidate_may_come_before_and_after_connect` |
//! | RTCConnection connect | [`RTCConnection::connect`] | `draft/connection.rs::connect_starts_the_establishment` |
//! | RTCConnection update | [`RTCConnection::update`] | `draft/connection.rs::update_gathers_again` |
//! | RTCConnection addStream | [`RTCConnection::add_stream`] | `draft/connection.rs::add_stream_sends_its_tracks` |
//! | RTCConnection removeStream | [`RTCConnection::remove_stream`] | `draft/connection.rs::remove_stream_stops_sending` |
//! | RTCConnection track | [`RTCConnection::track`] | `draft/connection.rs::track_is_found_by_its_media_stream_track` |
//! | RTCConnection tracks | [`RTCConnection::tracks`] | `draft/connection.rs::tracks_are_all_that_are_sent` |
//! | RTCConnection receiveTrack | [`RTCConnection::receive_track`] | `draft/connection.rs::receive_track_makes_ready_to_receive` |
//! | RTCConnection addDtmfHandler | [`RTCConnection::add_dtmf_handler`] | `draft/connection.rs::add_dtmf_handler_returns_a_sending_handler` |
//! | RTCConnection getSendingStreams | [`RTCConnection::get_sending_streams`] | `draft/connection.rs::get_sending_streams_are_those_added` |
//! | RTCConnection getReceivingStreams | [`RTCConnection::get_receiving_streams`] | `draft/connection.rs::get_receiving_streams_are_those_described` |
//! | RTCConnection close | [`RTCConnection::close`] | `draft/connection.rs::close_ends_the_connection` |
//! | RTCConnection oncandidate | [`Event::Candidate`] | `draft/events.rs::oncandidate_gives_a_local_candidate` |
//! | RTCConnection onendofcandidates | [`Event::EndOfCandidates`] | `draft/events.rs::onendofcandidates_comes_after_the_last_candidate` |
//! | RTCConnection onactivecandidate | [`Event::ActiveCandidate`] | `draft/events.rs::onactivecandidate_gives_both_ends_of_the_pair` |
//! | RTCConnection onconnected | [`Event::Connected`] | `draft/events.rs::onconnected_follows_ice_and_dtls` |
//! | RTCConnection ondisconnected | [`Event::Disconnected`] | `draft/events.rs::ondisconnected_has_a_reason` |
//! | RTCConnection onaddstream | [`Event::AddStream`] | `draft/events.rs::onaddstream_fires_for_an_msid_of_no_other_receiving_track` |
//! | RTCConnection onunknowntrack | [`Event::UnknownTrack`] | `draft/events.rs::onunknowntrack_gives_the_header_extensions` |
//! | RTCConnection onadddtmfhandler | [`Event::AddDtmfHandler`] | `draft/events.rs::onadddtmfhandler_fires_for_audio_with_a_dtmf_codec` |
//! | RTCConnectionOptions iceServers | [`RTCConnectionOptions::ice_servers`] | `draft/options.rs::ice_servers_are_read_when_the_connection_is_made`, `relayed.rs::two_ends_that_cannot_reach_each_other_talk_through_the_relay` |
//! | RTCConnectionOptions socket | [`RTCConnectionOptions::socket`] | `draft/options.rs::socket_is_reused` |
//! | RTCIceServer url | [`RTCIceServer::url`] | `draft/options.rs::url_and_credential_are_as_the_example_prints_them` |
//! | RTCIceServer credential | [`RTCIceServer::credential`] | `draft/options.rs::url_and_credential_are_as_the_example_prints_them` |
//! | RTCSocket | [`RTCSocket`] | `draft/options.rs::rtc_socket_can_be_made_first` |
//! | RTCConnectionSide ice | [`RTCConnectionSide::ice`] | `draft/side.rs::ice_and_dtls_are_the_two_members` |
//! | RTCConnectionSide dtls | [`RTCConnectionSide::dtls`] | `draft/side.rs::ice_and_dtls_are_the_two_members` |
//! | RTCIceConnectionInfo usernameFrag | [`RTCIceConnectionInfo::username_frag`] | `draft/side.rs::username_frag_and_password_are_as_the_example_signals_them` |
//! | RTCIceConnectionInfo password | [`RTCIceConnectionInfo::password`] | `draft/side.rs::username_frag_and_password_are_as_the_example_signals_them` |
//! | RTCDtlsConnectionInfo fingerprint | [`RTCDtlsConnectionInfo::fingerprint`] | `draft/side.rs::fingerprint_of_the_local_side_has_sha_1_and_sha_256` |
//! | CertificateFingerprint getter | [`CertificateFingerprint::get`] | `draft/side.rs::fingerprint_is_keyed_by_the_textual_name_of_the_hash` |
//! | RTCIceCandidateDescription foundation | [`RTCIceCandidateDescription::foundation`] | `draft/descriptions.rs::candidate_example_is_exact` |
//! | RTCIceCandidateDescription component | [`RTCIceCandidateDescription::component`] | `draft/descriptions.rs::candidate_example_is_exact` |
//! | RTCIceCandidateDescription transport | [`RTCIceCandidateDescription::transport`] | `draft/descriptions.rs::candidate_example_is_exact` |
//! | RTCIceCandidateDescription priority | [`RTCIceCandidateDescription::priority`] | `draft/descriptions.rs::candidate_example_is_exact` |
//! | RTCIceCandidateDescription connectionAddress | [`RTCIceCandidateDescription::connection_address`] | `draft/descriptions.rs::candidate_example_is_exact` |
//! | RTCIceCandidateDescription connectionPort | [`RTCIceCandidateDescription::connection_port`] | `draft/descriptions.rs::candidate_example_is_exact` |
//! | RTCIceCandidateDescription type | [`RTCIceCandidateDescription::kind`] | `draft/descriptions.rs::candidate_example_is_exact` |
//! | RTCIceCandidateDescription relAddress | [`RTCIceCandidateDescription::rel_address`] | `draft/descriptions.rs::candidate_with_related_address_is_exact` |
//! | RTCIceCandidateDescription relPort | [`RTCIceCandidateDescription::rel_port`] | `draft/descriptions.rs::candidate_with_related_address_is_exact` |
//! | RTCTrackFilter mediaStream | [`RTCTrackFilter::media_stream`] | `draft/track.rs::filter_by_media_stream` |
//! | RTCTrackFilter kind | [`RTCTrackFilter::kind`] | `draft/track.rs::filter_by_kind` |
//! | RTCTrack source | [`RTCTrack::source`] | `draft/track.rs::source_is_the_media_stream_track` |
//! | RTCTrack kind | [`RTCTrack::kind`] | `draft/track.rs::kind_is_audio_or_video` |
//! | RTCTrack ssrc | [`RTCTrack::ssrc`] | `draft/track.rs::ssrc_is_that_of_the_description_in_decimal` |
//! | RTCTrack msid | [`RTCTrack::msid`] | `draft/track.rs::msid_can_be_read_and_set` |
//! | RTCTrack codecs | [`RTCTrack::codecs`] | `draft/track.rs::codecs_can_be_set_and_the_first_supported_is_chosen` |
//! | RTCTrack mediaAttributes | [`RTCTrack::media_attributes`] | `draft/track.rs::media_attributes_can_be_set` |
//! | RTCTrack rtpExtHeaders | [`RTCTrack::rtp_ext_headers`] | `draft/track.rs::rtp_ext_headers_can_be_set` |
//! | RTCTrack getDescription | [`RTCTrack::get_description`] | `draft/track.rs::get_description_has_all_that_the_peer_needs` |
//! | RTCTrack start | [`RTCTrack::start`] | `draft/track.rs::start_and_stop_begin_and_end_sending` |
//! | RTCTrack stop | [`RTCTrack::stop`] | `draft/track.rs::start_and_stop_begin_and_end_sending` |
//! | RTCTrack remove | [`RTCTrack::remove`] | `draft/track.rs::remove_leaves_the_media_stream_as_it_is` |
//! | RTCTrackDescription kind | [`RTCTrackDescription::kind`] | `draft/descriptions.rs::track_example_is_exact` |
//! | RTCTrackDescription ssrc | [`RTCTrackDescription::ssrc`] | `draft/descriptions.rs::track_example_is_exact` |
//! | RTCTrackDescription msid | [`RTCTrackDescription::msid`] | `draft/descriptions.rs::track_example_is_exact` |
//! | RTCTrackDescription codecs | [`RTCTrackDescription::codecs`] | `draft/descriptions.rs::track_example_with_dtmf_is_exact` |
//! | RTCTrackDescription mediaAttributes | [`RTCTrackDescription::media_attributes`] | `draft/descriptions.rs::track_with_every_member_is_exact` |
//! | RTCTrackDescription rtpExtHeaders | [`RTCTrackDescription::rtp_ext_headers`] | `draft/descriptions.rs::track_with_every_member_is_exact` |
//! | RTCCodec payload-id | [`RTCCodec::payload_id`] | `draft/descriptions.rs::codec_and_its_params_are_exact` |
//! | RTCCodec name | [`RTCCodec::name`] | `draft/descriptions.rs::codec_and_its_params_are_exact` |
//! | RTCCodec clockRate | [`RTCCodec::clock_rate`] | `draft/descriptions.rs::codec_and_its_params_are_exact` |
//! | RTCCodec numChannels | [`RTCCodec::num_channels`] | `draft/descriptions.rs::track_example_is_exact` |
//! | RTCCodec params | [`RTCCodec::params`] | `draft/descriptions.rs::codec_and_its_params_are_exact` |
//! | RTCCodecParam name | [`RTCCodecParam::name`] | `draft/descriptions.rs::codec_and_its_params_are_exact` |
//! | RTCCodecParam value | [`RTCCodecParam::value`] | `draft/descriptions.rs::codec_and_its_params_are_exact` |
//! | RTCMediaAttributes videoMaxWidth | [`RTCMediaAttributes::video_max_width`] | `draft/descriptions.rs::media_attributes_are_exact` |
//! | RTCMediaAttributes videoMaxHeight | [`RTCMediaAttributes::video_max_height`] | `draft/descriptions.rs::media_attributes_are_exact` |
//! | RTCDTMFHandler id | [`RTCDTMFHandler::id`] | `draft/dtmf_handler.rs::id_and_label_are_those_of_the_audio_track` |
//! | RTCDTMFHandler label | [`RTCDTMFHandler::label`] | `draft/dtmf_handler.rs::id_and_label_are_those_of_the_audio_track` |
//! | RTCDTMFHandler toneBuffer | [`RTCDTMFHandler::tone_buffer`] | `draft/dtmf_handler.rs::tone_buffer_duration_and_inter_tone_gap_can_be_read` |
//! | RTCDTMFHandler duration | [`RTCDTMFHandler::duration`] | `draft/dtmf_handler.rs::tone_buffer_duration_and_inter_tone_gap_can_be_read` |
//! | RTCDTMFHandler interToneGap | [`RTCDTMFHandler::inter_tone_gap`] | `draft/dtmf_handler.rs::tone_buffer_duration_and_inter_tone_gap_can_be_read` |
//! | RTCDTMFHandler insertDTMF | [`RTCDTMFHandler::insert_dtmf`] | `draft/dtmf_handler.rs::insert_dtmf_is_for_sending_handlers` |
//! | RTCDTMFHandler ondtmf | [`Event::Dtmf`] | `draft/dtmf_handler.rs::insert_dtmf_sends_and_ondtmf_tells_each_tone_once` |
//! | §5 RTCP multiplexing | always on | `draft/rtcp.rs::rtcp_leaves_on_the_path_of_rtp` |
//! | Navigator getRTCCapabilities | [`get_rtc_capabilities`] | `draft/capabilities.rs::get_rtc_capabilities_lists_what_connections_support` |
//! | Navigator getRTCCodec | [`get_rtc_codec`] | `draft/capabilities.rs::get_rtc_codec_knows_the_mandatory_names_and_no_other` |
//! | RTCCapabilities audioCodecs | [`RTCCapabilities::audio_codecs`] | `draft/capabilities.rs::audio_codecs_and_video_codecs_are_the_members` |
//! | RTCCapabilities videoCodecs | [`RTCCapabilities::video_codecs`] | `draft/capabilities.rs::audio_codecs_and_video_codecs_are_the_members` |
//! | MediaStream addTrack | [`MediaStream::add_track`] | `draft/media_stream.rs::add_track_returns_the_clone` |
//! | MediaStream onconnected | [`Event::StreamConnected`] | `draft/media_stream.rs::stream_onconnected_comes_with_the_first_rtp` |
//! | MediaStream ondisconnected | [`Event::StreamDisconnected`] | `draft/media_stream.rs::stream_ondisconnected_comes_with_the_bye_of_its_last_track` |
//! | MediaStreamTrack onconnected | [`Event::TrackConnected`] | `draft/media_stream.rs::track_onconnected_comes_with_its_first_rtp` |
//! | MediaStreamTrack ondisconnected | [`Event::TrackDisconnected`] | `draft/media_stream.rs::track_ondisconnected_comes_with_bye` |
//!
//! # What the draft leaves open
//!
//! | Decision | Shown by |
//! |---|---|
//! | Candidates take part in checks once applied; an option applies them by themselves | `decisions/connecting.rs::set_local_candidate_is_what_lets_a_candidate_take_part` |
//! | Local addresses are the embedder's list; `update` gathers from it anew, and withdraws what came from an address that left it | `decisions/connecting.rs::local_addresses_are_gathered_at_construction_and_anew_by_update` |
//! | `update` keeps a working path until data leaves on another | `relayed.rs::update_in_a_call_keeps_what_works_and_adds_what_is_new` |
//! | A relay that forgot the allocation is asked as soon as a path through it is suspected, and gives a new one | `relayed.rs::an_allocation_that_is_lost_in_a_call_is_made_anew_and_the_call_goes_on` |
//! | Names are resolved by the embedder, of servers and of peers behind `.local` | `network.rs::the_name_that_a_peer_hides_behind_is_resolved_and_then_checked` |
//! | Byte streams are the embedder's, for candidates over TCP and for servers | `network.rs::two_ends_talk_over_a_stream_that_one_of_them_opens` |
//! | `url` of a server is a string or a list, and an optional `username` wins over the user in it | `decisions/connecting.rs::ice_servers_are_a_string_or_a_list_with_the_user_in_the_uri_or_beside_it` |
//! | `connect` without the remote ICE information is an error; what was given before it is kept | `decisions/connecting.rs::connect_needs_the_remote_ice_and_keeps_what_was_given_before` |
//! | The end of remote candidates can be told | `decisions/connecting.rs::end_of_remote_candidates_makes_failure_known_before_patience_is_over` |
//! | The side with the greater `ufrag:password` is ICE-controlling | `decisions/connecting.rs::ice_role_is_decided_by_the_credentials_and_conflicts_are_repaired` |
//! | The ICE-controlled side is the DTLS client; explicit roles win, two equal ones are an error | `decisions/connecting.rs::dtls_role_combinations_all_connect_but_two_equal_explicit_ones` |
//! | Where both descriptions leave the role open the credentials decide, whatever the ICE roles | `decisions/crossed.rs::sides_whose_descriptions_leave_the_role_open_go_by_credentials_and_not_by_ice_roles` |
//! | ClientHellos that cross come to one handshake: the side whose credentials compare smaller stays client | `decisions/crossed.rs::on_networks_that_lose_and_reorder_one_handshake_keys_both_ways` |
//! | The handshake starts with the first valid pair | `decisions/connecting.rs::dtls_starts_with_the_first_valid_pair_and_not_after_nomination` |
//! | Without an expected fingerprint media is held until the application decides | `decisions/trust.rs::remote_fingerprint_none_holds_media_both_ways_until_it_is_accepted` |
//! | A fingerprint that does not match ends the connection, without keys | `decisions/trust.rs::remote_fingerprint_that_does_not_match_ends_the_connection_without_keys` |
//! | The draft's own trust in whoever answers is an option | `decisions/trust.rs::trust_first_is_the_drafts_own_behaviour_and_asks_nothing` |
//! | A socket is shared by place, and tells which connection a datagram is for | `decisions/socket.rs::rtc_socket_forks_one_description_to_many_answers` |
//! | A socket with thousands of connections tells it as fast as one with ten, and allocates nothing | `many.rs::among_thousands_every_datagram_goes_to_its_own_connection` |
//! | A pair of addresses belongs to the connection whose peer answers there | `decisions/claims.rs::who_knows_credentials_takes_no_address_that_he_does_not_receive_at` |
//! | A client that comes back from its address with new credentials takes it over | `decisions/claims.rs::a_client_that_comes_back_from_its_address_with_new_credentials_takes_it_over` |
//! | All connections of a socket share one `Ta` | `decisions/socket.rs::rtc_socket_spreads_the_checks_of_all_its_connections` |
//! | A socket asks the servers once for all its connections | `relayed.rs::a_call_on_a_shared_socket_goes_through_the_relay_of_the_socket` |
//! | A connection whose consent expired can come back | `decisions/connecting.rs::connected_and_disconnected_are_told_once_with_the_reason` |
//! | After consent expired nothing but checks leaves | `decisions/connecting.rs::path_failure_sends_nothing_but_checks_after_consent_expired`, `decisions/expired.rs::nothing_but_checks_leaves_without_consent_whatever_is_asked_for` |
//! | ICE restarts by a method, with the old path in use meanwhile | `decisions/connecting.rs::restart_keeps_the_old_path_until_the_new_pair_is_valid` |
//! | `close` says BYE and close_notify and gives allocations back, then nothing is due | `decisions/connecting.rs::close_still_says_goodbye_and_then_nothing_is_due`, `relayed.rs::closing_says_goodbye_through_the_relay_and_then_gives_it_back` |
//! | Without `autostart` nothing is sent until `start`, which may come early | `decisions/sending.rs::add_stream_without_autostart_waits_for_start_which_may_come_before_connected` |
//! | `stop` is silent, `remove` says BYE | `decisions/sending.rs::stop_is_silent_and_remove_says_bye` |
//! | A codec list without a supported codec is an error that changes nothing | `decisions/sending.rs::codecs_are_those_of_the_options_and_a_list_without_a_supported_one_changes_nothing` |
//! | The codec of a running track can change | `decisions/sending.rs::codecs_change_on_a_running_track_at_the_next_frame_on_the_same_ssrc` |
//! | Media attributes travel and are reported, nothing is scaled | `decisions/sending.rs::rtc_track_attributes_are_in_the_next_description` |
//! | `receiveTrack` for a known SSRC updates it | `decisions/receiving.rs::receive_track_fires_add_stream_once_per_msid_before_any_rtp_and_updates_a_known_ssrc` |
//! | Packets of an unknown track wait, within bounds | `decisions/receiving.rs::unknown_track_raises_the_event_once_and_its_packets_wait_for_the_description` |
//! | Names of header extensions are URIs; `mid` and `rid` bind an SSRC to a track | `decisions/receiving.rs::extension_headers_bind_an_ssrc_that_was_not_announced_to_its_track` |
//! | A track that is heard stays on its SSRC; once silent or gone, it can be bound to another | `decisions/receiving.rs::extension_headers_bind_a_track_to_a_new_ssrc_once_the_old_one_has_left` |
//! | A description of an SSRC wins over what header extensions said of it | `decisions/receiving.rs::extension_headers_give_way_to_a_description_of_the_ssrc` |
//! | A codec that the description does not list is dropped, and counts as received | `decisions/receiving.rs::receive_track_counts_a_codec_that_is_not_listed_as_received` |
//! | Identification leaves until the peer reports | `decisions/sending.rs::extension_headers_leave_until_the_peer_reports_and_never_break_the_path_mtu` |
//! | An SSRC used after BYE is connected again | `decisions/receiving.rs::track_connected_again_when_an_ssrc_is_used_after_bye` |
//! | `addTrack` clones | `decisions/sending.rs::media_stream_add_track_clones_so_that_no_track_is_in_two_streams` |
//! | One handler of tones for each track | `decisions/tones.rs::add_dtmf_handler_finds_its_track_by_container_and_is_the_same_for_the_same_track` |
//! | Tones replace the rest of the buffer; out of range is an error | `decisions/tones.rs::insert_dtmf_replaces_the_rest_and_an_empty_string_ends_after_the_current_tone` |
//! | Tones wait while the connection is not connected | `decisions/tones.rs::insert_dtmf_before_connected_waits_and_every_tone_is_whole` |
//! | Media goes in and out as frames or as RTP packets | `decisions/receiving.rs::media_in_is_a_whole_frame_or_a_raw_packet` |
//! | RTCP feedback is reduced in size unless the options say otherwise | `decisions/media.rs::rtcp_is_multiplexed_and_reduced_in_size_where_the_options_allow` |
//! | A track is repaired on a source of its own where its description says so (RFC 4588) | `decisions/rtx.rs::a_track_with_rtx_repeats_on_a_source_of_its_own_and_loses_nothing` |
//! | Descriptions carry what browsers need when the options ask for it, and are heard in any case | `decisions/extended.rs::an_extended_description_says_what_browsers_need_and_reads_back_the_same` |
//! | Every reason for a drop is a counter | `decisions/media.rs::stats_are_a_snapshot_at_any_time_and_every_drop_has_a_counter` |
//! | Key log and tap are off unless asked for | `decisions/debugging.rs::debugging_is_off_by_default` |
//! | DTLS application data is opaque | `decisions/media.rs::dtls_application_data_is_an_event_and_a_command` |
//! | No datagram is larger than the path MTU | `decisions/sending.rs::size_is_kept_by_every_datagram` |
//!
//! Data channels are out of scope: application data of DTLS is where they would attach.

mod api;
mod demux;
mod media;
mod queue;
mod stats;
mod timer;
mod transport;

pub use api::*;
pub use ortc_dtls::{self as dtls, Certificate, Fingerprint, HashAlgorithm, PeerVerification};
pub use ortc_ice::{
    self as ice, Datagram, Ecn, GatherConfig, LocalCandidate, OpenStream, Path, RolePolicy,
    Security, ServerError, ServerScheme, ServerTransport, ServerUri, ServerUriError, StreamId,
    TcpType, Transmit,
};
pub use ortc_srtp::Profile;
pub use stats::{ConnectionStats, DropReason, Drops, DtlsStats, ReceiveTrackStats, SendTrackStats};
