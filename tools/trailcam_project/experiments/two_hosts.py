"""How many pictures a second two hosts of one core each train on, compared with one: the same training, in turns.

    python -m trailcam_project.experiments.two_hosts DATA --rounds 3 --ceiling

Every host is a process on one core that computes with one thread, on Keras' backend JAX. Two hosts talk over the
loopback interface. Each runs a whole training of one epoch on the same pictures: it scans, learns, validates and
evaluates. ``rate_hz`` counts the steps after the first few, in which JAX compiles. ``core_ms`` is the processor time of
all hosts for a picture of these steps; unlike the rate it hardly depends on what else runs on the machine.

``--ceiling`` also runs two trainings at once that do not know of each other. Cores share caches and memory, so these
two are slower than one alone; ``rate_ratio`` divided by ``ceiling_ratio`` is what is lost by the exchange.

The exit code is 3 if the figures of the trainings differ: loss, validation, test. The learning rate is low: Adam turns
differences of rounding in gradients near zero into whole steps, and the time does not depend on the rate.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trailcam.process.reused_memory import reuse_large_buffers
from trailcam_benchmarks.session.accuracy_pictures import find_pictures, sample_evenly
from trailcam_core.errors import DataError, TrailcamError

_COMPILING_STEPS = 4
_LEARNING_RATE = 1e-4
_STRANGERS = 0  # in place of a number of hosts: two that train alone, at the same time
_TRAINED_FRACTION = 0.7  # of the pictures, by the split of every recipe
_TOLERANCE = 1e-2  # relative, of losses: the sums of two hosts have another order, and 40 steps amplify that
_CHECK_FAILED = 3
_MODULE = "trailcam_project.experiments.two_hosts"


@dataclass(frozen=True)
class HostFigures:
    """Pictures/s of all hosts and their number, this host's processor time in s and memory, and figures of its run."""

    rate_hz: float
    pictures: int
    steps_core_s: float
    whole_core_s: float
    peak_mb: float
    losses: dict[str, float]


def train_here(data: Path, recipe_name: str, batch_size: int, runs: Path) -> dict[str, Any]:
    """Train one epoch in this process, which may be one of several hosts, and return the fields of its figures.

    Raises:
        TrailcamError: as the training raises it.
    """
    from trailcam_train.fitting.multi_host import join_hosts
    from trailcam_train.recipes.find import find_recipe
    from trailcam_train.run.training import TrainingRequest, start_training

    join_hosts()
    marks: list[tuple[float, float]] = []

    def progress(stage: str, done: int, total: int, note: str = "") -> None:  # noqa: ARG001 (the signature of Progress)
        if stage == "training" and done in (_COMPILING_STEPS, total):
            marks.append((time.monotonic(), time.process_time()))
            steps.append(done)

    steps: list[int] = []
    found = find_recipe(recipe_name)
    phase = replace(
        found.phases[-1], epochs=1, first_layer="", views=0, warmup_epochs=0.0, learning_rate=_LEARNING_RATE
    )
    size = replace(found.input, height=128, width=128)
    recipe = replace(found, phases=(phase,), weights="none", input=size, batch_size=batch_size)
    run = start_training(TrainingRequest(data, recipe, runs / "run", label_map="none"), progress)
    (began, began_core), (ended, ended_core) = marks
    last = (run.path / "history.csv").read_text(encoding="utf-8").splitlines()
    epoch = dict(zip(last[0].split(","), last[-1].split(","), strict=True))
    losses = {name: float(epoch[name]) for name in ("loss", "validation_loss", "validation_accuracy")}
    return {
        "rate_hz": (steps[1] - steps[0]) * batch_size / (ended - began),
        "steps_core_s": ended_core - began_core,
        "pictures": (steps[1] - steps[0]) * batch_size,
        "whole_core_s": time.process_time(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "losses": {**losses, "test_top1": float(run.metrics["test"]["top1"])},
    }


def measure(words: Sequence[str], hosts: int, folder: Path) -> list[HostFigures]:
    """Run one training on ``hosts`` processes, one for each core.

    Args:
        words: data folder, recipe and batch size.
        hosts: 1 or more, or ``_STRANGERS``.
        folder: for the runs.

    Raises:
        DataError: a host failed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cores = sorted(os.sched_getaffinity(0))
    running = []
    with ExitStack() as stack:
        for number in range(hosts or 2):
            runs = folder / f"{hosts}-{number}-{time.monotonic_ns()}"
            command = [sys.executable, "-m", _MODULE, *words, "--as-host", str(runs), "--core", str(cores[number])]
            process = subprocess.Popen(
                command,
                env=_environment(address, hosts, number),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            running.append(process)
        found = []
        for process in running:
            printed, errors = process.communicate()
            if process.returncode:
                raise DataError(f"a host ended with exit code {process.returncode}: {errors[-1000:]}")
            found.append(HostFigures(**json.loads(printed.splitlines()[-1])))
    return found


def _environment(address: str, hosts: int, number: int) -> dict[str, str]:
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": one_thread, "OMP_NUM_THREADS": "1"}
    if hosts > 1:
        environment |= {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(hosts),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(number),
        }
    return environment


def compare(ways: dict[int, list[list[HostFigures]]]) -> dict[str, Any]:
    """Return the medians over the rounds of each number of hosts, and two hosts compared with one.

    Args:
        ways: for each number of hosts, the figures of its hosts in each round; ``_STRANGERS`` may be among them.
    """
    strangers = ways.get(_STRANGERS, [])
    ways = {count: rounds for count, rounds in ways.items() if count != _STRANGERS}
    rates = {count: statistics.median(hosts[0].rate_hz for hosts in rounds) for count, rounds in ways.items()}
    core_ms = {
        count: statistics.median(
            1000 * sum(host.steps_core_s for host in hosts) / hosts[0].pictures for hosts in rounds
        )
        for count, rounds in ways.items()
    }
    whole = {
        count: statistics.median(max(host.whole_core_s for host in hosts) for hosts in rounds)
        for count, rounds in ways.items()
    }
    losses = {count: rounds[0][0].losses for count, rounds in ways.items()}
    worst = max(
        abs(host.losses[name] - value) / max(1.0, abs(value))
        for name, value in losses[1].items()
        for rounds in ways.values()
        for hosts in rounds
        for host in hosts
    )
    ceiling = statistics.median(sum(host.rate_hz for host in hosts) for hosts in strangers) if strangers else None
    return {
        "rate_hz": rates,
        "rate_ratio": rates[2] / rates[1],
        "ceiling_ratio": None if ceiling is None else ceiling / rates[1],
        "core_ms": core_ms,
        "core_ratio": core_ms[2] / core_ms[1],
        "peak_mb": {count: max(host.peak_mb for hosts in rounds for host in hosts) for count, rounds in ways.items()},
        "whole_core_s": whole,
        "whole_core_ratio": whole[1] / whole[2],
        "figures": losses,
        "worst_difference": worst,
        "agree": worst <= _TOLERANCE,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a training failed, 3 where the figures of the trainings differ."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.two_hosts",
        description="Pictures per second of two hosts of one core each, and of one.",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of pictures per class")
    parser.add_argument(
        "--recipe", default="cnn", metavar="NAME", help="trained at 128 px, from nothing (default: cnn)"
    )
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="pictures of a step, of all hosts (32)")
    parser.add_argument("--steps", type=int, default=40, metavar="N", help="of the epoch (40)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="of one host and two in turns (1)")
    parser.add_argument("--ceiling", action="store_true", help="also two trainings that do not share anything")
    parser.add_argument("--as-host", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, metavar="N", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    try:
        if given.as_host is not None:
            os.sched_setaffinity(0, {given.core})
            reuse_large_buffers(os.environ)  # as "trailcam train" does
            print(json.dumps(train_here(given.data, given.recipe, given.batch, given.as_host)))
            return 0
        with tempfile.TemporaryDirectory() as name:
            found = _measure_rounds(given, Path(name))
    except TrailcamError as error:
        print(f"two_hosts: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    return 0 if found["agree"] else _CHECK_FAILED


def _measure_rounds(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    if len(os.sched_getaffinity(0)) < 2:
        raise DataError("expected two cores, one for each host.")
    data = _link_sample(given.data, round(given.steps * given.batch / _TRAINED_FRACTION), folder / "data")
    words = [str(data), "--recipe", given.recipe, "--batch", str(given.batch)]
    ways: dict[int, list[list[HostFigures]]] = {1: [], 2: [], **({_STRANGERS: []} if given.ceiling else {})}
    for _ in range(given.rounds):
        for count, rounds in ways.items():
            rounds.append(measure(words, count, folder))
    return compare(ways)


def _link_sample(data: Path, count: int, folder: Path) -> Path:
    """Return a folder of links to ``count`` of the pictures, evenly spread over the classes."""
    for number, picture in enumerate(sample_evenly(find_pictures(data), count)):
        link = folder / picture.label / f"{number}{picture.path.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(picture.path.resolve())
    return folder


if __name__ == "__main__":
    sys.exit(main())
