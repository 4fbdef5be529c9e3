"""``trailcam data check`` against merely decoding, on a few pictures."""

import json
import shutil
from pathlib import Path

import pytest

from trailcam_edge.sources import DEMO_FRAMES
from trailcam_project.experiments.data_tools import main


def test_both_are_timed_on_the_same_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, frame in enumerate(sorted(DEMO_FRAMES.glob("*.webp"))[:4]):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        shutil.copy(frame, folder)
    assert main([str(tmp_path), "--rounds", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pictures"] == 4
    assert report["check_hz"] == pytest.approx(report["decode_hz"] / report["over_decode"]["value"])


def test_a_folder_without_pictures_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "data_tools: " in capsys.readouterr().err
