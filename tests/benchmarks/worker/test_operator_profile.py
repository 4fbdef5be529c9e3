"""LiteRT's profile, read from its text and asked of the real library."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_benchmarks.worker.operator_profile import (
    Operator,
    Profile,
    describe_profile,
    parse_summary,
    profile_bundle,
)
from trailcam_core.bundle.folder import Bundle, open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeviceError

SUMMARY = """\
==== Run Order ====
              [node type]    [start]    [first]   [avg ms]      [%]   [cdf%]   [mem KB] [times called]   [Name]
                 QUANTIZE      0.000      0.452      0.500   5.000%   5.000%      0.000             20   [Builtin]:0
 Delegate/Convolution (NHWC, QC8) DWConv   0.000   0.324      6.500  65.000%  70.000%      0.000             20   \
[Delegate]:1
 Delegate/Convolution (NHWC, QC8) DWConv   0.000   0.324      3.000  30.000% 100.000%      0.000             20   \
[Delegate]:2

==== Top by Computation Time ====
              [node type]    [start]    [first]   [avg ms]      [%]   [cdf%]   [mem KB] [times called]   [Name]
 Delegate/Convolution (NHWC, QC8) DWConv   0.000   0.324      6.500  65.000%  65.000%      0.000             20   \
[Delegate]:1
"""
tried = pytest.mark.skipif(
    not version("ai-edge-litert").startswith("2.3."), reason="LiteRT's profiler was tried with 2.3 alone"
)


def test_each_operator_is_read_once_from_litert_s_text() -> None:
    assert parse_summary(SUMMARY) == (
        Operator("QUANTIZE", "[Builtin]:0", 0.5, 0.05),
        Operator("Convolution (NHWC, QC8) DWConv", "[Delegate]:1", 6.5, 0.65),
        Operator("Convolution (NHWC, QC8) DWConv", "[Delegate]:2", 3.0, 0.3),
    )
    assert parse_summary("INFO: nothing of the kind") == ()


def test_kinds_are_added_up_and_the_slowest_comes_first() -> None:
    lines = describe_profile(Profile("meadow 1.0.0 int8", "", "litert 2.3.0", 20, parse_summary(SUMMARY))).splitlines()
    assert "10.00 ms per picture" in lines[0]
    assert lines[2].split()[:3] == ["9.500", "95.0%", "2"]
    assert lines[3].split() == ["0.500", "5.0%", "1", "QUANTIZE"]
    assert lines[5].split()[2] == "[Delegate]:1"


@tried
def test_the_built_in_model_is_profiled_operator_by_operator(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["benchmark", "--ops", "--frames", "2", "--json", "--out", str(tmp_path)]) == 0
    (profile,) = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "operators.json").read_text()) == [profile]
    shares = [operator["share"] for operator in profile["operators"]]
    assert len(shares) > 50
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert any("Convolution" in operator["kind"] for operator in profile["operators"])
    assert profile["sha256"] == open_bundle(BUILTIN_BUNDLE).manifest.model.sha256


@tried
def test_a_model_that_litert_cannot_open_is_one_error_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "model.tflite"
    broken.write_bytes(b"no model")
    bundle = open_bundle(BUILTIN_BUNDLE)
    with monkeypatch.context() as patch:
        patch.setattr(Bundle, "model_path", broken)
        with pytest.raises(DeviceError, match=r"gave no profile .*benchmark_model"):
            profile_bundle(bundle, 1)
    assert main(["benchmark", str(tmp_path / "none.bundle"), str(BUILTIN_BUNDLE), "--ops", "--frames", "1"]) == 3
    shown = capsys.readouterr()
    assert "no such bundle" in shown.err
    assert "ms per picture while profiling" in shown.out


def test_another_machine_profiles_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--ops", "--on", "pi@camera"]) == 1
    assert "without --on" in capsys.readouterr().err
