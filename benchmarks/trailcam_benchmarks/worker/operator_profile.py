"""LiteRT's profile of a model: the time of each operator.

    python -m trailcam_benchmarks.worker.operator_profile model.tflite 64         the text of LiteRT

LiteRT has no Python interface for profiles. Its C library has one, which is called here through ctypes, in a separate
process: these functions may change, and any failure there becomes one error here. Tested with LiteRT 2.3.
Source: litert/c/litert_profiler.h and litert_compiled_model.h.

The figures are means with one thread, and profiling itself takes time: they are proportions, not absolute times.
XNNPACK runs a 1x1 convolution as "Fully Connected".
"""

import ctypes
import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trailcam_core.bundle.folder import Bundle
from trailcam_core.errors import DeviceError
from trailcam_core.inference.runtimes import find_runtime

WARMUP_FRAMES = 5
_LIMIT_S = 600.0
_SHOWN = 10
_FIRST_TABLE = "Run Order"
_CPU, _WRITE = 1, 1  # kLiteRtHwAcceleratorCpu, kLiteRtTensorBufferLockModeWrite
_TYPE_BYTES = 256  # more than a LiteRtRankedTensorType
_LINE = re.compile(
    r"\s*(?P<kind>\S.*?)\s+[\d.]+\s+[\d.]+\s+(?P<mean_ms>[\d.]+)\s+(?P<share>[\d.]+)%\s+[\d.]+%\s+\S+\s+\d+\s+"
    r"(?P<name>\S.*?)\s*"
)


@dataclass(frozen=True)
class Operator:
    """One operator in the order of the model: mean time per picture in ms, share of the whole from 0 to 1."""

    kind: str
    name: str
    mean_ms: float
    share: float


@dataclass(frozen=True)
class Profile:
    """Times of the operators of a bundle, from LiteRT's profile."""

    bundle: str
    sha256: str
    runtime: str
    frames: int
    operators: tuple[Operator, ...]

    @property
    def total_ms(self) -> float:
        """Of one picture, profiling included."""
        return sum(operator.mean_ms for operator in self.operators)


def profile_bundle(bundle: Bundle, frames: int) -> Profile:
    """Profile a TFLite bundle with one thread on random pixels.

    Args:
        bundle: its model takes (1, H, W, 3) uint8.
        frames: how many to take the mean of, at least 1.

    Raises:
        DeviceError: the model is no TFLite file, LiteRT is not installed, or this one cannot be profiled.
    """
    manifest = bundle.manifest
    title = f"{manifest.name} {manifest.version} {manifest.model.scheme}"
    runtime = find_runtime(manifest.model.format)
    if runtime.name != "litert":
        raise DeviceError(f'{title}: a profile is what LiteRT gives of a TFLite file: "pip install ai-edge-litert".')
    command = [sys.executable, "-m", "trailcam_benchmarks.worker.operator_profile", str(bundle.model_path), str(frames)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"{title}: no profile after {_LIMIT_S:.0f} s. Ask for fewer --frames.") from error
    operators = parse_summary(done.stdout)
    if done.returncode != 0 or not operators:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1][:200]
        raise DeviceError(
            f"{title}: LiteRT {runtime.version} gave no profile (exit code {done.returncode}: {last}). LiteRT's own "
            f'"benchmark_model --graph={bundle.model_path} --enable_op_profiling=true" does.'
        )
    return Profile(title, manifest.model.sha256, f"{runtime.package} {runtime.version}", frames, operators)


def parse_summary(text: str) -> tuple[Operator, ...]:
    """Read the first table of LiteRT's text, which has the operators in the order of the model."""
    lines = iter(text.splitlines())
    if not any(_FIRST_TABLE in line for line in lines):
        return ()
    operators = []
    for line in lines:
        if not line.strip():
            break
        found = _LINE.fullmatch(line)
        if found is not None:
            kind = found["kind"].removeprefix("Delegate/")
            operators.append(Operator(kind, found["name"], float(found["mean_ms"]), float(found["share"]) / 100))
    return tuple(operators)


def describe_profile(profile: Profile) -> str:
    """Return a profile as text: by kind of operator, then the slowest."""
    lines = [
        f"{profile.bundle} on {profile.runtime}, one thread: {profile.total_ms:.2f} ms per picture while profiling, "
        f"mean of {profile.frames}",
        f"{'ms':>10}{'share':>9}{'operators':>11}  kind",
    ]
    kinds: dict[str, list[Operator]] = {}
    for operator in profile.operators:
        kinds.setdefault(operator.kind, []).append(operator)
    for kind, found in sorted(kinds.items(), key=lambda item: -_time(item[1])):
        share = _time(found) / (profile.total_ms or 1.0)
        lines.append(f"{_time(found):10.3f}{share:9.1%}{len(found):11}  {kind}")
    lines.append(f"{'ms':>10}{'share':>9}{'':11}  the slowest, by position in the model")
    slowest = sorted(profile.operators, key=lambda each: -each.mean_ms)[:_SHOWN]
    lines += [f"{each.mean_ms:10.3f}{each.share:9.1%}{'':11}  {each.name} {each.kind}" for each in slowest]
    return "\n".join(lines)


def _time(operators: list[Operator]) -> float:
    return sum(operator.mean_ms for operator in operators)


class _LiteRt:
    """LiteRT's library; each call that does not succeed is a ``RuntimeError`` with its name and status."""

    def __init__(self) -> None:
        package = importlib.util.find_spec("ai_edge_litert")
        if package is None or package.origin is None:
            raise RuntimeError("ai-edge-litert is not installed")
        self._library = ctypes.CDLL(str(Path(package.origin).parent / "libLiteRt.so"))

    def call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise RuntimeError(f"{name} returned status {status}")

    def make(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Call a function whose last argument takes a handle, and return that."""
        handle = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(handle))
        return handle


def _summarise(model_path: str, frames: int) -> str:
    """Run a model in this process and return LiteRT's text. Handles are left to the end of the process."""
    litert, libc = _LiteRt(), ctypes.CDLL(None)
    environment = litert.make("LiteRtCreateEnvironment", ctypes.c_int(0), None)
    model = litert.make("LiteRtCreateModelFromFile", environment, ctypes.c_char_p(model_path.encode()))
    options = litert.make("LiteRtCreateOptions")
    litert.call("LiteRtSetOptionsHardwareAccelerators", options, ctypes.c_int(_CPU))
    libc.strdup.restype = ctypes.c_void_p
    text = ctypes.c_void_p(libc.strdup(b"enable_profiling = true\n"))
    free = ctypes.cast(libc.free, ctypes.c_void_p)
    profiling = litert.make("LiteRtCreateOpaqueOptions", ctypes.c_char_p(b"runtime_options_string"), text, free)
    litert.call("LiteRtAddOpaqueOptions", options, profiling)
    compiled = litert.make("LiteRtCreateCompiledModel", environment, model, options)
    profiler = litert.make("LiteRtCompiledModelGetProfiler", compiled)
    zero, one = ctypes.c_size_t(0), ctypes.c_size_t(1)
    graph = litert.make("LiteRtGetModelSubgraph", model, zero)
    pixels, scores = (
        _make_buffer(litert, environment, compiled, graph, direction) for direction in ("Input", "Output")
    )
    _fill(litert, pixels)
    inputs, outputs = (ctypes.c_void_p * 1)(pixels), (ctypes.c_void_p * 1)(scores)
    for number in range(WARMUP_FRAMES + frames):
        if number == WARMUP_FRAMES:
            litert.call("LiteRtStartProfiler", profiler)
        litert.call("LiteRtRunCompiledModel", compiled, zero, one, inputs, one, outputs)
    litert.call("LiteRtStopProfiler", profiler)
    summary = ctypes.c_char_p()
    litert.call("LiteRtGetProfileSummary", profiler, compiled, ctypes.byref(summary))
    return (summary.value or b"").decode()


def _make_buffer(
    litert: _LiteRt, environment: ctypes.c_void_p, compiled: ctypes.c_void_p, graph: ctypes.c_void_p, direction: str
) -> ctypes.c_void_p:
    """Return memory for the only input or output."""
    zero = ctypes.c_size_t(0)
    tensor = litert.make(f"LiteRtGetSubgraph{direction}", graph, zero)
    kind = ctypes.create_string_buffer(_TYPE_BYTES)
    litert.call("LiteRtGetRankedTensorType", tensor, kind)
    needs = litert.make(f"LiteRtGetCompiledModel{direction}BufferRequirements", compiled, zero, zero)
    return litert.make("LiteRtCreateManagedTensorBufferFromRequirements", environment, kind, needs)


def _fill(litert: _LiteRt, pixels: ctypes.c_void_p) -> None:
    """Put noise where the picture goes: black would leave much of a network at zero."""
    size = ctypes.c_size_t()
    litert.call("LiteRtGetTensorBufferPackedSize", pixels, ctypes.byref(size))
    address = ctypes.c_void_p()
    litert.call("LiteRtLockTensorBuffer", pixels, ctypes.byref(address), ctypes.c_int(_WRITE))
    noise = np.random.default_rng(0).bytes(size.value)
    ctypes.memmove(address, noise, size.value)
    litert.call("LiteRtUnlockTensorBuffer", pixels)


def main(words: Sequence[str]) -> int:
    """Print LiteRT's text for a model file and a number of pictures."""
    try:
        print(_summarise(words[0], int(words[1])))
    except (RuntimeError, OSError, AttributeError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
