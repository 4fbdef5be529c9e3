"""The project's own figures: parts that are kept, left out, stale, cut and gone on with."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.host.machine import Condition, describe_machine
from trailcam_benchmarks.results.schema import Result, read_result, to_text
from trailcam_benchmarks.worker.spawn import WorkerError
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_project.program_comparison.compare_programs import ProgramComparison
from trailcam_project.results import __main__ as results
from trailcam_project.results import result_parts as parts
from trailcam_project.results.repeatability import judge_agreement
from trailcam_project.results.script_parts import ComparisonPart, ScriptPart

NOTHING = Condition(None, None, None, None)


FEW = ["--frames", "8", "--min-time", "0", "--rounds", "2"]


LABELS = open_bundle(BUILTIN_BUNDLE).manifest.output.labels


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else runs while the tests do is not waited for."""
    monkeypatch.setattr(results, "_IDLE_WAIT_S", 0.0)


class Processes:
    """Stands for the processes: rounds of the built-in bundle, one label for all pictures, and what is told."""

    def __init__(self, make_round: Callable[..., Any]) -> None:
        manifest = open_bundle(BUILTIN_BUNDLE).manifest
        self._fields = {
            "name": f"{manifest.name} {manifest.version}",
            "scheme": "int8",
            "sha256": manifest.model.sha256,
        }
        self._make_round = make_round
        self.pictures: list[int] = []
        self.rounds = 0
        self.interrupt_at: int | None = None

    def __call__(self, request: Any) -> Any:
        if request.task == "predict":
            self.pictures.append(len(request.pictures))
            yield {"class_ids": [0] * len(request.pictures), "labels": list(LABELS)}
            return
        if request.task != "round":
            raise WorkerError("only rounds")
        self.rounds += 1
        if self.rounds == self.interrupt_at:
            raise KeyboardInterrupt
        yield asdict(self._make_round(frames=request.frames, **self._fields))


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch, make_round: Callable[..., Any]) -> Processes:
    found = Processes(make_round)
    monkeypatch.setattr(parts, "local_run", lambda runtimes, cache: found)
    return found


@pytest.fixture
def held_out(tmp_path: Path) -> Path:
    folder = tmp_path / "held-out"
    for label in LABELS[:2]:
        (folder / label).mkdir(parents=True)
        for number in range(300):
            (folder / label / f"{number:03}.jpg").touch()
    return folder


def test_a_cut_part_leaves_the_rounds_it_had(tmp_path: Path, processes: Processes) -> None:
    processes.interrupt_at = 4
    assert results.main(["--out", str(tmp_path), *FEW, "--only", "bundles"]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["bundles.partial.json"]
    found = read_result(tmp_path / "bundles.partial.json")
    assert (found.complete, found.cut) == (False, "interrupted")
    assert [(row.state, row.bundle[:9]) for row in found.rows] == [("partial", "animals10"), ("measured", "animals10")]


def test_accuracy_is_measured_on_pictures_spread_over_the_folder_and_not_in_the_repetition(
    tmp_path: Path, processes: Processes, held_out: Path
) -> None:
    out = tmp_path / "out"
    words = ["--out", str(out), *FEW, "--held-out", str(held_out), "--only", "bundles", "repeat", "runtimes"]
    assert results.main(words) == 0
    assert processes.pictures == [500] * 3  # bundles, and two runtimes
    accuracy = read_result(out / "bundles.json").rows[0].accuracy
    assert accuracy is not None
    assert (accuracy.n, accuracy.top1) == (500, 0.5)  # half of them are of the first label
    repeat = read_result(out / "repeat.json")
    assert repeat.rows[0].accuracy is None
    assert (repeat.frames_wanted, repeat.rounds) == (8, 2)


def test_pictures_in_folders_that_are_no_label_are_not_asked(
    tmp_path: Path, processes: Processes, held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (held_out / LABELS[0]).rename(held_out / "cane")
    words = ["--out", str(tmp_path / "out"), *FEW, "--data", str(held_out), "--only", "bundles"]
    assert results.main(words) == 0
    assert processes.pictures == []
    assert "'cane', which is no label" in capsys.readouterr().err


def test_results_of_other_settings_bundles_or_pictures_are_stale(
    tmp_path: Path, processes: Processes, held_out: Path
) -> None:
    out = tmp_path / "out"

    def stale(*words: str, **changes: Any) -> bool:
        """Whether ``bundles`` with ``changes`` is measured again."""
        path, before = out / "bundles.json", processes.rounds
        good = read_result(path)
        path.write_bytes(to_text(replace(good, **changes)))
        assert results.main(["--out", str(out), *FEW, *words, "--only", "bundles"]) == 0
        path.write_bytes(to_text(good))
        return processes.rounds > before

    assert results.main(["--out", str(out), *FEW, "--only", "bundles"]) == 0
    rows = read_result(out / "bundles.json").rows
    others = tuple(replace(row, bundle="animals10 1.0.0 int8 000000000000") for row in rows)
    (tmp_path / "none").mkdir()
    named = ["--bundles", str(tmp_path / "none")]
    assert not stale()
    assert not stale(*named)
    assert stale(frames_wanted=9)
    assert stale(rows=others)
    assert not stale(rows=(*rows, *others))  # no folder was named, so nothing is said about others
    assert stale(*named, rows=(*rows, *others))
    assert stale("--held-out", str(held_out))
    assert stale("--rounds", "3")


def test_a_soak_that_was_shorter_is_stale(tmp_path: Path, processes: Processes) -> None:
    words = ["--out", str(tmp_path), "--only", "soak"]
    assert results.main([*words, "--soak", "60"]) == 0
    before = processes.rounds
    assert results.main(words) == 0  # not asked for: whatever is there is kept
    assert processes.rounds == before
    assert results.main([*words, "--soak", "60"]) == 0
    assert processes.rounds > before


def test_an_agreement_of_other_runs_is_stale_and_runs_that_differ_are_not_compared(
    tmp_path: Path, processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path), *FEW, "--only", "agreement"]
    assert results.main([*words[:-1], "bundles", "repeat", "agreement"]) == 0
    assert processes.rounds == 8
    first, second = (read_result(tmp_path / f"{part}.json") for part in ("bundles", "repeat"))
    agreement = tmp_path / "agreement.json"
    agreement.write_bytes(to_text(judge_agreement(replace(first, started="before"), second)))
    assert results.main(words) == 0
    found = json.loads(agreement.read_text())
    assert (found["first"], found["second"]) == (first.started, second.started)
    changed: Result = replace(second, started="later", frames_wanted=2)
    (tmp_path / "repeat.json").write_bytes(to_text(changed))
    assert results.main(words) == 1
    assert "other frames, seconds or rounds" in capsys.readouterr().err


@pytest.fixture
def wanted(tmp_path: Path) -> parts.PartOptions:
    return parts.PartOptions((BUILTIN_BUNDLE,), True, None, None, (), tmp_path, 8, 0.0, 2, 0.0, 0.0)


def test_what_a_script_said_is_stale_when_it_would_be_called_otherwise(
    wanted: parts.PartOptions, tmp_path: Path
) -> None:
    path = tmp_path / "said.json"
    said = ScriptPart(
        lambda _: (
            [["trailcam_project.experiments.latency", "/home/me/x", "--frames", "1", "two words"]],
            {"/home/me/x": str(BUILTIN_BUNDLE)},
        )
    )
    path.write_text('{"command": "python -m trailcam_project.experiments.latency"}')
    assert "other" not in said.stale(wanted, path)
    assert said.stale(wanted, path)
    shown = f"python -m trailcam_project.experiments.latency {BUILTIN_BUNDLE} --frames 1 'two words'"
    path.write_text(json.dumps({"command": shown}))
    assert said.stale(wanted, path) == ""
    path.write_text("[1]")
    with pytest.raises(results.DataError, match="a list"):
        said.stale(wanted, path)


def test_every_script_of_a_part_exists(wanted: parts.PartOptions) -> None:
    for part in results.PARTS.values():
        if isinstance(part, ScriptPart):
            scripts, _ = part.scripts(replace(wanted, data=Path("photos")))
            assert all(importlib.util.find_spec(words[0]) is not None for words in scripts)


def test_a_comparison_with_another_bundle_or_fewer_rounds_is_stale(wanted: parts.PartOptions, tmp_path: Path) -> None:
    path, part = tmp_path / "versus.json", ComparisonPart(lambda _: BUILTIN_BUNDLE, count=60, rounds=6)
    sha256 = open_bundle(BUILTIN_BUNDLE).manifest.model.sha256
    comparison = ProgramComparison(
        "today", True, describe_machine(), NOTHING, NOTHING, 2, 60, 6, "animals10", sha256, ()
    )
    path.write_bytes(to_text(comparison))
    assert part.stale(wanted, path) == ""
    path.write_bytes(to_text(replace(comparison, rounds=2)))
    assert "2 rounds" in part.stale(wanted, path)
    path.write_bytes(to_text(replace(comparison, sha256="0" * 64)))
    assert "bundle differs" in part.stale(wanted, path)
    assert part.stale(replace(wanted, named=False), path) == ""


def test_onnx_files_of_the_network_are_among_the_runtimes_and_the_small_one_is_tflite(
    monkeypatch: pytest.MonkeyPatch, wanted: parts.PartOptions
) -> None:
    """The ONNX files stand first, as they do in an export folder."""
    builtin = open_bundle(BUILTIN_BUNDLE).manifest
    models = {
        "onnx-float32": ("onnx", "float32"),
        "onnx-int8": ("onnx", "int8"),
        "float16": ("tflite", "float16"),
        "float32": ("tflite", "float32"),
        "int8": ("tflite", "int8"),
    }

    def manifest(path: Path) -> Any:
        model_format, scheme = models.get(path.name, ("tflite", "int8"))
        return replace(builtin, model=replace(builtin.model, format=model_format, scheme=scheme))

    monkeypatch.setattr(results, "_manifest", manifest)
    all_of_them = replace(wanted, bundles=tuple(map(Path, models)), keras=Path("run"))
    plan = results._runtimes(all_of_them)
    assert [path.name for path in plan.bundles] == ["onnx-float32", "onnx-int8", "float32", "int8"]
    assert plan.runtimes == ("", "tflite-runtime")
    assert [path.name for path in results._keras(all_of_them).bundles] == ["float32"]
    assert results._small(all_of_them).name == "int8"
