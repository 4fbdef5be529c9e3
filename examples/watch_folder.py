"""Watch a folder of photographs, a video or a camera: ``python examples/watch_folder.py clip.mp4``.

Photographs have no time between them, so each is an answer by itself. Frames of a video or camera become visits.
"""

import sys
from functools import partial
from pathlib import Path

from trailcam import Classifier, TrailcamError
from trailcam_edge.events import Visit
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import watch
from trailcam_edge.sources import open_source


def main(source: str) -> int:
    """Print the answer for each photograph, or each visit when it ends."""
    try:
        # A source is also "picamera2", "0" or "rtsp://...". Unreadable photographs are printed and skipped.
        for event in watch(partial(open_source, source, print), Classifier.open()):
            if isinstance(event, Visit):
                seconds = event.ended.monotonic_s - event.started.monotonic_s
                print(f"visit: {event.label} {event.confidence:.0%}, {seconds:.1f} s, {event.frames} frames")
            elif isinstance(event, FrameResult) and Path(source).is_dir():
                print(f"{event.frame.name}: {event.outcome}")
    except TrailcamError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
