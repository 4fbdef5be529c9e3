"""The process that makes an MP4 file of compressed frames: it reads standard input, and writes standard output.

    {"kind": "jpeg", "times_ms": [0, 125, ...], "bytes": [45120, ...], "max_kbit_s": 1500}
    the frames, one after the other
    ->  {"bytes": 812345} and the file, or {"error": "..."}

It has the lowest priority, a limit of memory, and neither files nor a network. Where memory is short it is the first
that the kernel ends. The file is made in memory, so nothing is left of one that is not finished. JPEG becomes H.264 by
libx264, or VP9 where FFmpeg has no libx264; H.264 of a camera is packed as it is.
"""

import contextlib
import io
import json
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

_MAX_MEMORY_BYTES = 400_000_000
_MAX_REASON = 500  # characters: the answer has to be one short line
_MILLISECOND = Fraction(1, 1000)
_KEY_EVERY_MS = 2000  # a player can begin there
_ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": "27", "threads": "1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "40", "b": "0", "threads": "1"},
}


def make_clip(header: dict[str, Any], frames: Iterable[bytes]) -> bytes:
    """Return the MP4 file.

    Raises:
        ValueError: no frame can be decoded, or there is no encoder.
        OSError: FFmpeg fails.
    """
    import av

    place = os.memfd_create("clip")  # a file for FFmpeg, which reads it once more to put the index in front
    try:
        # Without "faststart" a player has to find the end of the file first.
        with av.open(f"/proc/self/fd/{place}", "w", format="mp4", options={"movflags": "+faststart"}) as output:
            if header["kind"] == "jpeg":
                _encode(output, header, frames)
            else:
                _pack(output, header["times_ms"], frames)
        with os.fdopen(place, "rb", closefd=False) as file:
            file.seek(0)
            return file.read()
    finally:
        os.close(place)


def _encode(output: Any, header: dict[str, Any], frames: Iterable[bytes]) -> None:
    import av

    stream, size, next_key_ms = None, (0, 0), -1
    for time_ms, image in _decode(header["times_ms"], frames):
        if stream is None:
            size = (max(2, image.width // 2 * 2), max(2, image.height // 2 * 2))  # chroma needs even sides
            stream = _open_stream(output, size, header)
        # A camera that changed its size: the clip keeps that of its first frame.
        image = image.reformat(*size, format="yuv420p")
        image.pts, image.time_base = time_ms, _MILLISECOND
        if time_ms >= next_key_ms:
            image.pict_type, next_key_ms = av.video.frame.PictureType.I, time_ms + _KEY_EVERY_MS
        else:
            image.pict_type = av.video.frame.PictureType.NONE
        output.mux(stream.encode(image))
    if stream is None:
        raise ValueError("no frame can be decoded")
    output.mux(stream.encode(None))


def _decode(times_ms: Sequence[int], frames: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """Yield the frames that can be decoded."""
    import av

    decoder = av.CodecContext.create("mjpeg", "r")
    for time_ms, content in zip(times_ms, frames, strict=True):
        try:
            images = decoder.decode(av.Packet(content))
        except av.error.FFmpegError:
            continue
        for image in images:
            yield time_ms, image


def _open_stream(output: Any, size: tuple[int, int], header: dict[str, Any]) -> Any:
    import av

    name = next((name for name in _ENCODERS if name in av.codecs_available), None)
    if name is None:
        raise ValueError(f"PyAV has none of the encoders {', '.join(_ENCODERS)}")
    rate = f"{header['max_kbit_s']}k"
    limits = {"maxrate": rate, "bufsize": rate}
    stream = output.add_stream(name, rate=30, options=_ENCODERS[name] | limits)
    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
    stream.time_base = stream.codec_context.time_base = _MILLISECOND
    return stream


def _pack(output: Any, times_ms: Sequence[int], frames: Iterable[bytes]) -> None:
    """Put H.264 of a camera into the file without decoding it."""
    import av

    with av.open(io.BytesIO(b"".join(frames)), format="h264") as source:
        stream = output.add_stream_from_template(source.streams.video[0])
        stream.time_base = _MILLISECOND
        number = 0
        for packet in source.demux(video=0):
            if packet.size and number < len(times_ms):
                packet.pts = packet.dts = times_ms[number]  # no picture refers to a later one
                packet.duration = max(1, times_ms[min(number + 1, len(times_ms) - 1)] - times_ms[number])
                packet.time_base, packet.stream = _MILLISECOND, stream
                output.mux(packet)
                number += 1
    if not number:
        raise ValueError("no picture of H.264 was found")


def main(source: BinaryIO, target: BinaryIO) -> None:
    """Answer one request."""
    with contextlib.suppress(PermissionError):  # the unit of a former version forbids it
        os.nice(19)
    with contextlib.suppress(OSError):  # where memory is short, this process ends first and not the camera: proc(5)
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for request in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # a service manager sends them to all processes
        signal.signal(request, signal.SIG_IGN)  # the camera ends this one when its time is up
    resource.setrlimit(resource.RLIMIT_DATA, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    header = json.loads(source.readline())
    frames = (source.read(size) for size in header["bytes"])  # one at a time: together they may exceed the limit
    try:
        content = make_clip(header, frames)
    except Exception as error:  # the boundary of the process: its traceback is not read, and FFmpeg has many errors
        for _ in frames:
            pass  # the camera reads the answer when it has written all of them
        target.write(json.dumps({"error": f"{type(error).__name__}: {error}"[:_MAX_REASON]}).encode() + b"\n")
        return
    target.write(json.dumps({"bytes": len(content)}).encode() + b"\n" + content)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.flush()
