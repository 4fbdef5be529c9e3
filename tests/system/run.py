"""Run one system test: ``make system TEST=camera``. docs/system-tests.md describes each."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SYSTEM = Path(__file__).resolve().parent
ROOT = SYSTEM.parents[1]
EDGE = ROOT / "tests" / "edge"

IN_A_DEVICE = ("camera", "streams", "device", "deploy", "fleet", "card", "benchmark", "arm64", "container", "loop")
# Programs that run with a library that lets writes fail: the library's source, then each program and its arguments.
WITH_A_LIBRARY = {
    "store": (EDGE / "power_cut" / "power_cut.c", [EDGE / "store" / "power_cut_run.py"]),
    "update": (
        EDGE / "power_cut" / "power_cut.c",
        [EDGE / "update" / "power_cut_run.py", EDGE / "update" / "power_cut_fetch_run.py"],
    ),
    "update-faults": (EDGE / "update" / "disk_fault.c", [EDGE / "update" / "disk_fault_run.py"]),
}
AND_KILLS = {"store": (EDGE / "store" / "kill_run.py", "200"), "update-faults": (EDGE / "update" / "kill_run.py", "")}
SCRIPTS = {"flips": EDGE / "store" / "flip_run.py"}
# numpy below 2 is required by the oldest runtimes, and OpenCV 4.11 is the last release that accepts it.
_OLD = ("numpy<2", "opencv-python-headless==4.11.0.86", "tqdm")
RUNTIMES = {  # packages, then the script and its leading arguments
    "tflite-runtime": (("tflite-runtime==2.14.0", *_OLD), ("replay_bundles.py", "tflite")),
    "litert": (("ai-edge-litert==2.1.0", *_OLD), ("replay_bundles.py", "tflite")),
    "onnxruntime": (("onnxruntime==1.17.3", "ai-edge-litert==2.1.0", *_OLD), ("replay_bundles.py", "onnx")),
    "mediapipe": (("mediapipe", "ai-edge-litert", "tqdm"), ("mediapipe_labels.py",)),
}
CLUSTER = (
    "ray",
    "pyarrow",
    "fsspec",
    "numpy",
    "opencv-python-headless",
    "ai-edge-litert",
    "tqdm",
    "tuf",
    "backports.zstd",
)
S3 = (*CLUSTER, "s3fs", "moto[server]", "PyYAML")
TESTS = (*IN_A_DEVICE, *WITH_A_LIBRARY, *SCRIPTS, *RUNTIMES, "cluster", "s3")


def main(words: list[str]) -> int:
    """Run the test that the first word names, with the other words as its arguments; return its exit code."""
    name = words[0] if words else ""
    if name in IN_A_DEVICE:
        return subprocess.call([sys.executable, str(SYSTEM / f"system_test_{name}.py"), *words[1:]])
    if name in WITH_A_LIBRARY:
        return _run_with_a_library(name)
    if name in SCRIPTS:
        return subprocess.call([sys.executable, str(SCRIPTS[name]), *words[1:]])
    if name in RUNTIMES:
        packages, (script, *first) = RUNTIMES[name]
        return _run_with_packages(name, packages, ROOT / "tests" / "environments" / script, [*first, *words[1:]])
    if name in ("cluster", "s3"):
        packages = CLUSTER if name == "cluster" else S3
        return _run_with_packages(name, packages, SYSTEM / f"system_test_{name}.py", words[1:])
    print(f"TEST={name}: no such system test, expected one of {', '.join(TESTS)}.", file=sys.stderr)
    return 2


def _run_with_a_library(name: str) -> int:
    source, programs = WITH_A_LIBRARY[name]
    with tempfile.TemporaryDirectory(prefix="trailcam-system-") as folder:
        library = Path(folder) / "library.so"
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        path = os.pathsep.join(filter(None, [str(EDGE / "power_cut"), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": path}
        for number, program in enumerate(programs):
            done = subprocess.call([sys.executable, str(program), f"{folder}/{number}"], env=environment)
            if done:
                return done
        if name in AND_KILLS:
            program, count = AND_KILLS[name]
            return subprocess.call([sys.executable, str(program), f"{folder}/kills", *filter(None, [count])])
    return 0


def _run_with_packages(name: str, packages: tuple[str, ...], script: Path, words: list[str]) -> int:
    """Run a script in an environment with other packages; a package without a wheel skips the test."""
    environment = ROOT / f".venv-{name}"
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    if subprocess.call(pip):
        shutil.rmtree(environment)
        print(f"skipped: {name} has no wheel for this Python and machine.")
        return 0
    path = os.pathsep.join(str(ROOT / part) for part in ("core", "edge", "archive", "cli"))
    program = [str(python), str(script), *words]
    return subprocess.call(program, env=os.environ | {"PYTHONPATH": path})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
