"""A WHIP or WHEP client on GStreamer's webrtcbin: python gstreamer.py publish|play URL SECONDS [CODEC].

It does what the elements whipsink and whepsrc do around the same webrtcbin. At the end it says as
JSON how much came out of the decoders.
"""

import json
import sys
import urllib.request
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"
VIDEO = {
    "vp8": ("vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay picture-id-mode=2",
            "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000"),
    "h264": ("openh264enc ! video/x-h264,profile=constrained-baseline ! h264parse config-interval=-1 ! "
             "rtph264pay aggregate-mode=zero-latency",
             "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000"),
}


class Client:
    def __init__(self, way, url, codec):
        self.url, self.session, self.posted = url, None, False
        self.counts = {"audio": 0, "video": 0}
        self.loop = GLib.MainLoop()
        encoder, video = VIDEO[codec]
        bin_ = "webrtcbin name=web bundle-policy=max-bundle"
        if way == "publish":
            text = (f"{bin_} audiotestsrc is-live=true wave=sine ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay ! "
                    f"{AUDIO} ! web. videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=30/1 ! "
                    f"videoconvert ! {encoder} ! {video} ! web.")
            self.pipeline = Gst.parse_launch(text)
            self.web = self.pipeline.get_by_name("web")
            for index in range(2):
                transceiver = self.web.emit("get-transceiver", index)
                transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        else:
            # A bin around it, or parsing gives the element alone.
            self.pipeline = Gst.parse_launch(f"{bin_} fakesrc num-buffers=0 ! fakesink async=false")
            self.web = self.pipeline.get_by_name("web")
            recvonly = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            for caps in (AUDIO, video):
                self.web.emit("add-transceiver", recvonly, Gst.Caps.from_string(caps))
        self.web.connect("on-negotiation-needed", self.negotiate)
        self.web.connect("notify::ice-gathering-state", self.gathered)
        self.web.connect("pad-added", self.incoming)
        self.pipeline.set_state(Gst.State.PLAYING)
        if way == "play":
            self.negotiate(self.web)

    def negotiate(self, web):
        def made(promise, *_):
            reply = promise.get_reply()
            offer = reply.get_value("offer")
            self.web.emit("set-local-description", offer, None)
        web.emit("create-offer", None, Gst.Promise.new_with_change_func(made, None))

    def gathered(self, web, _):
        done = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if web.get_property("ice-gathering-state") == done and not self.posted:
            self.posted = True
            GLib.idle_add(self.post)

    def post(self):
        offer = self.web.get_property("local-description").sdp.as_text()
        headers = {"Content-Type": "application/sdp"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, offer.encode(), headers)) as response:
                self.session = urljoin(self.url, response.headers["Location"])
                text = response.read()
        except urllib.error.HTTPError as error:
            print(f"{error.code}: {error.read().decode()}", file=sys.stderr)
            self.loop.quit()
            return
        _, message = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(text, message)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.web.emit("set-remote-description", answer, None)

    def incoming(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.decoded)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def decoded(self, _, pad):
        kind = pad.get_current_caps().get_structure(0).get_name().split("/")[0]
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", self.count, kind)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def count(self, _, buffer, pad, kind):
        if kind == "audio":
            caps = pad.get_current_caps().get_structure(0)
            self.counts[kind] += buffer.get_size() // (2 * caps.get_int("channels")[1])
        else:
            self.counts[kind] += 1

    def run(self, seconds):
        GLib.timeout_add(int(seconds * 1000), self.loop.quit)
        self.loop.run()
        ended = None
        if self.session:
            with urllib.request.urlopen(urllib.request.Request(self.session, method="DELETE")) as response:
                ended = response.status
        self.pipeline.set_state(Gst.State.NULL)
        print(json.dumps({**self.counts, "ended": ended}))


Gst.init(None)
way, url, seconds = sys.argv[1:4]
Client(way, url, sys.argv[4] if len(sys.argv) > 4 else "vp8").run(float(seconds))
