"""A short run of every target of the fuzzer; "make fuzz" is the long one."""

import random
import time
from pathlib import Path

import pytest

import fuzz
from fuzz import TARGETS, Target, mutate, run_target

_INPUTS = {"models": 60, "videos": 40}


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_files_are_read_or_refused_in_little_memory(name: str, tmp_path: Path) -> None:
    *failures, summary = run_target(name, 1, time.monotonic() + 600, _INPUTS.get(name, 300), tmp_path)
    assert not failures
    assert f"{_INPUTS.get(name, 300)} inputs" in summary


def test_each_kind_of_failure_is_found_and_its_input_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(content: bytes, place: Path) -> None:
        number = content[0] % 4
        if number == 1:
            raise ZeroDivisionError("bad")
        if number == 2:
            bytearray(b"x") * 100_000_000
        if number == 3:
            import os

            os.abort()

    monkeypatch.setitem(fuzz.TARGETS, "own", Target(lambda: [bytes(range(k, k + 20)) for k in range(4)], fail, 50))
    *failures, summary = run_target("own", 1, time.monotonic() + 60, 60, tmp_path)
    assert {failure.split(": ")[2] for failure in failures} == {"ZeroDivisionError", "SIGABRT"} | {
        failure.split(": ")[2] for failure in failures if "expected at most 50" in failure
    }
    assert any("expected at most 50" in failure for failure in failures)
    assert len(list(tmp_path.glob("own-1-*.bin"))) == len(failures)
    assert summary.startswith("own: 60 inputs")


def test_the_same_seed_gives_the_same_inputs() -> None:
    seeds = [bytes(range(100)), bytes(50)]
    first, again = (mutate(seeds, random.Random("1 7")) for _ in range(2))
    assert first == again
    assert first not in seeds


@pytest.mark.parametrize("name", ["megadetector", "coco", "labelled-csv", "camtrap-dp", "stations", "manifest"])
def test_mutations_begin_with_files_that_are_read(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    target.read(target.seeds()[0], tmp_path / "input")
