"""The export of a run that took another up: the frozen part of int8 is kept, and no picture of a camera leaves."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.bundle.folder import Bundle, open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.datasets.run_directory import read_run
from trailcam_core.errors import ExportError
from trailcam_core.files.digest import file_sha256
from trailcam_export.convert.variants import Variant
from trailcam_export.run.earlier_bundle import anew_notes
from trailcam_export.run.export import ExportReport, export_run
from trailcam_export.run.golden_vectors import choose_golden
from trailcam_export.run.plan import ExportRequest
from trailcam_export.tflite.flatbuffer import read_tflite

INT8 = (Variant("tflite", "int8"),)


def retrain(tiny: Any, folder: Path, **facts: str) -> Path:
    """Write a run that took the tiny one up: another last layer, and reviewed pictures."""
    run = folder / "second"
    shutil.copytree(tiny.path, run)
    model = tiny.build()
    weights = keras.models.load_model(tiny.path / "model.keras", compile=False).get_weights()
    weights[-2] = weights[-2] * 1.1 + 0.01
    model.set_weights(weights)
    tiny.save(model, run / "model.keras")
    provenance = json.loads((run / "provenance.json").read_text()) | {
        "earlier": str(tiny.path),
        "earlier_sha256": file_sha256(tiny.path / "model.keras"),
        "frozen_part": "unchanged",
        "reviews": "7",
        "reviews_sha256": "a" * 64,
        **facts,
    }
    (run / "provenance.json").write_text(json.dumps(provenance))
    return run


def request(run: Path, tiny: Any, out: Path, earlier: Path | None) -> ExportRequest:
    return ExportRequest(run=run, data=tiny.data, out=out, variants=INT8, earlier=earlier)


def constants(bundle: Bundle) -> dict[str, tuple[bytes, list[float]]]:
    model = read_tflite(bundle.model_path.read_bytes())
    return {
        bytes(tensor.name).decode(): (
            bytes(model.buffers[tensor.buffer].data) if model.buffers[tensor.buffer].data is not None else b"",
            [] if tensor.quantization is None or tensor.quantization.scale is None else list(tensor.quantization.scale),
        )
        for tensor in model.subgraphs[0].tensors
    }


def test_the_frozen_part_and_the_golden_pictures_are_kept_and_reviews_are_named(
    exported: ExportReport, tiny: Any, tmp_path: Path
) -> None:
    earlier = exported.folder / "int8.bundle"
    report = export_run(request(retrain(tiny, tmp_path), tiny, tmp_path / "out", earlier))

    before, after = open_bundle(earlier), open_bundle(report.folder / "int8.bundle")
    ours, theirs = constants(after), constants(before)
    changed = [name for name in theirs if ours[name] != theirs[name]]
    assert ours.keys() == theirs.keys()
    assert 0 < len(changed) <= 4  # weights, bias and the two forms of the logits
    assert np.array_equal(after.read_golden().images, before.read_golden().images)
    facts = after.manifest.provenance
    assert (facts["reviews"], facts["reviews_sha256"]) == ("7", "a" * 64)
    assert facts["frozen_part_sha256"] == before.manifest.model.sha256
    assert any("byte for byte" in note for note in report.notes)
    assert report.variants[0].score.top1 > 0.7


def test_without_the_earlier_bundle_a_note_says_what_that_costs(tiny: Any, tmp_path: Path) -> None:
    report = export_run(request(retrain(tiny, tmp_path), tiny, tmp_path / "out", None))

    assert any("calibrated anew" in note and "--earlier BUNDLE" in note for note in report.notes)


def test_files_that_keep_no_frozen_part_are_named(tiny: Any, tmp_path: Path) -> None:
    variants = (Variant("tflite", "float32"), *INT8, Variant("tflite", "int16x8"), Variant("onnx", "int8"))

    (note,) = anew_notes(read_run(retrain(tiny, tmp_path)), variants)

    assert note.startswith("int16x8, onnx-int8 were calibrated anew")
    assert anew_notes(read_run(tiny.path), variants) == ()
    assert anew_notes(read_run(tmp_path / "second"), INT8) == ()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"frozen_part": "trained"}, "trained more than the last layer"),
        ({"earlier_sha256": "b" * 64}, "not the int8 bundle of the earlier run"),
    ],
)
def test_a_bundle_that_is_not_of_the_earlier_run_is_refused(
    exported: ExportReport, tiny: Any, tmp_path: Path, facts: dict[str, str], said: str
) -> None:
    run = retrain(tiny, tmp_path, **facts)

    with pytest.raises(ExportError, match=said):
        export_run(request(run, tiny, tmp_path / "out", exported.folder / "int8.bundle"))


def write_reviews(run: Path, digests: list[str]) -> None:
    with open(run / "reviews.csv", "w", newline="") as file:
        csv.writer(file).writerows([["sha256", "use"], *([digest, "tested"] for digest in digests)])


def test_no_imported_picture_is_a_golden_vector_unless_it_is_named(tiny: Any, tmp_path: Path) -> None:
    run = retrain(tiny, tmp_path)
    tested = read_run(run).pictures("test")
    write_reviews(run, [row.sha256 for row in tested if row.label != "red"])

    chosen = choose_golden(read_run(run), tiny.data, None, None)
    assert {file.parent.name for file in chosen.files} == {"red"}
    write_reviews(run, [row.sha256 for row in tested])
    chosen = choose_golden(read_run(run), tiny.data, None, None)
    assert chosen.files == ()
    assert chosen.pictures is not None
    assert np.array_equal(chosen.pictures.source, open_bundle(BUILTIN_BUNDLE).read_golden().source)
    assert chosen.pictures.images.shape[1:] == (32, 32, 3)
    assert "of your cameras" in chosen.notes[0]
    assert len(choose_golden(read_run(run), tiny.data, tiny.data / "red", None).files) == 8
