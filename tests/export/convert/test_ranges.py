"""Ranges of activations, and the choice between them by the answers of the finished file."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_export.convert import quantise_litert
from trailcam_export.convert.quantise import quantise
from trailcam_export.convert.quantise_litert import with_signature
from trailcam_export.convert.ranges import choose_ranges, collect
from trailcam_export.convert.to_tflite import convert_float32
from trailcam_export.inference.predict import KerasPredictor
from trailcam_export.tflite.flatbuffer import read_tflite

Images = npt.NDArray[np.uint8]


def _collected(lows: list[float], highs: list[float]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for low, high in zip(lows, highs, strict=True):
        seen = collect(seen, {"min": np.float32([low]), "max": np.float32([high])})
    return seen


def test_a_range_holds_what_the_fraction_of_the_pictures_takes(tiny: Any) -> None:
    content = bytes(with_signature(convert_float32(tiny.model)))
    graph = read_tflite(content).subgraphs[0]
    ends = [bytes(graph.tensors[index].name).decode() for index in (graph.inputs[0], graph.outputs[0])]
    highs = [float(number) for number in range(1, 12)]  # 1 to 11: nine tenths of the way is 10
    seen = {name: _collected([-high for high in highs], highs) for name in (*ends, "between")}

    narrow = choose_ranges(content, seen, 0.9)
    assert (narrow["between"]["min"].item(), narrow["between"]["max"].item()) == pytest.approx((-10, 10))
    for name in ends:  # whole: no logit is clipped, and a level stays a step
        assert (narrow[name]["min"].item(), narrow[name]["max"].item()) == (-11, 11)
    whole = choose_ranges(content, seen, 1.0)
    assert (whole["between"]["min"].item(), whole["between"]["max"].item()) == (-11, 11)


def test_one_picture_gives_its_own_range(tiny: Any) -> None:
    content = bytes(with_signature(convert_float32(tiny.model)))
    found = choose_ranges(content, {"between": _collected([-2], [3])}, 0.9)["between"]
    assert (found["min"].item(), found["max"].item()) == (-2, 3)


@pytest.mark.parametrize("fractions", [(1.0, 0.5), (0.5, 1.0)])
def test_the_ranges_whose_answers_diverge_least_are_taken(
    fractions: tuple[float, ...], tiny: Any, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    def file_of(*tried: float) -> bytes:
        monkeypatch.setattr(quantise_litert, "KEPT_FRACTIONS", tried)
        return quantise(tiny.model, "int8", iter(images), "litert")

    whole, half = file_of(1.0), file_of(0.5)  # half clips what tells the colours apart
    assert whole != half
    assert file_of(*fractions) == whole


def test_a_sample_of_many_pictures_is_spread_over_them_and_the_same_every_time() -> None:
    pictures = [np.full((1, 1, 1, 3), number, np.float32) for number in range(400)]

    def kept() -> list[int]:
        sample = quantise_litert._Sample(iter(pictures))
        assert len(list(sample)) == 400
        return [int(picture.flat[0]) for picture in sample.kept]

    assert kept() == kept()
    assert len(set(kept())) == 50
    assert 20 < sum(number < 200 for number in kept()) < 30 + 1


def test_few_pictures_are_all_kept(images: Images) -> None:
    sample = quantise_litert._Sample(iter(images.astype(np.float32)[:, None]))
    list(sample)
    assert len(sample.kept) == len(images)


def test_int8_answers_like_keras_on_few_pictures(tiny: Any, images: Images) -> None:
    expected = KerasPredictor(tiny.model).logits(images)
    got = quantise_litert._answers(
        quantise(tiny.model, "int8", iter(images), "litert"), [image[None].astype(np.float32) for image in images]
    )
    assert np.abs(got - expected).mean() < 0.05
