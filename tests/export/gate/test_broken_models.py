"""Files that are broken in the ways that happen, made from a real model: each fails, and says why in words."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.datasets.run_directory import read_run
from trailcam_core.errors import ExportError
from trailcam_core.spec import InputSpec, OutputSpec
from trailcam_export.convert.quantise import quantise
from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.diagnosis import ChannelSwap, diagnose
from trailcam_export.gate.gate import GateResult, evaluate_gate, with_cause
from trailcam_export.gate.presets import PRESETS
from trailcam_export.gate.statistics import ModelOutputs, measure_drift, to_class_ids
from trailcam_export.inference.batches import Images, fit_file
from trailcam_export.inference.predict import FilePredictor, KerasPredictor, Predictor
from trailcam_export.run.output_rule import fit_output

LABELS = ("blue", "green", "red")


@pytest.fixture(scope="module")
def pictures(tiny: Any) -> tuple[Images, Any]:
    """The thirty test pictures of the tiny run and their classes."""
    run = read_run(tiny.path)
    rows = run.pictures("test")
    images = np.stack([fit_file(tiny.data / row.file, InputSpec(32, 32, "crop")) for row in rows])
    return images, to_class_ids(LABELS, [row.label for row in rows])


def _copy(tiny: Any) -> keras.Model:
    model = tiny.build()
    model.set_weights(tiny.model.get_weights())
    return model


def _judge(tiny: Any, pictures: tuple[Images, Any], file: Predictor) -> GateResult:
    """As an export does it: the output rule is fitted on the file's own numbers."""
    images, class_ids = pictures
    trained = KerasPredictor(tiny.model)

    def ask(predictor: Predictor) -> ModelOutputs:
        logits = predictor.logits(images)
        both = (logits, class_ids)
        return ModelOutputs(logits, fit_output(OutputSpec(LABELS, 1.0, None), "max_logit", both, both, None))

    ours, theirs = ask(trained), ask(file)
    result = evaluate_gate(measure_drift(ours, theirs, class_ids), PRESETS["mlperf-99"], LABELS)
    swapped = ChannelSwap(ours.logits, theirs.logits, file.logits(np.ascontiguousarray(images[..., ::-1])))
    return with_cause(result, diagnose(ours.logits, theirs.logits, LABELS, swapped))


def test_a_healthy_int8_file_does_not_fail_and_is_not_accused(
    tiny: Any, pictures: tuple[Images, Any], images: Images, tmp_path: Path
) -> None:
    (tmp_path / "model.tflite").write_bytes(quantise(tiny.model, "int8", images))
    result = _judge(tiny, pictures, FilePredictor(tmp_path / "model.tflite"))
    assert (result.verdict, result.cause) == (Verdict.INCONCLUSIVE, None)


def test_labels_permuted_in_the_file(tiny: Any, pictures: tuple[Images, Any]) -> None:
    model = _copy(tiny)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel[:, [1, 2, 0]], bias[[1, 2, 0]]])
    result = _judge(tiny, pictures, KerasPredictor(model))
    assert result.verdict is Verdict.FAIL
    assert result.cause is not None
    assert "label order" in result.cause
    assert "blue is called red" in result.cause


def test_colour_order_swapped(tiny: Any, pictures: tuple[Images, Any]) -> None:
    model = _copy(tiny)
    (kernel,) = model.layers[2].get_weights()
    model.layers[2].set_weights([kernel[:, :, ::-1]])
    result = _judge(tiny, pictures, KerasPredictor(model))
    assert result.verdict is Verdict.FAIL
    assert result.cause is not None
    assert "colour order" in result.cause


def test_calibrated_on_black_images(tiny: Any, pictures: tuple[Images, Any], tmp_path: Path) -> None:
    black = [np.zeros((32, 32, 3), np.uint8)] * 8
    (tmp_path / "model.tflite").write_bytes(quantise(tiny.model, "int8", black))
    result = _judge(tiny, pictures, FilePredictor(tmp_path / "model.tflite"))
    assert result.verdict is Verdict.FAIL
    assert result.cause is not None
    assert "black frames" in result.cause


def test_a_layer_of_zeros(tiny: Any, pictures: tuple[Images, Any]) -> None:
    model = _copy(tiny)
    model.layers[5].set_weights([np.zeros_like(weight) for weight in model.layers[5].get_weights()])
    result = _judge(tiny, pictures, KerasPredictor(model))
    assert result.verdict is Verdict.FAIL
    assert result.cause is not None
    assert "weights of zero" in result.cause


def test_softmax_twice_keeps_every_answer_and_fails(tiny: Any, pictures: tuple[Images, Any]) -> None:
    model = _copy(tiny)
    result = _judge(tiny, pictures, KerasPredictor(keras.Model(model.input, keras.layers.Softmax()(model.output))))
    assert result.verdict is Verdict.FAIL
    assert next(bar.name for bar in result.criteria if bar.verdict is Verdict.FAIL) == "logits"
    assert result.cause is not None
    assert "softmax inside the file" in result.cause


def test_numbers_that_are_not_finite(tiny: Any, pictures: tuple[Images, Any]) -> None:
    model = _copy(tiny)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, bias + np.float32([0, np.inf, 0])])
    images, class_ids = pictures
    trained, file = KerasPredictor(tiny.model).logits(images), KerasPredictor(model).logits(images)
    draft = OutputSpec(LABELS, 1.0, None)
    output = fit_output(draft, "max_logit", (trained, class_ids), (trained, class_ids), None)
    drift = measure_drift(ModelOutputs(trained, output), ModelOutputs(file, output), class_ids)
    result = with_cause(evaluate_gate(drift, PRESETS["mlperf-99"], LABELS), diagnose(trained, file, LABELS))
    assert result.verdict is Verdict.FAIL
    assert "NaN or infinity for 30 of 30 pictures" in result.reason
    assert "overflows" in result.reason
    with pytest.raises(ExportError, match="NaN or infinity for 30 of 30 validation pictures"):
        fit_output(draft, "max_logit", (file, class_ids), (file, class_ids), None)
