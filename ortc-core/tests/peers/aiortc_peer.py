"""aiortc: WebRTC in Python, with DTLS of OpenSSL and codecs of FFmpeg."""

import array
import asyncio
import fractions
import json
import math
import sys

import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)

RATE = 48_000
SAMPLES = 960
WIDTH, HEIGHT = 320, 240
# Where the four colours of the test film are, and how loud a piece of sound must be.
PLACES = (0.08, 0.42, 0.58, 0.92)
LOUD = 1_000


def say(**message):
    print(json.dumps(message), flush=True)


class Tone(MediaStreamTrack):
    """A sine of 440 Hz."""

    kind = "audio"
    at = 0
    began = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(self.began + self.at / RATE - loop.time())
        wave = [math.sin(2 * math.pi * 440 * (self.at + i) / RATE) for i in range(SAMPLES)]
        frame = av.AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(array.array("h", [int(8_000 * value) for value in wave]).tobytes())
        frame.pts, frame.sample_rate = self.at, RATE
        frame.time_base = fractions.Fraction(1, RATE)
        self.at += SAMPLES
        return frame


class Pictures(VideoStreamTrack):
    """A slope that moves."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        shift = pts // 3_000
        row = bytes((x + shift) % 256 for x in range(WIDTH))
        for plane, lines in ((0, HEIGHT), (1, HEIGHT // 2), (2, HEIGHT // 2)):
            size = frame.planes[plane].line_size
            line = row if plane == 0 else bytes([128]) * (WIDTH // 2)
            frame.planes[plane].update(line.ljust(size, b"\0") * lines)
        frame.pts, frame.time_base = pts, time_base
        return frame


seen = {"audio": {"count": 0}, "video": {"count": 0, "colours": None}, "tones": ""}


async def listen(track):
    while True:
        frame = await track.recv()
        samples = array.array("h", bytes(frame.planes[0]))
        seen["audio"]["count"] += max(map(abs, samples)) > LOUD


async def watch(track):
    while True:
        frame = (await track.recv()).reformat(format="rgb24")
        plane = frame.planes[0]
        line = bytes(plane)[plane.line_size * (frame.height - 4) :]
        points = [3 * round(frame.width * place) for place in PLACES]
        seen["video"]["colours"] = [list(line[at : at + 3]) for at in points]
        seen["video"]["count"] += 1


async def main():
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tasks = []

    @connection.on("connectionstatechange")
    def changed():
        say(state=connection.connectionState)

    @connection.on("track")
    def arrived(track):
        work = listen(track) if track.kind == "audio" else watch(track)
        tasks.append(asyncio.ensure_future(work))

    async def report():
        while True:
            say(seen=seen)
            await asyncio.sleep(0.25)

    tasks.append(asyncio.ensure_future(report()))
    connection.addTrack(Tone())
    connection.addTrack(Pictures())
    lines = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        if "offer" in order:
            await connection.setLocalDescription(await connection.createOffer())
            say(offer=connection.localDescription.sdp)
        if "take" in order:
            await connection.setRemoteDescription(RTCSessionDescription(**order["take"]))
            if order["take"]["type"] == "offer":
                await connection.setLocalDescription(await connection.createAnswer())
                say(answer=connection.localDescription.sdp)
        if "close" in order:
            await connection.close()


asyncio.run(main())
