"""``trailcam benchmark`` from the command line, with real processes on the built-in bundle."""

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trailcam.commands import benchmark
from trailcam.main import main
from trailcam_benchmarks.worker.spawn import WorkerError
from trailcam_core.classifier import BUILTIN_BUNDLE

FEW = ["--frames", "2", "--rounds", "1", "--min-time", "0s"]


def test_a_run_writes_its_files_and_a_bundle_that_is_none_is_a_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["benchmark", str(BUILTIN_BUNDLE), "nowhere.bundle", *FEW, "--out", str(out), "--budget", "1h"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "animals10" in printed
    assert "nowhere.bundle, model, 1 thread: failed, nowhere.bundle: no such bundle." in printed
    assert "is the best that fits" in printed
    assert sorted(path.name for path in out.iterdir()) == ["benchmark.json", "report.html", "table.md"]
    result = json.loads((out / "benchmark.json").read_text())
    assert [row["state"] for row in result["rows"]] == ["measured", "measured", "failed", "failed"]


def test_no_bundle_that_can_be_measured_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "nowhere.bundle", *FEW]) == 3
    assert "no such bundle" in capsys.readouterr().out


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, fake_processes: Any) -> Any:
    monkeypatch.setattr(benchmark, "local_run", lambda runtimes, cache: fake_processes)
    return fake_processes


@pytest.fixture
def fake_processes() -> Any:
    """A stand-in for the processes, whose time for a frame can be set."""

    class Fake:
        ms = 20.0
        rounds = 0
        interrupt_at: int | None = None

        def __init__(self) -> None:
            self.at: dict[int, Callable[[], None]] = {}  # round -> what happens in it

        def __call__(self, request: Any) -> Any:
            self.rounds += 1
            self.at.get(self.rounds, lambda: None)()
            if self.interrupt_at == self.rounds:
                raise KeyboardInterrupt
            if request.task != "round":
                raise WorkerError("only rounds")
            yield {
                "name": "tiny 1.0.0", "scheme": "int8", "sha256": "0" * 64, "size_bytes": 1, "runtime": "litert 1",
                "stated_top1": None, "load_ms": 1.0, "first_ms": 1.0, "empty_mb": None, "steady_mb": None,
                "peak_mb": None,
                "times_ms": [[1.0, 1.0, self.ms * (0.5 if request.baseline else 1), 1.0]] * request.frames,
            }  # fmt: skip

    return Fake()


def test_a_slower_run_is_exit_code_3_and_the_same_one_is_not(
    tmp_path: Path, pretended: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", "tiny.bundle", "--frames", "80"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    old = str(shutil.copy(tmp_path / "benchmark.json", tmp_path / "old.json"))
    assert main([*words, "--against", old]) == 0
    assert "same " in capsys.readouterr().out
    pretended.ms = 30.0
    assert main([*words, "--against", old]) == 3
    assert "slower " in capsys.readouterr().out


def test_a_budget_that_nothing_fits_is_exit_code_3(pretended: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "tiny.bundle", "--frames", "80", "--budget", "10ms"]) == 3
    assert "no measured bundle fits" in capsys.readouterr().out
    assert main(["benchmark", "tiny.bundle", "--frames", "80", "--budget", "0.066s"]) == 0


def test_an_interrupted_run_keeps_its_files(tmp_path: Path, pretended: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pretended.interrupt_at = 4
    assert main(["benchmark", "tiny.bundle", "--frames", "80", "--out", str(tmp_path), "--json"]) == 130
    captured = capsys.readouterr()
    assert "interrupted" in captured.err
    printed = json.loads(captured.out)
    assert printed == json.loads((tmp_path / "benchmark.json").read_text())
    assert printed["complete"] is False
    assert printed["rows"][0]["state"] == "partial"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_asked_to_end_keeps_what_it_has(tmp_path: Path, pretended: Any, number: int) -> None:
    pretended.at[4] = lambda: os.kill(os.getpid(), number)
    former = signal.signal(number, signal.SIG_DFL)  # under nohup SIGHUP is ignored, here and by what is tested
    try:
        assert main(["benchmark", "tiny.bundle", "--frames", "80", "--out", str(tmp_path)]) == 130
    finally:
        signal.signal(number, former)
    found = json.loads((tmp_path / "benchmark.json").read_text())
    assert (found["cut"], found["rows"][0]["state"]) == ("interrupted", "partial")


def test_a_power_cut_leaves_the_rounds_that_were_whole(tmp_path: Path, pretended: Any) -> None:
    seen: list[Any] = []
    pretended.at[7] = lambda: seen.append(json.loads((tmp_path / "benchmark.json").read_text()))
    assert main(["benchmark", "tiny.bundle", "--frames", "80", "--out", str(tmp_path)]) == 0
    (found,) = seen  # of the fourth round, when three are over
    assert (found["complete"], found["cut"]) == (False, "not finished")
    assert [len(row["latency"]["round_p50_ms"]) for row in found["rows"]] == [3, 3]


def test_a_full_disk_costs_the_files_and_not_what_is_printed(
    tmp_path: Path, pretended: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(benchmark, "write_result", full)
    assert main(["benchmark", "tiny.bundle", "--frames", "80", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "tiny 1.0.0 int8" in captured.out
    assert captured.err.count("unfinished results are not kept") == 1
    assert "the disk is full" in captured.err


def test_a_soak_that_was_asked_for_and_did_not_last_is_exit_code_3(
    pretended: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "tiny.bundle", "--frames", "8", "--soak", "10s"]) == 3
    assert "soak of tiny.bundle: no sample. Cut short: only rounds" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--threads", "0"], ["--soak", "30"], ["--rounds", "-1"], ["--budget", "fast"]])
def test_a_wrong_option_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["benchmark", *words])
    assert words[0] in capsys.readouterr().err


def test_pictures_are_labelled_by_their_folder_and_spread_evenly(tmp_path: Path) -> None:
    for label in ("fox", "hare"):
        (tmp_path / label).mkdir()
        for number in range(5):
            (tmp_path / label / f"{number}.jpg").touch()
    assert [picture.label for picture in benchmark.read_pictures(tmp_path, 4)] == ["fox", "fox", "hare", "hare"]
    assert len(benchmark.read_pictures(tmp_path, 1000)) == 10


def test_folders_of_animals10_have_the_labels_of_the_built_in_bundle(tmp_path: Path) -> None:
    for folder in ("cane", "gatto"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.jpg").touch()
    assert [picture.label for picture in benchmark.read_pictures(tmp_path, 9)] == ["dog", "cat"]
    assert [picture.label for picture in benchmark.read_pictures(tmp_path, 9, "none")] == ["cane", "gatto"]


def test_pictures_without_a_label_are_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loose.jpg").touch()
    assert main(["benchmark", "--data", str(tmp_path), *FEW]) == 1
    assert "is in no folder of a label" in capsys.readouterr().err
    assert main(["benchmark", "--against", str(tmp_path / "missing.json"), *FEW]) == 1
