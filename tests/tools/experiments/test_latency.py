"""Every step is timed; the tests assert no absolute time."""

import json
from pathlib import Path

import numpy as np
import pytest

from trailcam_core.bundle.folder import describe_file, write_bundle
from trailcam_core.bundle.golden_file import GoldenVectors, golden_to_bytes
from trailcam_core.inference.onnx import OnnxModel
from trailcam_core.spec import GoldenEntry, InputSpec, Manifest, ModelEntry, OutputSpec
from trailcam_project.experiments.latency import main


def test_every_step_is_timed_on_every_frame(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "8", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames"] == 8
    for step in ("floor", "classify", "decode"):
        times = report[step]
        assert 0 < times["p50_ms"] <= times["p90_ms"] <= times["p99_ms"] <= times["worst_ms"]


def test_the_table_names_the_overhead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "4"]) == 0
    assert "over the bare interpreter call" in capsys.readouterr().out


def test_an_onnx_bundle_is_timed_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "core" / "fixtures" / "float_bundle.onnx"
    image = np.full((32, 32, 3), 90, np.uint8)
    golden = golden_to_bytes(GoldenVectors(image[None], OnnxModel(path).invoke(image[None])[None], image, image))
    (tmp_path / "golden.npz").write_bytes(golden)
    manifest = Manifest(
        name="tiny",
        version="1.0.0",
        model=ModelEntry(**vars(describe_file(path, "model.onnx")), format="onnx", scheme="float32"),
        golden=GoldenEntry(**vars(describe_file(tmp_path / "golden.npz", "golden.npz")), tolerance=0.01),
        input=InputSpec(32, 32, "crop"),
        output=OutputSpec(("red", "green", "blue", "grey"), 1.0, None),
        metrics=None,
        drift=None,
    )
    write_bundle(tmp_path / "o.bundle", manifest, path, golden)
    assert main([str(tmp_path / "o.bundle"), "--frames", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["floor"]["p50_ms"] > 0
