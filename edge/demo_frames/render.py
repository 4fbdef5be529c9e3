"""Make the demo frames: `python render.py OUT`, with numpy, opencv-python-headless and scikit-image installed.

Everything comes from fixed seeds: same packages, same frames. About four minutes on one core.
"""

import argparse
import json
import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
from camera import encode, expose
from scenes import PROGRAMME, play

QUALITY = 60  # WebP of 640x480 in about 16 kB: all 50 frames stay below 900 kB


def shoot(animal: str, quality: int) -> list[tuple[dict[str, str | None], bytes]]:
    """Render the scenes of one animal: for each frame its entry without a file name, and its WebP bytes."""
    cv2.setNumThreads(1)
    frames = []
    for number, picture in enumerate(play(animal)):
        seed = zlib.crc32(f"{animal} {number}".encode())
        frame = expose(picture.image, seed, picture.zoom, picture.shift, noise=0.004)
        entry = {
            "scene": picture.scene,
            "expected": picture.label,
            "origin": picture.origin,
            "licence": picture.licence,
        }
        frames.append((entry, encode(frame, quality)))
    return frames


def main() -> None:
    """Write 000.webp ... and frames.json into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for 000.webp ... and frames.json")
    parser.add_argument("--animals", nargs="*", default=PROGRAMME, choices=PROGRAMME, metavar="ANIMAL")
    parser.add_argument("--quality", type=int, default=QUALITY, help="of the WebP files, 1 to 100")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, str | None]] = []
    total = 0
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for frames in pool.map(partial(shoot, quality=arguments.quality), arguments.animals):
            for entry, data in frames:
                name = f"{len(entries):03}.webp"
                (out / name).write_bytes(data)
                entries.append({"file": name, **entry})
                total += len(data)
                print(name, entry["scene"], entry["expected"] or "-", len(data), flush=True)
    (out / "frames.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    print(f"{len(entries)} frames, {total} bytes")


if __name__ == "__main__":
    main()
