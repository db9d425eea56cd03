"""Publishes a test picture and a tone with FFmpeg's WHIP muxer: python ffmpeg.py URL SECONDS.

The key that the muxer makes by itself is on the curve P-224, which DTLS here does not know: it gets
one of P-256.
"""

import subprocess
import sys
import tempfile
import time
from fractions import Fraction

import av
import numpy

RATE = 30
SAMPLES = 960

url, seconds = sys.argv[1], float(sys.argv[2])
folder = tempfile.mkdtemp()
files = {"key_file": f"{folder}/key.pem", "cert_file": f"{folder}/cert.pem"}
curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=ffmpeg"]
command = ["openssl", "req", "-x509", *curve, "-keyout", files["key_file"], "-out", files["cert_file"]]
subprocess.run(command, check=True, capture_output=True)
output = av.open(url, "w", format="whip", options=files)
video = output.add_stream("libx264", rate=RATE)
video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
video.options = {"profile": "baseline", "preset": "ultrafast", "tune": "zerolatency", "g": str(RATE)}
audio = output.add_stream("libopus", rate=48_000)
audio.layout = "stereo"
audio.format = "flt"

began = time.monotonic()
frame_number = sample_number = 0
while time.monotonic() - began < seconds:
    due = min(frame_number / RATE, sample_number / 48_000)
    time.sleep(max(0, began + due - time.monotonic()))
    if sample_number / 48_000 <= frame_number / RATE:
        times = (numpy.arange(SAMPLES) + sample_number) / 48_000
        tone = numpy.sin(times * 440 * 2 * numpy.pi).astype(numpy.float32) / 4
        samples = numpy.repeat(tone, 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, sample_number, Fraction(1, 48_000)
        output.mux(audio.encode(frame))
        sample_number += SAMPLES
    else:
        across = (numpy.arange(640) + frame_number * 4) % 256
        picture = numpy.empty((360, 640, 3), numpy.uint8)
        picture[..., 0] = across
        picture[..., 1] = numpy.arange(360)[:, None] % 256
        picture[..., 2] = 255 - across
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = frame_number, Fraction(1, RATE)
        output.mux(video.encode(frame))
        frame_number += 1
output.close()
