"""GStreamer's webrtcbin: DTLS of OpenSSL with an RSA certificate, ICE of libnice."""

import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

AUDIO, TONES, VIDEO = 111, 126, 96
# Where the four colours of the test film are, and how loud a piece of sound must be.
PLACES = (0.08, 0.42, 0.58, 0.92)
LOUD = 1_000
KEYS = "0123456789*#ABCD"

PIPELINE = f"""
webrtcbin name=peer bundle-policy=max-bundle
audiotestsrc is-live=true freq=440 volume=0.3 ! audio/x-raw,rate=48000,channels=2 ! opusenc
  ! rtpopuspay pt={AUDIO} ! queue ! voice.sink_0
rtpdtmfsrc name=dial pt={TONES} clock-rate=48000 ! voice.priority_sink_0
rtpdtmfmux name=voice ! peer.
videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1
  ! vp8enc deadline=1 cpu-used=8 keyframe-max-dist=15 target-bitrate=300000
  ! rtpvp8pay pt={VIDEO} mtu=1100 ! queue ! application/x-rtp,media=video,encoding-name=VP8,payload={VIDEO} ! peer.
"""
SOUND = "opusdec ! audioconvert ! audio/x-raw,format=S16LE,channels=1,rate=48000 ! appsink name=sink emit-signals=true sync=false"
PICTURES = "vp8dec ! videoconvert ! video/x-raw,format=RGB ! appsink name=sink emit-signals=true sync=false"
DEPAYLOADERS = {
    "TELEPHONE-EVENT": "rtpdtmfdepay ! fakesink sync=false",
    "OPUS": f"rtpopusdepay ! {SOUND}",
    "VP8": f"rtpvp8depay ! {PICTURES}",
}


def say(**message):
    print(json.dumps(message), flush=True)


class Peer:
    def __init__(self):
        self.seen = {"audio": {"count": 0}, "video": {"count": 0, "colours": None}, "tones": ""}
        self.pipeline = Gst.parse_launch(PIPELINE)
        self.rtc = self.pipeline.get_by_name("peer")
        self.rtc.connect("pad-added", self.arrived)
        self.rtc.connect("notify::connection-state", self.changed)
        self.rtc.connect("notify::ice-gathering-state", self.gathered)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.told)
        self.describing = None

    def changed(self, *_):
        say(state=self.rtc.get_property("connection-state").value_nick)

    def told(self, _, message):
        structure = message.get_structure()
        if structure and structure.get_name() == "dtmf-event":
            self.seen["tones"] += KEYS[structure.get_value("number")]
        if message.type == Gst.MessageType.ERROR:
            say(error=str(message.parse_error()))

    def arrived(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        name = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        branch = Gst.parse_bin_from_description(f"queue ! {DEPAYLOADERS[name]}", True)
        sink = branch.get_by_name("sink")
        if sink:
            sink.connect("new-sample", self.heard if name == "OPUS" else self.saw)
            sink.connect("eos", lambda _: say(state="disconnected"))
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def heard(self, sink):
        data = sample_of(sink)[1]
        samples = memoryview(data).cast("h")
        self.seen["audio"]["count"] += max(map(abs, samples), default=0) > LOUD
        return Gst.FlowReturn.OK

    def saw(self, sink):
        structure, data = sample_of(sink)
        width, height = structure.get_value("width"), structure.get_value("height")
        stride = len(data) // height
        line = data[stride * (height - 4) :]
        points = [3 * round(width * place) for place in PLACES]
        self.seen["video"]["colours"] = [list(line[at : at + 3]) for at in points]
        self.seen["video"]["count"] += 1
        return Gst.FlowReturn.OK

    def report(self):
        if self.describing and self.rtc.get_property("connection-state").value_nick == "connected":
            transport = self.rtc.emit("get-transceiver", 0).get_property("receiver").get_property("transport")
            # What the whole connection is said to be does not follow.
            if transport.get_property("state") == GstWebRTC.WebRTCDTLSTransportState.CLOSED:
                say(state="closed")
        say(seen=self.seen)
        return True

    def order(self, order):
        if "offer" in order:
            self.pipeline.set_state(Gst.State.PLAYING)
            GLib.timeout_add(500, lambda: self.describe("offer"))
        if "take" in order:
            kind, sdp = order["take"]["type"], order["take"]["sdp"]
            self.pipeline.set_state(Gst.State.PLAYING)
            promise = Gst.Promise.new()
            self.rtc.emit("set-remote-description", description_of(kind, sdp), promise)
            promise.wait()
            for line in sdp.splitlines():
                if line.startswith("a=candidate:"):
                    self.rtc.emit("add-ice-candidate", 0, line[2:])
            if kind == "offer":
                self.describe("answer")
        if "dial" in order:
            for index, key in enumerate(order["dial"]):
                GLib.timeout_add(300 * index, self.press, KEYS.index(key), True)
                GLib.timeout_add(300 * index + 120, self.press, 0, False)
        if "close" in order:
            self.pipeline.set_state(Gst.State.NULL)
            say(state="closed")

    def press(self, number, start):
        key = f",number=(int){number},volume=(int)10" if start else ""
        event = f"dtmf-event,type=(int)1,method=(int)1,start=(boolean){str(start).lower()}{key}"
        event = Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, Gst.Structure.new_from_string(event))
        self.pipeline.get_by_name("dial").get_static_pad("src").send_event(event)
        return False

    def describe(self, kind):
        self.describing = kind
        self.rtc.emit("get-transceiver", 1).set_property("do-nack", True)
        # The description belongs to the promise, which has to outlive it.
        made, applied = Gst.Promise.new(), Gst.Promise.new()
        self.rtc.emit(f"create-{kind}", None, made)
        made.wait()
        reply = made.get_reply()
        # It offers what its pads have, so tones are offered for it.
        text = reply.get_value(kind).sdp.as_text()
        text = text.replace(f"SAVPF {AUDIO}", f"SAVPF {AUDIO} {TONES}", 1)
        text = text.replace("a=rtpmap:", f"a=rtpmap:{TONES} telephone-event/48000\r\na=rtpmap:", 1)
        self.rtc.emit("set-local-description", description_of(kind, text), applied)
        applied.wait()

    def gathered(self, *_):
        if self.rtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            say(**{self.describing: self.rtc.get_property("local-description").sdp.as_text()})


def description_of(kind, text):
    _, message = GstSdp.SDPMessage.new_from_text(text)
    return GstWebRTC.WebRTCSessionDescription.new(getattr(GstWebRTC.WebRTCSDPType, kind.upper()), message)


def sample_of(sink):
    sample = sink.emit("pull-sample")
    buffer = sample.get_buffer()
    return sample.get_caps().get_structure(0), buffer.extract_dup(0, buffer.get_size())


def obey(peer, loop):
    for line in sys.stdin:
        GLib.idle_add(peer.order, json.loads(line))
    GLib.idle_add(loop.quit)


Gst.init(None)
peer, loop = Peer(), GLib.MainLoop()
GLib.timeout_add(250, peer.report)
threading.Thread(target=obey, args=(peer, loop), daemon=True).start()
loop.run()
