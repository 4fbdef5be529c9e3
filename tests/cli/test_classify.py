"""``trailcam classify`` on real files: the built-in bundle, bare models, bad pictures."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam_core.spec import FeatureMap, OutputSpec
from trailcam_edge.sources import DEMO_FRAMES


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two demo frames, a text that calls itself a JPEG, and a JPEG that is cut off."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    frames = sorted(DEMO_FRAMES.glob("*.webp"))
    (folder / "a.jpg").write_bytes(frames[0].read_bytes())
    (folder / "deep" / "b.JPG").write_bytes(frames[-1].read_bytes())
    (folder / "c.jpg").write_bytes(b"not a picture")
    (folder / "d.jpg").write_bytes(frames[0].read_bytes()[:700])
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_one_json_object_per_picture_and_line(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(photos), "--json"]) == 1
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(record["path"]).name for record in records] == ["a.jpg", "c.jpg", "d.jpg", "b.JPG"]
    good = [record for record in records if "error" not in record]
    assert len(good) == 2
    for record in good:
        assert list(record)[:5] == ["path", "label", "confidence", "top", "latency_ms"]
        assert record["label"] is None or record["label"] == record["top"][0]["label"]
        assert record["confidence"] == record["top"][0]["probability"]
        assert len(record["top"]) == 3
        assert record["latency_ms"] > 0
    assert all(list(record) == ["path", "error"] for record in records if "error" in record)


def test_a_missing_file_does_not_stop_the_rest(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(photos / "nowhere.jpg"), str(photos / "a.jpg"), "--json"]) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "nowhere.jpg" in first["error"]
    assert "label" in second


def test_good_pictures_alone_exit_with_0(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(photos / "a.jpg")]) == 0
    assert "a.jpg: " in capsys.readouterr().out


def test_csv_has_a_header_and_a_row_per_picture(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(photos), "--csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 4
    assert sum(bool(row["error"]) for row in rows) == 2


def test_a_folder_without_pictures_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(tmp_path), "--json"]) == 1
    assert "holds no picture" in json.loads(capsys.readouterr().out)["error"]


def test_tiny_and_enormous_pictures_are_errors_or_answers_but_never_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((1, 1, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "wide.jpg"), np.full((64, 20_000, 3), 90, np.uint8))
    assert main(["classify", str(tmp_path), "--json"]) == 1
    one, wide = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "1x1 px" in one["error"]
    assert "confidence" in wide


@pytest.mark.parametrize(
    ("name", "expected"),
    [("missing.bundle", "no such bundle"), ("model.keras", "a Keras model"), ("model.tflite", "a bare model file")],
)
def test_what_is_no_bundle_is_named(
    name: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if path.suffix != ".bundle":
        path.write_bytes(b"x")
    assert main(["classify", "x.jpg", "--bundle", str(path)]) == 1
    printed = capsys.readouterr().err
    assert expected in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "options",
    [
        ["--labels", "l.txt"],
        ["--background", "0"],
        ["--model", "m.tflite"],
        ["--model", "m.tflite", "--labels", "l.txt", "--bundle", "b"],
    ],
)
def test_options_that_contradict_each_other_are_usage_errors(options: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["classify", "x.jpg", *options])
    assert stopped.value.code == 2


def test_bare_models_of_others_answer_right(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = shared_data / "models"
    options = ["--model", str(models / "mobilenet_v2_1.0_224_inat_bird_quant.tflite")]
    options += ["--labels", str(models / "inat_bird_labels.txt"), "--background", "964", "--json"]
    assert main(["classify", str(models / "bird.bmp"), str(models / "parrot.jpg"), *options]) == 0
    bird, parrot = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert bird["label"].startswith("Poecile atricapillus")
    assert parrot["label"].startswith("Ara macao")


def test_a_label_file_that_is_one_short_asks_for_the_background(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = shared_data / "models"
    labels = (models / "imagenet_labels.txt").read_text().splitlines()
    (tmp_path / "labels.txt").write_text("\n".join(labels[1:]))
    options = ["--model", str(models / "mobilenet_v1_0.25_128_quant.tflite"), "--labels", str(tmp_path / "labels.txt")]
    assert main(["classify", str(models / "parrot.jpg"), *options]) == 1
    assert "--background 0" in capsys.readouterr().err
    assert main(["classify", str(models / "parrot.jpg"), *options, "--background", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "macaw"


@pytest.fixture
def zoom_bundle(tmp_path: Path, write_tiny_bundle: Any) -> Path:
    """A bundle of colours with a feature map, in which "grey" means unknown."""
    labels = ("red", "green", "blue", "grey")
    output = OutputSpec(labels, 1.0, None, unknown_labels=("grey",), feature_map=FeatureMap(32, 32, 3))
    write_tiny_bundle(tmp_path / "zoom.bundle", "feature_map", output=output, schema_version=2)
    return tmp_path / "zoom.bundle"


def test_zoom_names_a_small_animal_and_prints_where(
    zoom_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = np.full((320, 320, 3), 128, np.uint8)
    picture[60:120, 200:260] = (20, 20, 230)  # red, as OpenCV writes it
    cv2.imwrite(str(tmp_path / "small.png"), picture)
    command = ["classify", str(tmp_path / "small.png"), "--bundle", str(zoom_bundle)]
    assert main([*command, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main([*command, "--json", "--zoom"]) == 0
    zoomed = json.loads(capsys.readouterr().out)
    assert (plain["label"], zoomed["label"]) == (None, "red")
    assert "box" not in plain
    assert zoomed["box"]["width"] == pytest.approx(0.45)
    assert main([*command, "--zoom"]) == 0
    assert "; at x " in capsys.readouterr().out


def test_zoom_is_refused_once_with_the_way_to_it(
    pristine_bundle: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", str(photos), "--bundle", str(pristine_bundle), "--zoom"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert 'trailcam export RUN --zoom"' in shown.err


def test_nothing_and_other_animals_are_words_of_their_kind_in_every_form(
    tmp_path: Path, write_tiny_bundle: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("red", "green", "blue", "grey")
    output = OutputSpec(labels, 1.0, None, blank_labels=("blue",), unknown_labels=("grey",))
    write_tiny_bundle(tmp_path / "b.bundle", output=output, schema_version=2)
    for name, bgr in (("a", (20, 20, 230)), ("b", (230, 20, 20)), ("c", (128, 128, 128))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((40, 40, 3), bgr, np.uint8))
    command = ["classify", *(str(tmp_path / f"{name}.png") for name in "abc"), "--bundle", str(tmp_path / "b.bundle")]
    assert main([*command, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows] == ["red", "nothing", "unknown"]
    assert main([*command, "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(record["label"], record.get("nothing", False)) for record in records] == [
        ("red", False),
        (None, True),
        (None, False),
    ]
    assert main(command) == 0
    assert [line.split(": ")[1].split()[0].rstrip(",") for line in capsys.readouterr().out.splitlines()] == [
        "red",
        "nothing",
        "unknown",
    ]


def test_unknown_explains_itself_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest label, the score, and the limit that it misses."""
    picture = str(next(path for path in DEMO_FRAMES.rglob("horse_1.webp")))
    assert main(["classify", picture, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["label"] is None
    assert record["rejection"]["value"] < record["rejection"]["threshold"]
    nearest = record["top"][0]["label"]
    assert main(["classify", picture]) == 0
    assert f"unknown, nearest {nearest}: max probability 0." in capsys.readouterr().out
    assert main(["classify", picture, "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["label"], row["nearest"]) == ("unknown", nearest)
    assert float(row["score"]) == record["rejection"]["value"]
    assert float(row["threshold"]) == record["rejection"]["threshold"]


def test_an_answer_by_the_rule_of_the_labels_needs_no_score(capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [str(path) for name in ("other_bee", "empty_hill_sunset") for path in DEMO_FRAMES.rglob(f"{name}.webp")]
    assert main(["classify", *pictures]) == 0
    bee, hill = capsys.readouterr().out.splitlines()
    assert ": unknown, nearest other animal, which is never an answer  (" in bee
    assert ": nothing  (" in hill
