"""Which interpreter is here, and is it new enough: pure decisions."""

import pytest

from trailcam_core.errors import DeviceError
from trailcam_core.inference.runtimes import Runtime, check_runtime, find_runtime
from trailcam_core.spec import ModelEntry

_TFLITE = {"litert": "1.0", "tflite_runtime": "2.14"}


def _entry(runtime_min: dict[str, str | None] | None, model_format: str = "tflite") -> ModelEntry:
    return ModelEntry(f"model.{model_format}", "a" * 64, 1, model_format, "int8", runtime_min)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("litert", "1.0"),
        ("litert", "1.0.0"),
        ("litert", "2.3.0"),
        ("litert", "10.0"),
        ("tflite_runtime", "2.14.0"),
        ("tflite_runtime", "2.14"),
        ("tflite_runtime", "2.14.1rc1"),
    ],
)
def test_a_runtime_that_is_new_enough_passes(name: str, version: str) -> None:
    check_runtime(_entry(_TFLITE), Runtime(name, version), "model.tflite")


def test_a_manifest_that_says_nothing_refuses_nothing() -> None:
    check_runtime(_entry(None), Runtime("tflite_runtime", "2.5"), "model.tflite")


@pytest.mark.parametrize("version", ["2.13", "2.9.1", "1.99", "2.13.9rc1", ""])
def test_an_older_runtime_is_refused_with_what_to_install(version: str) -> None:
    with pytest.raises(DeviceError) as caught:
        check_runtime(_entry(_TFLITE), Runtime("tflite_runtime", version), "a.bundle/model.tflite")
    assert str(caught.value) == (
        f"a.bundle/model.tflite: needs tflite-runtime 2.14, here is {version}. Install ai-edge-litert 1.0 or newer or "
        "tflite-runtime 2.14 or newer, or use a bundle of another scheme."
    )


def test_a_runtime_that_cannot_run_the_file_at_all_is_refused_whatever_its_version() -> None:
    entry = _entry({"litert": "2.1", "tflite_runtime": None})
    with pytest.raises(DeviceError, match=r"an? int8 model that tflite-runtime 9\.9 cannot run\. Install ai-edge-lit"):
        check_runtime(entry, Runtime("tflite_runtime", "9.9"), "model.tflite")


def test_a_file_that_nothing_can_run_is_to_be_exported_again() -> None:
    with pytest.raises(DeviceError, match="Export it again"):
        check_runtime(_entry({"onnxruntime": None}, "onnx"), Runtime("onnxruntime", "1.30"), "model.onnx")


def test_the_installed_runtimes_are_found_by_the_manifests_names() -> None:
    assert find_runtime("tflite").name == "litert"
    assert find_runtime("onnx").name == "onnxruntime"
    assert int(find_runtime("tflite").version.split(".")[0]) >= 2
