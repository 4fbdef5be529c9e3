"""The Python API, with real models."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from trailcam_core.bundle.folder import Bundle, open_bundle
from trailcam_core.classifier import Classifier
from trailcam_core.errors import BundleError, SourceError
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import OutputSpec, RejectRule

Image = npt.NDArray[np.uint8]
WriteBundle = Callable[..., Bundle]

_LABELS = "red\ngreen\nblue\ngrey\n"


def _labels(folder: Path, text: str = _LABELS) -> Path:
    path = folder / "labels.txt"
    path.write_text(text)
    return path


def test_a_bundle_names_every_colour(tiny_bundle: Path, colours: dict[str, Image]) -> None:
    classifier = Classifier.open(tiny_bundle, num_threads=1)
    for label, image in colours.items():
        answer = classifier.classify(image)
        assert answer.label == label
        assert len(answer.top) == 3
        assert answer.latency_ms > 0


def test_a_bundle_opens_by_path_text_and_object(tiny_bundle: Path, colours: dict[str, Image]) -> None:
    for bundle in (tiny_bundle, str(tiny_bundle), open_bundle(tiny_bundle)):
        classifier = Classifier.open(bundle)
        assert classifier.bundle.model_path == tiny_bundle / "model.tflite"
        assert classifier.classify(colours["blue"]).label == "blue"


def test_the_logits_are_those_of_the_bare_interpreter(tiny_bundle: Path, models: Path) -> None:
    classifier = Classifier.open(tiny_bundle)
    image = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    expected = TFLiteModel(models / "uint8_logits.tflite").invoke(fit_image(image, classifier.input)[None])
    assert np.array_equal(classifier.logits(image), expected)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 3), (33, 31, 3), (32, 32, 3)])
def test_an_image_of_any_size_gets_an_answer(tiny_bundle: Path, shape: tuple[int, ...]) -> None:
    assert Classifier.open(tiny_bundle).classify(np.full(shape, (20, 230, 20), np.uint8)).label == "green"


def test_the_reject_rule_of_the_bundle_is_applied(
    tmp_path: Path, write_tiny_bundle: WriteBundle, colours: dict[str, Image]
) -> None:
    rule = RejectRule("max_logit", 5.0, 0.95, 100, 0.9, 100)
    bundle = write_tiny_bundle(tmp_path / "a.bundle", output=OutputSpec(("red", "green", "blue", "grey"), 1.0, rule))
    classifier = Classifier.open(bundle)
    assert classifier.classify(colours["red"]).label == "red"
    answer = classifier.classify(colours["grey"])  # its largest logit is 1
    assert answer.label is None
    assert answer.top[0].label == "grey"


def test_the_golden_vectors_replay(tiny_bundle: Path) -> None:
    report = Classifier.open(tiny_bundle).replay_golden()
    assert report.passed
    assert report.worst == 0


def test_a_picture_file_is_classified_and_a_bad_one_is_a_source_error(tiny_bundle: Path, tmp_path: Path) -> None:
    classifier = Classifier.open(tiny_bundle)
    path = tmp_path / "a.jpg"
    Pillow.new("RGB", (400, 300), (230, 20, 20)).save(path)
    assert classifier.classify_file(path).label == "red"
    assert classifier.classify_file(str(path), top_count=1).top[0].label == "red"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SourceError, match=r"a\.jpg"):
        classifier.classify_file(path)


def test_what_is_no_image_is_a_wrong_call(tiny_bundle: Path) -> None:
    classifier = Classifier.open(tiny_bundle)
    for wrong in (np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="image must be"):
            classifier.classify(wrong)


def test_an_empty_name_does_not_open_the_built_in_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"has no manifest\.json"):
        Classifier.open("")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("softmax", "ends with a softmax, a bundle's model gives logits"),
        ("int8_in", "takes int8, a bundle's model takes uint8"),
        ("float_in", "takes float32 and does not declare its range"),
        ("one_channel", "the model's input is"),
        ("two_outputs", "the model has 2 outputs"),
    ],
)
def test_a_bundle_around_another_kind_of_model_is_refused(
    tmp_path: Path, write_tiny_bundle: WriteBundle, model: str, message: str
) -> None:
    bundle = write_tiny_bundle(tmp_path / "a.bundle", model=model)
    with pytest.raises(BundleError, match=message):
        Classifier.open(bundle)


def test_a_model_that_gives_nan_gives_no_answer(
    tmp_path: Path, write_tiny_bundle: WriteBundle, colours: dict[str, Image]
) -> None:
    classifier = Classifier.open(write_tiny_bundle(tmp_path / "a.bundle", model="gives_nan"))
    with pytest.raises(BundleError, match="gives NaN or infinity"):
        classifier.classify(colours["red"])
    assert str(classifier.replay_golden().culprit).startswith("broken numbers")


@pytest.mark.parametrize("model", ["uint8_logits", "uint8_output", "int8_in", "float_bundle", "softmax"])
def test_a_bare_model_needs_only_its_labels(
    models: Path, tmp_path: Path, colours: dict[str, Image], model: str
) -> None:
    classifier = Classifier.open_model(models / f"{model}.tflite", _labels(tmp_path))
    for label, image in colours.items():
        assert classifier.classify(image).label == label
    assert classifier.input.height == 32


def test_a_bare_float_model_needs_its_value_range(models: Path, tmp_path: Path, colours: dict[str, Image]) -> None:
    with pytest.raises(BundleError, match="--value-range"):
        Classifier.open_model(models / "float_in.tflite", _labels(tmp_path))
    classifier = Classifier.open_model(models / "float_in.tflite", _labels(tmp_path), value_range=(-1, 1))
    assert classifier.classify(colours["grey"]).label == "grey"


def test_a_softmax_inside_the_model_is_not_applied_twice(
    models: Path, tmp_path: Path, colours: dict[str, Image]
) -> None:
    inside = Classifier.open_model(models / "softmax.tflite", _labels(tmp_path)).classify(colours["grey"])
    outside = Classifier.open_model(models / "uint8_logits.tflite", _labels(tmp_path)).classify(colours["grey"])
    assert inside.confidence == pytest.approx(outside.confidence, abs=0.02)  # a softmax in int8 has steps of 1/256


def test_a_bare_model_has_no_bundle(models: Path, tmp_path: Path) -> None:
    classifier = Classifier.open_model(models / "uint8_logits.tflite", _labels(tmp_path))
    with pytest.raises(ValueError, match="has no bundle"):
        _ = classifier.bundle


def test_a_background_row_is_said_never_guessed(models: Path, tmp_path: Path, colours: dict[str, Image]) -> None:
    model = models / "uint8_logits.tflite"
    inside = Classifier.open_model(model, _labels(tmp_path), background=3)
    assert inside.classify(colours["grey"]).label is None
    assert inside.classify(colours["red"]).label == "red"
    three = _labels(tmp_path, "red\ngreen\nblue\n")
    with pytest.raises(BundleError, match=r'3 labels, but the model gives 4 scores.*add its number: "--background 0"'):
        Classifier.open_model(model, three)
    left_out = Classifier.open_model(model, three, background=3)
    assert left_out.classify(colours["grey"]).label is None
    assert left_out.classify(colours["blue"]).label == "blue"
    shifted = Classifier.open_model(model, three, background=0)
    assert shifted.output.labels == ("background", "red", "green", "blue")


@pytest.mark.parametrize(
    ("text", "background", "message"),
    [
        (_LABELS, 4, "--background is 4, expected a class of this model, 0 to 3"),
        (_LABELS, -1, "--background is -1"),
        ("a\nb\n", None, r"2 labels, but the model gives 4 scores\.$"),
        ("a\nb\n", 0, "2 labels, but the model gives 4 scores"),
        ("a\nb\nc\nd\ne\n", None, "5 labels, but the model gives 4 scores"),
    ],
)
def test_labels_that_do_not_match_the_model_are_refused(
    models: Path, tmp_path: Path, text: str, background: int | None, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        Classifier.open_model(models / "uint8_logits.tflite", _labels(tmp_path, text), background)


def test_an_unknown_fit_is_a_wrong_call_at_once(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fit must be one of crop, letterbox, stretch, got 'squash'"):
        Classifier.open_model(models / "uint8_logits.tflite", _labels(tmp_path), fit="squash")


@pytest.mark.parametrize(
    ("model", "labels", "background", "bird", "parrot"),
    [
        ("mobilenet_v1_0.25_128_quant", "imagenet_labels.txt", 0, "chickadee", "macaw"),
        (
            "mobilenet_v2_1.0_224_inat_bird_quant",
            "inat_bird_labels.txt",
            964,
            "Poecile atricapillus (Black-capped Chickadee)",
            "Ara macao (Scarlet Macaw)",
        ),
    ],
)
def test_models_that_others_made_recognise_their_birds(
    shared_data: Path, model: str, labels: str, background: int, bird: str, parrot: str
) -> None:
    folder = shared_data / "models"
    classifier = Classifier.open_model(folder / f"{model}.tflite", folder / labels, background, fit="crop")
    assert classifier.output.labels[background] == "background"
    assert classifier.classify_file(folder / "bird.bmp").label == bird
    assert classifier.classify_file(folder / "parrot.jpg").label == parrot


def test_a_bundle_that_lost_a_label_after_opening_is_refused(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    fewer = replace(bundle, manifest=replace(bundle.manifest, output=OutputSpec(("red", "green"), 1.0, None)))
    with pytest.raises(BundleError, match="the model gives 4 scores, the manifest lists 2 labels"):
        Classifier.open(fewer)


def test_the_answer_for_a_file_and_for_its_pixels_is_the_same(tiny_bundle: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Pillow.new("RGB", (640, 480), (20, 20, 230)).save(buffer, "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(buffer.getvalue())
    classifier = Classifier.open(tiny_bundle)
    pixels = np.asarray(Pillow.open(path).convert("RGB"))
    assert classifier.classify_file(path).top == classifier.classify(pixels).top


def test_many_files_are_answered_in_their_order_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(12)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 256, (40, 48, 3)).astype(np.uint8))
    paths[4].write_bytes(b"no picture")
    classifier = Classifier.open(num_threads=1)

    found = list(classifier.classify_files(map(str, paths), top_count=2))

    assert [path for path, _ in found] == paths
    assert [isinstance(answer, SourceError) for _, answer in found] == [path == paths[4] for path in paths]
    for path, answer in found:
        if not isinstance(answer, SourceError):
            assert answer.top == classifier.classify_file(path, 2).top


def test_files_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    asked = 0

    def endless() -> Iterator[Path]:
        nonlocal asked
        while True:
            asked += 1
            yield tmp_path / "no.jpg"

    answers = Classifier.open(num_threads=1).classify_files(endless())
    next(answers)
    answers.close()

    assert asked < 20
