"""The run directory, as an export reads it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.datasets.run_directory import SPLITS, SplitRow, check_pictures, read_run, read_split, split_to_bytes
from trailcam_core.errors import DataError, TrainError
from trailcam_core.spec import InputSpec

_DIGEST = hashlib.sha256(b"picture").hexdigest()
_ROWS = (
    SplitRow("cane/a, b.jpg", _DIGEST, "train", "dog"),
    SplitRow('gatto/"c".jpg', _DIGEST, "validation", "cat"),
    SplitRow("gatto/d\u202fe.jpg", _DIGEST, "test", "cat"),
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    (path / "model.keras").write_bytes(b"not read here")
    (path / "labels.json").write_text('["cat", "dog"]')
    (path / "split.csv").write_bytes(split_to_bytes(_ROWS))
    (path / "recipe.toml").write_text('seed = 1\n[input]\nheight = 128\nwidth = 96\nfit = "crop"\n')
    (path / "metrics.json").write_text('{"top1": 0.9}')
    (path / "provenance.json").write_text('{"python": "3.11"}')
    return path


def test_a_finished_run_is_read(run: Path) -> None:
    found = read_run(run)
    assert found.labels == ("cat", "dog")
    assert found.input == InputSpec(128, 96, "crop")
    assert found.rows == _ROWS
    assert found.model_path == run / "model.keras"
    assert found.recipe["seed"] == 1
    assert found.metrics == {"top1": 0.9}
    assert found.provenance == {"python": "3.11"}
    assert [row.label for row in found.pictures("validation")] == ["cat"]
    with pytest.raises(ValueError, match="one of train, validation, test, got 'all'"):
        found.pictures("all")


def test_files_that_an_editor_has_saved_with_a_byte_order_mark_are_read(run: Path) -> None:
    before = read_run(run)
    for name in ("labels.json", "recipe.toml", "split.csv"):
        (run / name).write_bytes(b"\xef\xbb\xbf" + (run / name).read_bytes())
    assert read_run(run) == before


def _lacks(name: str) -> Callable[[Path], Any]:
    return lambda run: (run / name).unlink()


def _holds(name: str, content: str | bytes) -> Callable[[Path], Any]:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda run: (run / name).write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_lacks("model.keras"), "not a finished run (no model.keras). Make one with"),
        (_lacks("labels.json"), "labels.json: cannot be read"),
        (_lacks("recipe.toml"), "recipe.toml: cannot be read"),
        (_lacks("metrics.json"), "metrics.json: cannot be read"),
        (_lacks("provenance.json"), "provenance.json: cannot be read"),
        (_holds("labels.json", "[1, 2]"), "labels.json: holds something other than names"),
        (_holds("labels.json", '{"cat": 0}'), "labels.json: holds a dict, expected a list"),
        (_holds("labels.json", "[]"), "labels.json: holds no label"),
        (_holds("labels.json", '["cat", "cat"]'), "'cat' is on lines 1 and 2"),
        (_holds("labels.json", '["cat"]'), "split.csv has the label 'dog', which labels.json does not list"),
        (_holds("labels.json", b'["\xff"]'), "labels.json: cannot be read"),
        (_holds("metrics.json", "[" * 100_000), "metrics.json: cannot be read"),
        (_holds("metrics.json", '{"top1": 1' + "0" * 5_000 + "}"), "metrics.json: cannot be read"),
        (_holds("recipe.toml", "seed = 1" + "0" * 5_000), "recipe.toml: cannot be read"),
        (_holds("metrics.json", "[]"), "metrics.json: holds a list, expected a dict"),
        (_holds("recipe.toml", "input ="), "recipe.toml: cannot be read"),
        (_holds("recipe.toml", "seed = 1"), "[input] needs height and width, 32 to 1024 px, and fit"),
        (_holds("recipe.toml", "input = 1"), "[input] needs height and width"),
        (_holds("recipe.toml", '[input]\nheight = true\nwidth = 128\nfit = "crop"'), "[input] needs height and width"),
        (_holds("recipe.toml", '[input]\nheight = 8\nwidth = 128\nfit = "crop"'), "[input] needs height and width"),
        (_holds("recipe.toml", '[input]\nheight = 64\nwidth = 128\nfit = "squash"'), "[input] needs height and width"),
    ],
)
def test_a_run_that_cannot_be_used_says_why(run: Path, spoil: Callable[[Path], Any], message: str) -> None:
    spoil(run)
    with pytest.raises(TrainError) as caught:
        read_run(run)
    assert message in str(caught.value)


def test_what_is_no_folder_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "missing", tmp_path):
        with pytest.raises(TrainError, match="not a finished run"):
            read_run(path)


@pytest.fixture(scope="module")
def split_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("split") / "split.csv"


_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)


@given(st.lists(st.tuples(_NAMES, st.sampled_from(SPLITS), _NAMES), max_size=6, unique_by=lambda row: row[0]))
def test_any_file_name_survives_a_split(split_file: Path, rows: list[Any]) -> None:
    expected = tuple(SplitRow(f"folder/{name}", _DIGEST, split, label) for name, split, label in rows)
    split_file.write_bytes(split_to_bytes(expected))
    assert read_split(split_file) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its first line is missing"),
        (b"file,split\n", "its first line is ['file', 'split'], expected ['file', 'sha256', 'split', 'class']"),
        (b"\xff", "cannot be read as a split"),
        (f"a.jpg,{_DIGEST},train\n", "line 2 has 3 fields, expected 4"),
        (f"a.jpg,{_DIGEST},holdout,cat\n", "line 2: split is 'holdout', expected one of train, validation, test"),
        ("a.jpg,abc,train,cat\n", "line 2: sha256 is 'abc', expected 64 hexadecimal digits"),
        (f"../a.jpg,{_DIGEST},train,cat\n", "line 2: '../a.jpg' leaves the data folder"),
        (f"/etc/a.jpg,{_DIGEST},train,cat\n", "line 2: '/etc/a.jpg' leaves the data folder"),
        (f"b/../../a.jpg,{_DIGEST},train,cat\n", "leaves the data folder"),
        (f".,{_DIGEST},train,cat\n", "leaves the data folder"),
        (f"a\0.jpg,{_DIGEST},train,cat\n", "leaves the data folder"),
        (f"a.jpg,{_DIGEST},train,cat\na.jpg,{_DIGEST},test,cat\n", "line 3: 'a.jpg' occurs twice"),
    ],
)
def test_a_split_that_cannot_be_trusted_says_where(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "split.csv"
    body = content if isinstance(content, bytes) else b"file,sha256,split,class\n" + content.encode()
    path.write_bytes(body)
    with pytest.raises(DataError) as caught:
        read_split(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\r.jpg", "a\0.jpg", "a\udce9.jpg"])
def test_a_name_that_could_not_be_read_back_is_not_written(name: str) -> None:
    with pytest.raises(DataError, match=r"control characters in its name, or is not UTF-8\. Rename it"):
        split_to_bytes([SplitRow(name, _DIGEST, "train", "cat")])
    with pytest.raises(DataError, match="Rename it"):
        split_to_bytes([SplitRow("a.jpg", _DIGEST, "train", name)])


def test_a_missing_split_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a split"):
        read_split(tmp_path / "split.csv")


def _pictures(folder: Path) -> tuple[SplitRow, ...]:
    rows = tuple(SplitRow(f"{number}.jpg", _DIGEST, "train", "cat") for number in range(3))
    for row in rows:
        (folder / row.file).write_bytes(b"picture")
    return rows


def test_pictures_that_did_not_change_pass_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    check_pictures(_pictures(tmp_path), tmp_path, lambda stage, done, total, note="": told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_changed_and_a_missing_picture_are_named(tmp_path: Path) -> None:
    rows = _pictures(tmp_path)
    (tmp_path / "1.jpg").write_bytes(b"other")
    with pytest.raises(DataError, match=r"1\.jpg: changed since the split was made, as are 0 others of 3"):
        check_pictures(rows, tmp_path)
    (tmp_path / "0.jpg").unlink()
    with pytest.raises(DataError, match=r"0\.jpg: missing since the split was made, as are 1 others of 3"):
        check_pictures(rows, tmp_path)


def test_labels_keep_their_order(run: Path) -> None:
    (run / "labels.json").write_text(json.dumps(["dog", "cat"]))
    assert read_run(run).labels == ("dog", "cat")
