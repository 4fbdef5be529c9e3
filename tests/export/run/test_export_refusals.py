"""What an export refuses, and what it leaves behind where it cannot end."""

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

import trailcam_export.run.convert_variant
import trailcam_export.run.export
import trailcam_export.run.write_bundle
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import DataError, ExportError, TrailcamError, TrainError
from trailcam_export.convert.variants import parse_variants
from trailcam_export.run.export import ExportReport, export_run
from trailcam_export.run.plan import ExportRequest


def _copy(tiny: Any, folder: Path) -> Path:
    shutil.copytree(tiny.path, folder / "colours")
    return folder / "colours"


def _left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_field_frames_that_nothing_would_use_are_refused(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="none of the variants float32 is calibrated"):
        export_run(
            ExportRequest(run=tiny.path, out=tmp_path, calibration=tiny.data, variants=parse_variants(["float32"]))
        )


def test_a_request_names_a_run_or_a_plain_model(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of run and foreign"):
        export_run(ExportRequest(out=tmp_path))
    with pytest.raises(ValueError, match="quantizer must be one of"):
        export_run(ExportRequest(run=tiny.path, out=tmp_path, quantizer="mine"))


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


def test_a_full_disk_leaves_no_bundle_and_keeps_what_is_finished(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = trailcam_export.run.write_bundle.write_bundle

    def full(path: Path, *rest: object) -> object:
        if path.name.startswith("int8"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(trailcam_export.run.write_bundle, "write_bundle", full)
    with pytest.raises(OSError, match="No space left"):
        export_run(ExportRequest(run=tiny.path, out=tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".trailcam-export-colours"]


def test_what_a_kill_leaves_of_a_bundle_is_removed_by_the_next_export(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = trailcam_export.run.write_bundle.write_bundle

    def killed(path: Path, *rest: object) -> object:
        if path.name.startswith("int8"):
            shutil.copytree(tmp_path / "out", tmp_path / "killed")  # as a power cut would leave it
            raise KeyboardInterrupt
        return written(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(trailcam_export.run.write_bundle, "write_bundle", killed)
    with pytest.raises(KeyboardInterrupt):
        export_run(ExportRequest(run=tiny.path, out=tmp_path / "out"))
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "killed").iterdir()] == [".trailcam-export-colours"]
    assert list((tmp_path / "killed").rglob("float32.bundle"))

    stages: list[str] = []
    export_run(ExportRequest(run=tiny.path, out=tmp_path / "killed"), lambda stage, *_: stages.append(stage))

    assert "calibrating int8" not in stages
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["colours"]
    assert not list((tmp_path / "killed").rglob(".trailcam-staging-*"))


def test_a_read_only_folder_leaves_nothing(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="out"):
        export_run(ExportRequest(run=tiny.path, out=tmp_path / "out"))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_killed_export_goes_on_where_it_was(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages: list[str] = []

    def interrupt(stage: str, done: int, total: int, note: str = "") -> None:
        stages.append(stage)
        if stage == "calibrating int8" and done == 3:
            raise KeyboardInterrupt

    request = ExportRequest(run=tiny.path, out=tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        export_run(request, interrupt)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".trailcam-export-colours"]
    assert {"measuring the trained model on test", "measuring float32 on test"} <= {*stages}
    stages.clear()

    def refuse(*_: object) -> bytes:
        raise AssertionError("float32 was converted before")

    monkeypatch.setattr(trailcam_export.run.convert_variant, "convert_float32", refuse)
    report = export_run(request, lambda stage, *_: stages.append(stage))
    assert [variant.variant for variant in report.variants] == ["float32", "int8"]
    done = {"choosing calibration pictures", "measuring the trained model on test", "measuring float32 on test"}
    assert not done & {*stages}
    assert {"calibrating int8", "measuring int8 on test"} <= {*stages}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["colours"]


def test_ctrl_c_before_anything_is_finished_leaves_nothing(tiny: Any, tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "checking calibration candidates":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_run(ExportRequest(run=tiny.path, out=tmp_path / "out"), interrupt)
    assert _left_over(tmp_path) == []
