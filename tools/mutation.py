"""Mutation test of the pure modules: change one operator, number or condition at a time and run the module's own tests.

A change that no test notices (a survivor) is a decision that no test pins. Run it about once a month and before a
release; it is not part of the tests.

    make mutate                                   every module of the table
    make mutate MODULES="visits retention"        only modules whose path contains one of these words
    make mutate JOBS=4 MINUTES=20                 four mutants at once, stop after 20 minutes

Cosmic Ray makes the mutants. Each is written into a copy of the checkout and tested in a process that is forked from
this one, which has imported pytest, Hypothesis, NumPy and OpenCV, but nothing of Trailcam: a fresh interpreter would
spend most of the time on imports. The report with every survivor is ``.mutation/report.md``.
"""

import argparse
import difflib
import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2  # noqa: F401 - imported once for all tests
import hypothesis
import numpy as np  # noqa: F401 - imported once for all tests
import pytest
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from tqdm import tqdm

# Each pure module and the tests that must notice a change in it. Paths are relative to the checkout.
MODULES: dict[str, tuple[str, ...]] = {
    "core/trailcam_core/bundle/manifest.py": ("tests/core/bundle/test_manifest.py",),
    "core/trailcam_core/images/header.py": ("tests/core/images/test_header.py",),
    "core/trailcam_core/images/resize.py": ("tests/core/images/test_resize.py",),
    "core/trailcam_core/inference/decision.py": ("tests/core/inference/test_decision.py",),
    "core/trailcam_core/inference/temperature.py": ("tests/core/inference/test_temperature.py",),
    "core/trailcam_core/release/delta.py": ("tests/deploy/release/test_deltas.py",),
    "core/trailcam_core/release/rollout.py": ("tests/core/release/test_rollout.py",),
    "core/trailcam_core/statistics/paired.py": ("tests/core/statistics/test_paired.py",),
    "core/trailcam_core/statistics/wilson.py": ("tests/core/statistics/test_wilson.py",),
    "core/trailcam_core/records/decode.py": ("tests/core/records/test_decode.py",),
    "edge/trailcam_edge/regions/background.py": ("tests/edge/regions/test_background.py",),
    "edge/trailcam_edge/regions/following.py": ("tests/edge/regions/test_following.py",),
    "edge/trailcam_edge/live/access.py": ("tests/edge/live/test_access.py",),
    "edge/trailcam_edge/live/visit_counts.py": ("tests/edge/live/test_visit_counts.py",),
    "edge/trailcam_edge/recognition/visits.py": ("tests/edge/recognition/test_visits.py",),
    "edge/trailcam_edge/recognition/schedule/windows.py": ("tests/edge/recognition/schedule/test_windows.py",),
    "edge/trailcam_edge/sinks/filters.py": ("tests/edge/sinks/test_filters.py",),
    "edge/trailcam_edge/sinks/notify/message.py": ("tests/edge/sinks/notify/test_message.py",),
    "edge/trailcam_edge/store/effort.py": ("tests/edge/store/test_effort.py",),
    "edge/trailcam_edge/store/quota.py": (
        "tests/edge/store/test_quota.py",
        "tests/edge/store/test_event_store.py",
    ),
    "edge/trailcam_edge/store/disk/retention.py": ("tests/edge/store/disk/test_retention.py",),
    "edge/trailcam_edge/store/wall_time.py": ("tests/edge/store/test_wall_time.py",),
    "edge/trailcam_edge/update/fetch/rollback_floor.py": ("tests/edge/update/fetch/test_rollback_floor.py",),
    "edge/trailcam_edge/update/install/journal.py": ("tests/edge/update/install/test_journal.py",),
    "edge/trailcam_edge/update/install/state_machine.py": ("tests/edge/update/install/test_state_machine.py",),
    "export/trailcam_export/gate/criteria.py": ("tests/export/gate/test_criteria.py", "tests/export/gate/test_gate.py"),
    "train/trailcam_train/data/groups.py": ("tests/train/data/test_groups.py",),
    "train/trailcam_train/data/splits.py": ("tests/train/data/test_splits.py",),
}

# One change of each kind at each place. Cosmic Ray's other operators replace an operator by each of the ten others,
# which triples the time, or break a type annotation, which every import notices.
_OPERATORS = re.compile(
    r"core/(AddNot|ExceptionReplacer|NumberReplacer|ZeroIterationForLoop"
    r"|Replace(And|Or|Break|Continue|True|False)With\w+|ReplaceUnaryOperator_\w+"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul)"
    r"|ReplaceComparisonOperator_(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is))"
)
_WORK = ".mutation"
_COPIED = ("*/trailcam*", "tests", "docs", "README.md", "pyproject.toml")
_PYTEST = ("-x", "-q", "--tb=no", "--assert=plain", "-p", "no:cacheprovider")
_MIN_TIMEOUT_S = 20.0
_TIMEOUT_FACTOR = 10.0  # of the tests without a mutant: a mutant that never ends counts as noticed
_POLL_S = 0.005


class MutationError(Exception):
    """A run that cannot begin: a wrong word, a missing file, or tests that fail without a mutant."""


@dataclass(frozen=True)
class Mutant:
    """One change of one module: ``diff`` is the changed lines, "-" before and "+" after."""

    module: str
    operator: str
    line: int
    diff: str
    source: str


@dataclass(frozen=True)
class _Running:
    """A mutant under test in one copy of the checkout."""

    mutant: Mutant
    copy: Path
    end_s: float


def choose_modules(words: Sequence[str], root: Path) -> dict[str, tuple[str, ...]]:
    """Return the modules whose path contains one of ``words`` (all of them without words), with their tests.

    Raises:
        MutationError: a word matches no module, or a path of the table is missing.
    """
    for word in words:
        if not any(word in module for module in MODULES):
            raise MutationError(f"MODULES: no module matches {word!r}, expected part of one of: {', '.join(MODULES)}.")
    chosen = {module: tests for module, tests in MODULES.items() if not words or any(word in module for word in words)}
    missing = [path for module, tests in chosen.items() for path in (module, *tests) if not (root / path).is_file()]
    if missing:
        raise MutationError(f"{root}: no file {', '.join(missing)}. Correct the table in tools/mutation.py.")
    return chosen


def make_mutants(module: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module; decorators are left alone, because ``frozen=False`` changes no decision."""
    for name in sorted(filter(_OPERATORS.fullmatch, operator_names())):
        occurrence = 0
        while (mutated := mutate_code(source, get_operator(name)(), occurrence)) is not None:
            occurrence += 1
            line, diff = _changed_lines(source, mutated)
            if not diff.startswith("-@"):
                yield Mutant(module, name.removeprefix("core/"), line, diff, mutated)


def run_mutants(
    mutants: Sequence[Mutant], tests: dict[str, tuple[str, ...]], copies: Sequence[Path], end_s: float
) -> dict[Mutant, bool]:
    """Test mutants, as many at once as there are copies, until ``time.monotonic()`` reaches ``end_s``.

    Returns:
        Whether a test noticed it, for each mutant that was run.

    Raises:
        MutationError: the tests of a module fail without a mutant.
    """
    timeouts_s = {module: _time_without_mutant(copies[0], module, tests[module]) for module in tests}
    for copy in copies[1:]:
        shutil.copytree(copies[0], copy, symlinks=True)  # with what these runs compiled
    noticed: dict[Mutant, bool] = {}
    idle, running = list(copies), dict[int, _Running]()
    waiting = list(reversed(mutants))
    with tqdm(total=len(mutants), unit="mutant", disable=None) as progress:
        while running or (waiting and time.monotonic() < end_s):
            while idle and waiting and time.monotonic() < end_s:
                mutant, copy = waiting.pop(), idle.pop()
                (copy / mutant.module).write_text(mutant.source, encoding="utf-8")
                pid = _start_tests(copy, tests[mutant.module], compile_to_disk=False)
                running[pid] = _Running(mutant, copy, time.monotonic() + timeouts_s[mutant.module])
            time.sleep(_POLL_S)
            for pid, run in list(running.items()):
                code = _exit_code(pid, run.end_s)
                if code is not None:
                    del running[pid]
                    shutil.copy2(copies[0].with_name("plain") / run.mutant.module, run.copy / run.mutant.module)
                    idle.append(run.copy)
                    noticed[run.mutant] = code != 0
                    progress.update()
    return noticed


def format_report(mutants: Sequence[Mutant], noticed: dict[Mutant, bool]) -> str:
    """Return the report as Markdown: a row for each module, then the survivors as changed lines."""
    made = Counter(mutant.module for mutant in mutants)
    killed = Counter(mutant.module for mutant, was_noticed in noticed.items() if was_noticed)
    survivors = [mutant for mutant in mutants if noticed.get(mutant) is False]
    survived = Counter(mutant.module for mutant in survivors)
    lines = ["| module | mutants | noticed | survived | not run | score |", "|---|--:|--:|--:|--:|--:|"]
    for name, modules in (*((module, [module]) for module in made), ("**all**", list(made))):
        total, found, left = (sum(counts[module] for module in modules) for counts in (made, killed, survived))
        score = f"{found / (found + left):.1%}" if found + left else ""
        lines.append(f"| {name} | {total} | {found} | {left} | {total - found - left} | {score} |")
    for module in survived:
        lines += ["", f"## {module}", "", "```diff"]
        for mutant in sorted(survivors, key=lambda mutant: (mutant.line, mutant.diff)):
            if mutant.module == module:
                lines += [f"# line {mutant.line}, {mutant.operator}", mutant.diff]
        lines.append("```")
    return "\n".join(lines) + "\n"


def _changed_lines(before: str, after: str) -> tuple[int, str]:
    """Return the number of the first changed line and the changed lines, without their indentation."""
    old, new = before.splitlines(), after.splitlines()
    diff: list[str] = []
    first = 0
    for tag, old_start, old_end, new_start, new_end in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if tag != "equal":
            first = first or old_start + 1
            diff += [f"-{line.strip()}" for line in old[old_start:old_end]]
            diff += [f"+{line.strip()}" for line in new[new_start:new_end]]
    return first, "\n".join(diff)


def _time_without_mutant(copy: Path, module: str, tests: Sequence[str]) -> float:
    """Run the tests of a module as it is and return the timeout in seconds for those of its mutants."""
    started_s = time.monotonic()
    pid = _start_tests(copy, tests, compile_to_disk=True)
    while (code := _exit_code(pid, float("inf"))) is None:
        time.sleep(_POLL_S)
    if code:
        raise MutationError(f"{module}: its tests fail without a mutant. Run: pytest {' '.join(tests)}")
    return max(_MIN_TIMEOUT_S, _TIMEOUT_FACTOR * (time.monotonic() - started_s))


def _start_tests(copy: Path, tests: Sequence[str], compile_to_disk: bool) -> int:
    """Return the process that runs tests in a copy of the checkout and exits with pytest's code."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        os.chdir(copy)
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        roots = sorted({str(path.parent) for path in copy.glob("*/trailcam*")})
        sys.path[:0] = roots
        os.environ["PYTHONPATH"] = os.pathsep.join(roots)  # for tests that start Python
        # A mutant that were compiled to disk could be taken for another one of the same second and size.
        sys.dont_write_bytecode = not compile_to_disk
        code = int(pytest.main([*_PYTEST, f"--basetemp={copy}.tmp", *tests]))
    finally:
        os._exit(code)


def _exit_code(pid: int, end_s: float) -> int | None:
    """Return the exit code of a process, None while it runs; after ``end_s`` it is killed with those it started."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        return os.waitstatus_to_exitcode(status)
    if time.monotonic() > end_s:
        os.killpg(pid, signal.SIGKILL)
    return None


def _copy_checkout(root: Path, copy: Path) -> None:
    for pattern in _COPIED:
        for path in root.glob(pattern):
            target = copy / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy2(path, target)


def main() -> int:
    """Run the command line; return 1 if the run cannot begin, else 0 even if mutants survived."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("modules", nargs="*", help="parts of the paths of the modules to mutate; all if left out")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout, default the current folder")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at once, default 1")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after this time, default 60")
    options = parser.parse_args()
    root = options.root.resolve()
    end_s = time.monotonic() + 60 * options.minutes
    # The same examples for every mutant, and no time spent on a smaller example of a failure.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutation", derandomize=True, database=None, deadline=None, phases=phases)
    hypothesis.settings.load_profile("mutation")
    work = root / _WORK
    shutil.rmtree(work, ignore_errors=True)
    try:
        tests = choose_modules(options.modules, root)
        _copy_checkout(root, work / "plain")
        shutil.copytree(work / "plain", work / "copy-0", symlinks=True)
        mutants = [
            mutant for module in tests for mutant in make_mutants(module, (root / module).read_text(encoding="utf-8"))
        ]
        copies = [work / f"copy-{number}" for number in range(options.jobs)]
        noticed = run_mutants(mutants, tests, copies, end_s)
    except MutationError as error:
        print(error, file=sys.stderr)
        return 1
    report = format_report(mutants, noticed)
    (work / "report.md").write_text(report, encoding="utf-8")
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
