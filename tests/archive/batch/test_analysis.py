"""Files to records: pictures, boxes, clips, HEIC and AVIF."""

import io
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_archive.batch.analysis import Analyser
from trailcam_archive.batch.photograph_formats import decode_in_child, is_foreign
from trailcam_archive.batch.tasks import AnalysisSettings, Task
from trailcam_archive.heif import decode_heif, is_heif
from trailcam_archive.rows.record import Detection
from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_core.images.boxes import Box
from trailcam_core.images.decode import read_image
from trailcam_core.inference.decision import confidence_score
from trailcam_core.spec import FeatureMap, OutputSpec
from trailcam_edge.sources import DEMO_FRAMES


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.open(num_threads=1)


@pytest.fixture(scope="module")
def analyser(classifier: Classifier) -> Analyser:
    return Analyser(classifier, AnalysisSettings())


def test_a_picture_has_the_answer_of_the_classifier_and_its_score(analyser: Analyser, classifier: Classifier) -> None:
    frame = min(DEMO_FRAMES.glob("*.webp"))
    (answer,) = analyser.analyse(Task(str(frame), "photograph")).answers
    expected = classifier.classify_file(frame)
    assert (answer.best, answer.confidence) == (expected.top[0].label, expected.confidence)
    logits = classifier.logits(read_image(frame, classifier.input))
    assert classifier.output.reject is not None
    assert answer.score == float(confidence_score(logits, classifier.output.reject.score))


def test_animal_boxes_are_classified_and_others_pass(analyser: Analyser, classifier: Classifier) -> None:
    frame = min(DEMO_FRAMES.glob("*.webp"))
    whole, small = (0.0, 0.0, 1.0, 1.0), (0.4, 0.4, 0.2, 0.2)
    boxes = (
        Detection("animal", 0.9, small),
        Detection("person", 0.8, whole),
        Detection("animal", 0.1, whole),
    )
    animal, person = analyser.analyse(Task(str(frame), "photograph", boxes)).answers
    assert animal.detection == boxes[0]
    assert animal.score is not None
    assert (person.best, person.kind, person.score) == ("person", "detected", None)
    (blank,) = analyser.analyse(Task(str(frame), "photograph", boxes[2:])).answers
    assert (blank.kind, blank.confidence) == ("nothing", 0.9)
    (nothing,) = analyser.analyse(Task(str(frame), "photograph", ())).answers
    assert nothing.species(None) == "nothing"


def test_a_small_animal_is_named_by_a_second_look_with_its_box(tmp_path: Path, write_tiny_bundle: Any) -> None:
    output = OutputSpec(
        ("red", "green", "blue", "grey"), 1.0, None, unknown_labels=("grey",), feature_map=FeatureMap(32, 32, 3)
    )
    write_tiny_bundle(tmp_path / "zoom.bundle", "feature_map", output=output, schema_version=2)
    classifier = Classifier.open(tmp_path / "zoom.bundle")
    picture = np.full((320, 320, 3), 128, np.uint8)
    cv2.imwrite(str(tmp_path / "none.png"), picture)
    picture[60:120, 200:260] = (20, 20, 230)  # BGR
    cv2.imwrite(str(tmp_path / "small.png"), picture)
    zooming, plain = (Analyser(classifier, AnalysisSettings(zoom=zoom)) for zoom in (True, False))
    small, nothing = (Task(str(tmp_path / name), "photograph") for name in ("small.png", "none.png"))
    assert plain.analyse(small).answers[0].species(None) == "unknown"
    (answer,) = zooming.analyse(small).answers
    expected = classifier.look_twice(read_image(tmp_path / "small.png"))
    assert (answer.best, answer.confidence) == (expected.label, expected.confidence) == ("red", answer.confidence)
    assert answer.detection is not None
    assert expected.box is not None
    assert Box(*answer.detection.box) == expected.box
    assert zooming.analyse(nothing) == plain.analyse(nothing)


def test_a_clip_has_the_answer_of_its_clearest_frame(analyser: Analyser, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (320, 240))
    frame = cv2.resize(cv2.imread(str(min(DEMO_FRAMES.glob("*.webp")))), (320, 240))
    for number in range(45):
        writer.write(frame if number == 20 else np.full_like(frame, 120))
    writer.release()
    record = analyser.analyse(Task(str(path), "clip"))
    assert record.error is None
    assert record.clip is not None
    assert record.clip.frames == (0, 10, 20, 30, 40)
    assert (record.answers[0].frame, record.answers[0].at_s) == (20, 2.0)


def test_what_cannot_be_read_is_a_record_with_its_error(analyser: Analyser, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.mp4").write_bytes(b"no clip")
    for name, kind in (("a.jpg", "photograph"), ("b.mp4", "clip"), ("c.jpg", "photograph"), ("d.mp4", "clip")):
        record = analyser.analyse(Task(str(tmp_path / name), kind))  # type: ignore[arg-type]
        assert name in (record.error or "")
        assert record.answers == ()


HEIC = Path(__file__).parent / "fixtures" / "red_corner.heic"  # made with pillow-heif from what _avif encodes


def _avif() -> bytes:
    """Return a picture of 96x64 px with a red corner, which EXIF turns by a quarter to the right."""
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow")
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:32, :48] = (200, 30, 30)
    exif = pillow.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    pillow.fromarray(pixels).save(content, "AVIF", quality=95, exif=exif.tobytes())
    return content.getvalue()


@pytest.mark.parametrize("form", ["AVIF", "HEIC"])
def test_heic_and_avif_decode_upright_here_and_in_a_child(form: str) -> None:
    if form == "HEIC":
        pytest.importorskip("pi_heif", reason="needs pi-heif, the extra heif")
    data = HEIC.read_bytes() if form == "HEIC" else _avif()
    assert is_heif(data)
    assert is_foreign(data)
    image = decode_heif(data, "a")
    assert image.shape == (96, 64, 3)
    assert np.abs(image[5, 60].astype(int) - (200, 30, 30)).max() < 30
    assert np.array_equal(decode_in_child(data, "a"), image)
    for decode in (decode_heif, decode_in_child):
        with pytest.raises(SourceError, match=r"^a: "):
            decode(data[: len(data) // 2], "a")
    with pytest.raises(SourceError, match=r"^a: the picture is damaged") as caught:
        decode_heif(data[:40], "a")
    assert "object at" not in str(caught.value)


def test_heic_without_its_reader_names_the_cure(analyser: Analyser, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL.Image", reason="needs Pillow")
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    record = analyser.analyse(Task(str(HEIC), "photograph"))
    assert "[heif]" in (record.error or "")
