"""Self-test of a bundle on this device, in a child process.

    python -m trailcam_edge.update.install.self_test BUNDLE

A damaged model can abort the interpreter and its process: here that is a child process, whose death is a failed test.
The child prints one JSON object on its last line.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from trailcam_core.errors import BundleError, TrailcamError
from trailcam_core.records import Pattern, Range, parse_json
from trailcam_edge.update.install.state_machine import SelfTestResult, judge_self_test
from trailcam_edge.update.settings import UpdateSettings

_MAX_ANSWER_BYTES = 65_536
_TIMEOUT_S = 300.0
_WARMUP = 3
_MEASURED = 20
_SHOWN_CHARACTERS = 200


def run_self_test(bundle: Path, settings: UpdateSettings, timeout_s: float = _TIMEOUT_S) -> str | None:
    """Test a bundle in a child process; return the reason for refusing it, or None."""
    command = [sys.executable, "-P", "-m", __name__, str(bundle)]  # -P: nothing is imported from the working folder
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"the self-test did not end within {timeout_s:.0f} s"
    errors = done.stderr.decode(errors="replace").strip().splitlines()
    last = f": {errors[-1][:_SHOWN_CHARACTERS]}" if errors else ""
    if done.returncode < 0:
        return f"the self-test was killed by signal {-done.returncode}{last}"
    if done.returncode > 0:
        return f"the self-test ended with {done.returncode}{last}"
    try:
        result = _parse(done.stdout[-_MAX_ANSWER_BYTES:].splitlines()[-1:])
    except TrailcamError as error:
        return f"the self-test's answer cannot be read: {error}"
    return judge_self_test(result, settings)


@dataclass(frozen=True)
class _Answer:
    """The line that the child prints."""

    culprit: Annotated[str, Pattern(r".{0,500}", "a text on one line")]
    latency_p90_ms: Annotated[float, Range(0, 1e9)]
    memory_mb: Annotated[float, Range(0, 1e9)]


def _parse(lines: list[bytes]) -> SelfTestResult:
    table, document = parse_json(lines[0] if lines else b"", "self-test", BundleError, _MAX_ANSWER_BYTES)
    answer = document.decode(_Answer, table)
    return SelfTestResult(answer.culprit or None, answer.latency_p90_ms, answer.memory_mb)


def measure(bundle: Path) -> SelfTestResult:
    """Replay the golden vectors in this process and measure latency and memory.

    Raises:
        BundleError: the bundle cannot be trusted or loaded.
        DeviceError: no interpreter is installed.
    """
    import numpy as np

    from trailcam_core.classifier import Classifier

    classifier = Classifier.open(bundle)
    report = classifier.replay_golden()
    source = classifier.bundle.read_golden().source
    times_ms = []
    for _ in range(_WARMUP + _MEASURED):
        start = time.perf_counter()
        classifier.classify(source)
        times_ms.append((time.perf_counter() - start) * 1000)
    p90 = float(np.percentile(times_ms[_WARMUP:], 90))
    return SelfTestResult(report.culprit, p90, _peak_memory_mb())


def _peak_memory_mb() -> float:
    """Return the peak memory of this process, in MB of 10**6 bytes.

    From ``VmHWM``, because ``ru_maxrss`` of a child starts at that of its parent: getrusage(2), proc(5).
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _main(words: list[str]) -> int:
    try:
        result = measure(Path(words[0]))
    except TrailcamError as error:
        print(error, file=sys.stderr)
        return 1
    answer: dict[str, Any] = {
        "culprit": result.culprit or "",
        "latency_p90_ms": result.latency_p90_ms,
        "memory_mb": result.memory_mb,
    }
    print(f"\n{json.dumps(answer)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
