"""A process that decodes photographs: one that kills its native decoder costs that one photograph.

It reads one path a line and answers each with a record: height, width and the pixels, or 0, a length and a message.
"""

import os
import struct
import sys
from pathlib import Path

import cv2

from trailcam_archive.batch.photograph_formats import decode_photograph
from trailcam_core.errors import SourceError
from trailcam_core.images.decode import read_file_bytes
from trailcam_core.images.resize import Image
from trailcam_core.spec import InputSpec

READ_SIZE = InputSpec(1024, 1024, "crop")  # a JPEG is decoded at the fraction of its size that is at least so large
HEAD = struct.Struct("<II")
CODE = f"from {__name__} import main; main()"


def read_photograph(path: Path) -> Image:
    """Decode a photograph to an upright (H, W, 3) uint8 RGB image.

    Raises:
        SourceError: missing, unreadable, or not a picture that can be used.
    """
    return decode_photograph(read_file_bytes(path), str(path), READ_SIZE)


def main() -> None:
    """Be the worker, until its input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    cv2.setNumThreads(1)
    for line in sys.stdin.buffer:
        try:
            image = read_photograph(Path(os.fsdecode(bytes.fromhex(line.decode("ascii")))))
            record = HEAD.pack(*image.shape[:2]) + image.tobytes()
        except SourceError as error:
            message = str(error).encode("utf-8", "surrogateescape")
            record = HEAD.pack(0, len(message)) + message
        try:
            answers.write(record)
            answers.flush()
        except OSError:  # the parent is gone
            os._exit(1)
