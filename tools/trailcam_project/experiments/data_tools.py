"""Time of ``trailcam data check``, compared with decoding every picture once.

    python -m trailcam_project.experiments.data_tools DATA

    check    the whole command in a separate process: every file read, hashed, decoded, and compared with all others
    decode   a loop that opens every file with OpenCV at full size and does nothing with it

Both are run in turns, each several times; the median is given, and their ratio in the same round. The first round is
not counted: it brings the files into the memory of the machine.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from trailcam_benchmarks.statistics import Ratio, paired_ratio
from trailcam_core.errors import DataError, TrailcamError
from trailcam_edge.sources import list_pictures

_CHECK_PASSED, _CHECK_FOUND = 0, 3
_DECODE = """
import sys, cv2
for path in sys.stdin.read().splitlines():
    cv2.imread(path)
"""


@dataclass(frozen=True)
class DataToolsReport:
    """Pictures per second of both, start of the process included; ``over_decode`` is the ratio of their times."""

    pictures: int
    rounds: int
    check_hz: float
    decode_hz: float
    over_decode: Ratio


def measure_check(data: Path, rounds: int) -> DataToolsReport:
    """Time both over all pictures below ``data``, ``rounds`` times (at least 1) after one that is not counted.

    Raises:
        SourceError: there is no picture.
        DataError: the check does not run.
    """
    paths = list_pictures(data)
    names = "\n".join(map(str, paths))
    commands = {
        "check": ([sys.executable, "-m", "trailcam", "data", "check", str(data), "--json"], ""),
        "decode": ([sys.executable, "-c", _DECODE], names),
    }
    times_s: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name in commands if number % 2 == 0 else reversed(commands):
            command, given = commands[name]
            start_s = time.perf_counter()
            done = subprocess.run(command, input=given, capture_output=True, text=True)
            if done.returncode not in (_CHECK_PASSED, _CHECK_FOUND):
                last = re.split(r"[\r\n]+", done.stderr.strip())[-1]
                raise DataError(f"{data}: the {name} ended with exit code {done.returncode}: {last}")
            if number:
                times_s[name].append(time.perf_counter() - start_s)
    check_s, decode_s = times_s["check"], times_s["decode"]
    return DataToolsReport(
        pictures=len(paths),
        rounds=rounds,
        check_hz=len(paths) / statistics.median(check_s),
        decode_hz=len(paths) / statistics.median(decode_s),
        over_decode=paired_ratio(check_s, decode_s),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where the data cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.data_tools",
        description="Time trailcam data check against merely decoding every picture.",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of pictures per class")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="counted (3)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    arguments = parser.parse_args(argv)
    try:
        report = measure_check(arguments.data, max(1, arguments.rounds))
    except TrailcamError as error:
        print(f"data_tools: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(asdict(report)))
    else:
        print(
            f"{report.pictures:,} pictures: data check {report.check_hz:,.0f} pictures/s, "
            f"{report.over_decode.value:.2f} times as long as decoding alone ({report.decode_hz:,.0f} pictures/s)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
