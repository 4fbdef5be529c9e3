"""A run becomes bundles, or nothing at all."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import trailcam_export.export
from trailcam_edge.bundle import open_bundle
from trailcam_edge.classifier import Classifier
from trailcam_edge.errors import DataError, ExportError, TrailcamError, TrainError
from trailcam_edge.preprocessing import read_image
from trailcam_export.export import ExportReport, export_run
from trailcam_export.gate import Verdict
from trailcam_export.plan import ExportRequest

LABELS = ("blue", "green", "red")


def _copy(tiny: Any, folder: Path) -> Path:
    shutil.copytree(tiny.path, folder / "colours")
    return folder / "colours"


def _left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_both_bundles_open_replay_and_recognise(exported: ExportReport, tiny: Any) -> None:
    for scheme in ("float32", "int8"):
        classifier = Classifier.open(exported.folder / f"{scheme}.bundle")
        assert classifier.replay_golden().passed
        answer = classifier.classify(read_image(tiny.data / "red" / "test-1.png"))
        assert answer.top[0].label == "red"


def test_the_manifest_says_what_was_measured_and_where_it_comes_from(exported: ExportReport, tiny: Any) -> None:
    manifest = open_bundle(exported.folder / "int8.bundle").manifest
    assert (manifest.name, manifest.version, manifest.model.scheme) == ("colours", "1.0.0", "int8")
    assert manifest.output.labels == LABELS
    assert manifest.output.reject is not None
    assert manifest.output.reject.score == "energy"
    assert (manifest.output.reject.n_animals, manifest.output.reject.others_rejected) == (30, None)
    assert manifest.metrics is not None
    assert manifest.metrics.n == 30
    assert manifest.drift is not None
    assert manifest.drift.top1_agreement > 0.9
    assert manifest.provenance["seed"] == "3"
    assert manifest.provenance["recipe"] == "cnn"
    assert manifest.provenance["dataset"] == "photos"
    assert set(manifest.provenance) >= {"trailcam", "tensorflow", "keras", "litert", "created", "weights", "run"}
    everything = (exported.folder / "int8.bundle" / "manifest.json").read_text()
    assert str(tiny.data.parent) not in everything


def test_the_float_bundle_scores_exactly_what_the_trained_model_scores(exported: ExportReport) -> None:
    float32 = exported.variants[0]
    assert float32.score == exported.trained
    assert float32.drift.top1_agreement == 1.0
    assert exported.parity < 1e-4
    assert exported.trained.top1 > 0.8


def test_few_test_pictures_are_inconclusive(exported: ExportReport) -> None:
    int8 = exported.variants[1]
    assert int8.verdict is Verdict.INCONCLUSIVE
    assert "test pictures would decide" in int8.reason
    assert exported.passed


def test_only_bundles_and_reports_are_left(exported: ExportReport) -> None:
    assert sorted(path.name for path in exported.folder.iterdir()) == [
        "drift.json",
        "drift.junit.xml",
        "float32.bundle",
        "int8.bundle",
        "report.html",
    ]
    assert [path for path in exported.folder.parent.iterdir() if path.name.startswith(".")] == []


def test_the_files_beside_the_bundles_say_what_the_report_says(exported: ExportReport) -> None:
    record = json.loads((exported.folder / "drift.json").read_text())
    assert (record["schema_version"], record["n"], record["trained"]["top1"]) == (1, 30, exported.trained.top1)
    assert [variant["verdict"] for variant in record["variants"]] == ["pass", "inconclusive"]
    suites = ElementTree.parse(exported.folder / "drift.junit.xml").getroot()
    assert [suite.get("name") for suite in suites] == ["colours float32", "colours int8"]
    assert "inconclusive" in (exported.folder / "report.html").read_text()


def test_an_existing_export_is_refused_and_untouched(exported: ExportReport, tiny: Any) -> None:
    with pytest.raises(ExportError, match=r"exists already.*Choose another --name"):
        export_run(ExportRequest(run=tiny.path, out=exported.folder.parent))
    assert open_bundle(exported.folder / "int8.bundle")


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [("Not Allowed", "1.0.0", "--name"), ("../up", "1.0.0", "--name"), ("good", "one", "--version")],
)
def test_a_name_or_version_that_cannot_stand_in_a_bundle_is_refused_at_once(
    tiny: Any, tmp_path: Path, name: str, version: str, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        export_run(ExportRequest(run=tiny.path, out=tmp_path / "out", name=name, version=version))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_run_data_folder_or_picture_is_refused(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="not a finished run"):
        export_run(ExportRequest(run=tmp_path / "nowhere", out=tmp_path))
    with pytest.raises(ExportError, match="Check --data"):
        export_run(ExportRequest(run=tiny.path, data=tmp_path / "nowhere", out=tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="missing since the split was made"):
        export_run(ExportRequest(run=tiny.path, data=tmp_path / "empty", out=tmp_path / "out"))


def test_a_run_that_does_not_say_where_its_pictures_are_asks_for_them(tiny: Any, tmp_path: Path) -> None:
    run = _copy(tiny, tmp_path)
    (run / "provenance.json").write_text("{}")
    with pytest.raises(ExportError, match="--data DIR"):
        export_run(ExportRequest(run=run, out=tmp_path / "out"))


def test_a_changed_picture_is_refused(tiny: Any, tmp_path: Path) -> None:
    shutil.copytree(tiny.data, tmp_path / "photos")
    (tmp_path / "photos" / "red" / "test-3.png").write_bytes((tiny.data / "red" / "test-4.png").read_bytes())
    with pytest.raises(DataError, match=r"test-3\.png: changed"):
        export_run(ExportRequest(run=tiny.path, data=tmp_path / "photos", out=tmp_path / "out"))


def test_a_split_without_test_pictures_is_refused(tiny: Any, tmp_path: Path) -> None:
    run = _copy(tiny, tmp_path)
    lines = (run / "split.csv").read_text().splitlines()
    (run / "split.csv").write_text("\n".join(line for line in lines if ",test," not in line) + "\n")
    with pytest.raises(ExportError, match="no test picture"):
        export_run(ExportRequest(run=run, out=tmp_path / "out"))


def test_a_damaged_model_is_refused_and_nothing_is_written(tiny: Any, tmp_path: Path) -> None:
    run = _copy(tiny, tmp_path)
    (run / "model.keras").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(TrailcamError, match="cannot be loaded"):
        export_run(ExportRequest(run=run, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = trailcam_export.export.write_bundle

    def full(path: Path, *rest: object) -> object:
        if path.name.startswith("int8"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(trailcam_export.export, "write_bundle", full)
    with pytest.raises(OSError, match="No space left"):
        export_run(ExportRequest(run=tiny.path, out=tmp_path / "out"))
    assert _left_over(tmp_path) == []


def test_ctrl_c_leaves_nothing(tiny: Any, tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "calibrating int8" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_run(ExportRequest(run=tiny.path, out=tmp_path / "out"), interrupt)
    assert _left_over(tmp_path) == []
