"""Other interpreters and Keras beside the installed one: environments, refusals, and the rows that come of them."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.host import virtual_environments as environments
from trailcam_benchmarks.host.virtual_environments import Environment, packages_folder, python_of
from trailcam_benchmarks.session.session import BenchmarkPlan, measure
from trailcam_benchmarks.worker import local_workers as runs
from trailcam_benchmarks.worker.local_workers import local_run
from trailcam_benchmarks.worker.spawn import WorkerError, request_one
from trailcam_benchmarks.worker.worker import Request
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeviceError

NOWHERE = Environment("nowhere", ("./there-is-no-such-package",))


def test_an_environment_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no environment for nowhere"):
        python_of(NOWHERE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_is_made_once_and_again_only_when_it_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def pretend(command: list[str], **_: Any) -> Any:
        made.append(command)
        Path(tmp_path / f"nowhere-{NOWHERE.key}").mkdir(exist_ok=True)
        return type("Done", (), {"returncode": 0, "stderr": ""})

    monkeypatch.setattr(environments.subprocess, "run", pretend)
    python_of(NOWHERE, tmp_path)
    assert python_of(NOWHERE, tmp_path).parent.parent.name == f"nowhere-{NOWHERE.key}"
    assert len(made) == 2  # venv and pip, once
    (tmp_path / f"nowhere-{NOWHERE.key}" / "trailcam-environment").unlink()
    python_of(NOWHERE, tmp_path)
    assert len(made) == 4


def test_another_environment_sees_three_packages_of_ours_and_nothing_beside_them(tmp_path: Path) -> None:
    folder = packages_folder(tmp_path)
    assert packages_folder(tmp_path) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["trailcam_benchmarks", "trailcam_core", "trailcam_edge"]
    assert (folder / "trailcam_benchmarks" / "worker" / "worker.py").is_file()


def test_a_runtime_that_cannot_be_had_here_is_a_row_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Path:
        raise DeviceError("no wheel")

    monkeypatch.setattr(runs, "python_of", refuse)
    run = local_run(("", "tflite-runtime"), tmp_path)
    rows = measure(
        BenchmarkPlan((BUILTIN_BUNDLE,), runtimes=("", "tflite-runtime"), frames=1, min_time_s=0, rounds=1), run
    ).rows
    assert [(row.kind, row.runtime_wanted, row.state) for row in rows] == [
        ("model", "", "measured"),
        ("floor", "", "measured"),
        ("model", "tflite-runtime", "failed"),
        ("floor", "tflite-runtime", "failed"),
    ]
    assert rows[2].reason == "no wheel"


def test_keras_stands_beside_the_bundle_that_was_made_from_it_and_other_runtimes_have_their_own_floor(
    make_round: Any,
) -> None:
    def run(request: Request) -> Any:
        ms = {"": 40.0, "tflite-runtime": 60.0, "keras.predict": 100.0, "keras.call": 80.0}[request.runtime]
        runtime = f"{request.runtime or 'ai-edge-litert'} 1.0"
        fields = {"scheme": "float32", "runtime": runtime, "source_sha256": "5" * 64, "frames": request.frames}
        if request.runtime.startswith("keras"):
            fields |= {"name": request.bundle, "sha256": "5" * 64}
        if request.bundle == "stranger":
            fields["source_sha256"] = "9" * 64
        yield asdict(make_round(ms / 2 if request.baseline else ms, **fields))

    runs = (Path("lite2"), Path("stranger"))
    plan = BenchmarkPlan((Path("f.bundle"),), runtimes=("", "tflite-runtime"), keras_runs=runs, frames=8, rounds=4)
    rows = {(row.bundle, row.runtime_wanted): row for row in measure(plan, run).rows if row.kind == "model"}
    ratios = {key: row.over_litert.value for key, row in rows.items() if row.over_litert}
    assert ratios == {
        ("f.bundle", "tflite-runtime"): pytest.approx(1.5, rel=1e-2),
        ("lite2", "keras.predict"): pytest.approx(2.5, rel=1e-2),
        ("lite2", "keras.call"): pytest.approx(2.0, rel=1e-2),
    }
    assert {row.over_float32 for row in rows.values()} == {None}  # all are float32
    other = rows["f.bundle", "tflite-runtime"].over_floor
    assert other is not None
    assert other.value == pytest.approx(2.0, rel=1e-2)
    assert rows["lite2", "keras.call"].over_floor is None


def test_a_floor_takes_its_share_of_the_frames(fake_runs: Any) -> None:
    fake = fake_runs({"f.bundle": ("float32", 10.0)})
    measure(BenchmarkPlan((Path("f.bundle"),), frames=64, min_time_s=8, rounds=4, baseline_fraction=0.25), fake)
    assert {(request.baseline, request.frames, request.seconds) for request in fake.asked} == {
        (False, 16, 2.0),
        (True, 4, 0.5),
    }


def test_a_run_that_is_none_is_refused_with_the_reason(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    with pytest.raises(WorkerError, match="not a finished run"):
        request_one(local_run((), tmp_path), Request("round", str(tmp_path / "nowhere"), 1, "keras.call", frames=1))
