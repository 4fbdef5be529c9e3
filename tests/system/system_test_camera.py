"""Rehearse the Raspberry Pi camera: the real Picamera2 and libcamera, on libcamera's virtual pipeline.

It replays our demonstration frames; ``camera_inside.py`` is what runs in the root. Run as root:
``python tests/system/system_test_camera.py``, or ``make system TEST=camera``.
"""

import json
import subprocess
import sys
from pathlib import Path

import recipes
import roots
from checks import LACKING, Checks
from demo_frames import write_jpegs

_PIPELINE = "/usr/share/libcamera/pipeline/virtual/virtual.yaml"
_PYTHON = f"{roots.VENV}/bin/python"
_PREPARE = """
    gcc -shared -fPIC -O2 -o /tmp/fakedma.so /rig/fakedma.c
    {python} -m pip install --quiet --no-deps --no-index /wheel/*.whl
"""


def main() -> int:
    """Rehearse; return the exit code."""
    roots.require()
    checks = Checks()
    root = roots.cached(recipes.CAMERA)
    with roots.scratch_folder() as scratch:
        wheel = roots.build_wheel(scratch / "wheel")
        # Not in the folder of the frames: the virtual pipeline takes every file there for a picture.
        (scratch / "labels.json").write_text(json.dumps(write_jpegs(scratch / "frames")))
        binds = [(roots.HERE, "/rig"), (wheel.parent, "/wheel"), (scratch / "labels.json", "/labels.json")]
        binds.append((scratch / "frames", "/frames"))
        camera = [*binds, (roots.HERE / "virtual.yaml", _PIPELINE)]
        _run(root, scratch, binds, ["sh", "-euc", _PREPARE.format(python=_PYTHON)]).check_returncode()
        found = _run(root, scratch, camera, _inside("main"), capture=False)
        checks.check("everything inside of the root", found.returncode == 0, f"exit code {found.returncode}")
        listed = _run(
            root,
            scratch,
            camera,
            ["env", "PYTHONPATH=/rig", "LD_PRELOAD=/tmp/fakedma.so", _PYTHON, "-m", "trailcam", "cameras"],
        )
        checks.check('"trailcam cameras" lists the camera', "picamera2" in listed.stdout, _line(listed, "picamera2"))
        none = _run(root, scratch, binds, _inside("open"))
        checks.check(
            "without a camera the cable is named", "no camera was found" in none.stderr, _line(none, "no camera")
        )
        bare = _run(root, scratch, camera, _inside("open", preload=False))
        if Path("/dev/dma_heap").exists() or Path("/dev/udmabuf").exists():
            checks.skip("without a DMA heap the cure is told", "this kernel has one")
        else:
            checks.check(
                "without a DMA heap the cure is told", "no DMA heap" in bare.stderr, _line(bare, "no DMA heap")
            )
    return checks.finish("system test camera")


def _inside(job: str, preload: bool = True) -> list[str]:
    preloaded = ["LD_PRELOAD=/tmp/fakedma.so"] if preload else []
    quiet = "LIBCAMERA_LOG_LEVELS=*:ERROR"
    return ["env", "PYTHONPATH=/rig", quiet, *preloaded, _PYTHON, "/rig/camera_inside.py", job]


def _run(
    root: Path, scratch: Path, binds: list[tuple[Path, str]], command: list[str], capture: bool = True
) -> subprocess.CompletedProcess[str]:
    entered = roots.entered(root, command, scratch / "overlay", binds)
    return subprocess.run(entered, stdin=subprocess.DEVNULL, capture_output=capture, text=True, timeout=300)


def _line(found: subprocess.CompletedProcess[str], wanted: str) -> str:
    """Return the line with the wanted words, or else the last one."""
    lines = (found.stdout + found.stderr).strip().splitlines() or ["nothing was printed"]
    return next((line for line in lines if wanted in line), lines[-1])[:160]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test camera: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
