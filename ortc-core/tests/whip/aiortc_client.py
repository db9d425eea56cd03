"""A WHIP or WHEP client on aiortc: python aiortc_client.py publish|play URL SECONDS.

At the end it says as JSON how much it decoded.
"""

import asyncio
import json
import sys
from fractions import Fraction
from urllib.parse import urljoin

import aiohttp
import av
import numpy
from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError


class Picture(VideoStreamTrack):
    """Colours that wander."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        across = (numpy.arange(640) + pts // 750) % 256
        picture = numpy.empty((360, 640, 3), numpy.uint8)
        picture[..., 0], picture[..., 2] = across, 255 - across
        picture[..., 1] = numpy.arange(360)[:, None] % 256
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, Fraction(time_base)
        return frame


async def count(track, counts):
    try:
        while True:
            frame = await track.recv()
            counts[track.kind] += frame.samples if track.kind == "audio" else 1
    except MediaStreamError:
        pass


async def main(way, url, seconds):
    connection = RTCPeerConnection()
    counts = {"audio": 0, "video": 0}
    if way == "publish":
        connection.addTrack(AudioStreamTrack())
        connection.addTrack(Picture())
        for transceiver in connection.getTransceivers():
            transceiver.direction = "sendonly"
    else:
        connection.addTransceiver("audio", direction="recvonly")
        connection.addTransceiver("video", direction="recvonly")
        connection.on("track", lambda track: asyncio.ensure_future(count(track, counts)))
    await connection.setLocalDescription(await connection.createOffer())
    async with aiohttp.ClientSession() as http:
        headers = {"Content-Type": "application/sdp"}
        offer = connection.localDescription.sdp
        async with http.post(url, data=offer, headers=headers) as response:
            answer = await response.text()
            if response.status != 201:
                sys.exit(f"{response.status}: {answer}")
            session = urljoin(url, response.headers["Location"])
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.sleep(seconds)
        async with http.delete(session) as response:
            ended = response.status
    await connection.close()
    print(json.dumps({**counts, "ended": ended}))


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
