"""The measurements of the live loop, in little; no time is asserted."""

import json

import cv2
import numpy as np
import pytest

from trailcam_project.experiments.live_loop import main
from trailcam_project.experiments.mjpeg_server import MjpegServer, read_stamp_s, stamp, stamped


def lines(printed: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_overhead_is_measured_for_every_kind_of_pixels_with_and_without_the_gate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    threads = cv2.getNumThreads()
    try:
        assert main(["overhead", "--frames", "3"]) == 0
    finally:
        cv2.setNumThreads(threads)
    found = lines(capsys.readouterr().out)
    assert [(row["pixels"], row["motion"]) for row in found] == [
        ("BGR", False),
        ("BGR", True),
        ("YUV420", False),
        ("YUV420", True),
    ]
    assert all(row["invoke_ms"] > 0 and row["outside_ms"] > 0 for row in found)  # type: ignore[operator]


def test_the_age_of_answers_is_measured_for_both_loops(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["age", "--seconds", "0.5", "--model-ms", "30"]) == 0
    found = lines(capsys.readouterr().out)
    assert [row["loop"] for row in found] == ["trailcam", "naive"]
    assert all(row["answers"] >= 1 and row["p50_ms"] > 0 for row in found)  # type: ignore[operator]


def test_memory_is_sampled_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "--frames", "200"]) == 0
    found = lines(capsys.readouterr().out)
    assert [row["frame"] for row in found] == [2, *range(20, 201, 20)]
    assert all(row["resident_mb"] > 10 for row in found)  # type: ignore[operator]


def test_a_bundle_that_is_none_is_our_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["overhead", "--bundle", "nowhere.bundle"]) == 1
    assert "no such bundle" in capsys.readouterr().err


@pytest.mark.parametrize("time_s", [0.0, 1.2345, 86_400.5, 12_345_678.9])
def test_a_stamp_survives_jpeg(time_s: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    stamp(image, time_s)
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])
    assert read_stamp_s(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))) == pytest.approx(time_s, abs=1e-4)


def test_the_camera_ends_when_it_is_closed() -> None:
    with MjpegServer(stamped(np.zeros((48, 640, 3), np.uint8)), rate_hz=50) as server:
        capture = cv2.VideoCapture(server.address)
        assert capture.read()[0]
        capture.release()
        assert server.connections == 1
