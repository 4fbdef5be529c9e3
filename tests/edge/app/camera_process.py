"""A camera in a process that may be killed: ``camera_process.py CONFIG SCRIPT``.

``SCRIPT`` are the frames of a live source at 5 per second: "red*9 grey*200". For each frame a line
"frame COLOUR TIME" is printed, with the monotonic time at which it left the source.
"""

import importlib.util
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from trailcam_edge.app.services import DeviceServices
from trailcam_edge.config.camera_toml import read_config
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import watch

STEP_S = 0.2


def main(config_path: str, script: str) -> None:
    """Watch the script to its end."""
    path = Path(__file__).parents[1] / "live_fakes.py"
    spec = importlib.util.spec_from_file_location("live_fakes", path)
    assert spec is not None
    assert spec.loader is not None
    fakes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fakes)

    def frames() -> Iterator[str | float | Exception]:
        start_s = time.monotonic()
        number = 0
        for part in script.split():
            colour, _, times = part.partition("*")
            for _ in range(int(times)):
                number += 1
                print(f"frame {colour} {time.monotonic()}", flush=True)
                yield colour
                yield max(0.0, start_s + number * STEP_S - time.monotonic())

    config = read_config(Path(config_path))
    source = fakes.ScriptedSource(frames, "live")
    results: list[float] = []
    with DeviceServices(config, "1.0") as services:
        print("open", flush=True)
        for event in watch(lambda: source, fakes.ColourClassifier(), config, changes=config.wants_changes):
            services.handle_event(event, "colours 1")
            if isinstance(event, FrameResult):
                results.append(time.monotonic())
    if len(results) > 1:
        print(f"rate {(len(results) - 1) / (results[-1] - results[0])}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
