"""Hostile model files whose digest is right: only the interpreter stands between them and the device.

LiteRT checks a file's structure before it uses it, so what was cut off or is garbage is refused. It does not survive
every file that is well-formed and wrong: a few of a hundred random changes to the inside of a model make it abort the
process. So these run in a process of their own, and a device takes bundles only from people whom it trusts.
"""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ReplaceFile = Callable[[Path, str, bytes], None]

_OPEN_ALL = """
import json, sys
from trailcam_core.classifier import Classifier
from trailcam_core.errors import BundleError
for path in sys.argv[1:]:
    try:
        report = Classifier.open(path, num_threads=1).replay_golden()
        print(json.dumps([path, "passed" if report.passed else "failed: " + report.culprit]), flush=True)
    except BundleError as error:
        print(json.dumps([path, str(error)]), flush=True)
"""

_RANDOM = random.Random(0)


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * share)]


def _garbage(content: bytes) -> bytes:
    return content[:8] + _RANDOM.randbytes(len(content) - 8)


def _other(name: str) -> Callable[[bytes], bytes]:
    """Return an attack that puts a valid model of another kind in the place of the bundle's."""
    return lambda _: (Path(__file__).parents[1] / "fixtures" / f"{name}.tflite").read_bytes()


ATTACKS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut after the mark": (lambda content: content[:8], "cannot load this model"),
    "cut at a tenth": (_cut(0.1), "cannot load this model"),
    "cut in the middle": (_cut(0.5), "cannot load this model"),
    "cut near the end": (_cut(0.95), "cannot load this model"),
    "garbage behind the mark": (_garbage, "cannot load this model"),
    "zeros behind the mark": (lambda content: content[:8] + bytes(len(content) - 8), "cannot load this model"),
    "no mark": (lambda content: b"\0" * 8 + content[8:], "not a TFLite model"),
    "a zip archive": (lambda content: b"PK\x03\x04" + bytes(500), "not a TFLite model"),
    "an HTML page": (lambda content: b"<!DOCTYPE html><html>404</html>", "not a TFLite model"),
    "one byte": (lambda content: b"x", "not a TFLite model"),
    "a pointer out of the file": (lambda content: b"\xff\xff\xff\x7f" + content[4:], "cannot load this model"),
    "a model for BGR": (_other("bgr"), "failed: colour order"),
    "a model with another label order": (_other("other_order"), "failed: label order"),
    "a model that scales twice": (_other("scaled_twice"), "failed: value range"),
    "a model that does not scale": (_other("not_scaled"), "failed: value range"),
    "a model that gives NaN": (_other("gives_nan"), "failed: broken numbers"),
    "a model with a softmax": (_other("softmax"), "ends with a softmax, a bundle's model gives logits"),
    "a model with an unknown operator": (_other("unknown_op"), "cannot load this model"),
    "a model with two outputs": (_other("two_outputs"), "the model has 2 outputs"),
    "a model for int8": (_other("int8_in"), "takes int8, a bundle's model takes uint8"),
}


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, pristine_bundle: Path, replace_file: ReplaceFile
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("attacks")
    bundles = []
    for name, (attack, _) in {**ATTACKS, "honest": (bytes, "")}.items():
        bundle = Path(shutil.copytree(pristine_bundle, folder / name))
        replace_file(bundle, "model", attack((bundle / "model.tflite").read_bytes()))
        bundles.append(bundle)
    command = [sys.executable, "-c", _OPEN_ALL, *map(str, bundles)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    said = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("[")]
    return {Path(path).name: outcome for path, outcome in said}


@pytest.mark.parametrize("name", ATTACKS)
def test_another_model_is_refused_or_found_out_without_a_crash(outcomes: dict[str, str], name: str) -> None:
    assert ATTACKS[name][1] in outcomes[name]


def test_the_same_bundle_passes_without_an_attack(outcomes: dict[str, str]) -> None:
    assert outcomes["honest"] == "passed"
