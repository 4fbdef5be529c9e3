"""``trailcam demo``: photographs that may be shipped, and mistakes that are counted."""

import contextlib
import io
import json
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import pytest

from trailcam.commands.demo import program_name
from trailcam.commands.demo.material import (
    Kind,
    Photograph,
    demo_labels,
    judge,
    judge_photograph,
    read_photographs,
    read_sequence,
)
from trailcam.commands.demo.output import DemoText
from trailcam.main import main
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_edge.sources import DEMO_FRAMES

ENTRIES: list[dict[str, Any]] = json.loads((DEMO_FRAMES / "frames.json").read_text(encoding="utf-8"))
WALK: dict[str, Any] = json.loads((DEMO_FRAMES / "walk.json").read_text(encoding="utf-8"))
OUTPUT = open_bundle(BUILTIN_BUNDLE).manifest.output
LABELS = [OUTPUT.labels[number] for number in OUTPUT.known_ids]
SHIPPABLE = {"Public Domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-4.0"}
SHARE_ALIKE = {"CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0"}
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def text() -> str:
    """What a terminal shows."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["demo"]) == 0
    return printed.getvalue()


@pytest.fixture
def records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert main(["demo", "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_shipped_file_has_an_entry_with_author_licence_and_origin() -> None:
    shipped = {str(path.relative_to(DEMO_FRAMES)) for path in DEMO_FRAMES.rglob("*") if path.is_file()}
    papers = {"frames.json", "walk.json", "walk.mp4", "share_alike/LICENCE.md"}
    assert sorted(shipped - papers) == sorted(entry["file"] for entry in ENTRIES)
    assert papers <= shipped
    for entry in [*ENTRIES, *WALK["photographs"]]:
        assert entry["licence"] in SHIPPABLE | SHARE_ALIKE
        assert entry["licence_url"].startswith("https://creativecommons.org/")
        for name in ("author", "origin", "licence_stated_in", "changes", "shows"):
            assert len(entry[name]) > 1, (entry["file"], name)


def test_share_alike_photographs_lie_apart_with_their_licence_and_nothing_is_made_of_them() -> None:
    licence = (DEMO_FRAMES / "share_alike" / "LICENCE.md").read_text(encoding="utf-8")
    for entry in ENTRIES:
        assert (entry["licence"] in SHARE_ALIKE) == entry["file"].startswith("share_alike/")
        if entry["licence"] in SHARE_ALIKE:
            (line,) = (line for line in licence.splitlines() if f"`{Path(entry['file']).name}`" in line)
            assert entry["author"] in line
            assert entry["licence_url"] in line
    assert {entry["licence"] for entry in WALK["photographs"]} <= SHIPPABLE


def test_all_ten_animals_other_animals_and_empty_scenes_are_there() -> None:
    assert {entry["expected"] for entry in ENTRIES if entry["kind"] == "animal"} == set(LABELS)
    kinds = Counter(entry["kind"] for entry in ENTRIES)
    assert kinds.keys() == {"animal", "other", "empty"}
    assert kinds["other"] >= 10
    assert kinds["empty"] >= 10
    assert all(entry["expected"] is None for entry in ENTRIES if entry["kind"] != "animal")


def test_the_package_data_is_small() -> None:
    assert sum(path.stat().st_size for path in DEMO_FRAMES.parent.rglob("*") if path.is_file()) <= 6 * MEGABYTE
    assert (DEMO_FRAMES / "walk.mp4").stat().st_size <= 1.5 * MEGABYTE
    for entry in ENTRIES:
        assert max(cv2.imread(str(DEMO_FRAMES / entry["file"])).shape) <= 640


def test_each_answer_comes_with_the_truth_and_the_counts_are_those_of_the_lines(
    records: list[dict[str, Any]],
) -> None:
    photographs = [record for record in records if "kind" in record]
    assert [record["frame"] for record in photographs] == [entry["file"] for entry in ENTRIES]
    assert [record["expected"] for record in photographs] == [entry["expected"] for entry in ENTRIES]
    for record in photographs:
        assert record["verdict"] == judge(record["expected"], record["label"])
    verdicts = Counter((record["expected"] is None, record["verdict"]) for record in photographs)
    (counts,) = (record for record in records if record.get("event") == "photographs")
    animals = {verdict: verdicts[False, verdict] for verdict in ("right", "missed", "wrong", "unjudged")}
    assert counts["animals"] == {"count": 16} | animals
    assert counts["others_and_empty"] == {"count": 33, "named": verdicts[True, "wrong"]}
    assert animals["right"] > 8  # a model that knows these animals names most of them, whichever they are


def test_every_frame_of_the_sequence_is_judged(records: list[dict[str, Any]]) -> None:
    frames = [record for record in records if str(record.get("frame")).startswith("walk.mp4 #")]
    first, last = WALK["animal_frames"]
    expected = ["cow" if first <= number <= last else None for number in range(WALK["frames"])]
    assert [record["expected"] for record in frames] == expected
    visits = Counter(record["label"] for record in records if record.get("event") == "visit")
    counts = records[-1]
    assert counts["event"] == "sequence"
    assert sum(counts["frames_with_animal"].values()) == last - first + 1
    assert sum(counts["frames_without"].values()) == WALK["frames"] - (last - first + 1)
    right = sum(record["verdict"] == "right" for record in frames)
    assert counts["frames_with_animal"]["right"] + counts["frames_without"]["right"] == right
    assert counts["visits"] == visits


def test_the_terminal_lists_every_mistake_again(text: str) -> None:
    table, _, summary = text.partition(" animals named right")
    assert re.search(r"\n\d+ of 16$", table)
    mistakes = [line.split() for line in table.splitlines() if re.search("MISSED|WRONG", line)]
    for words in mistakes:
        assert re.search(rf"answered \S+.* {re.escape(words[-1])}\n", summary), words[-1]
    wrong = sum("WRONG" in words for words in mistakes)
    missed = sum("MISSED" in words for words in mistakes)
    counted = re.match(r", (\d+) unknown, (\d+) wrong\.(?:.|\n)*Of 33 other .* scenes, (\d+) were named", summary)
    assert counted is not None
    assert int(counted[1]) == missed
    assert int(counted[2]) + int(counted[3]) == wrong


def test_the_terminal_shows_the_sequence_and_the_next_step_within_100_columns(text: str) -> None:
    (row,) = (line.strip() for line in text.splitlines() if re.fullmatch(r"  [.#X-]+", line))
    assert len(row) == WALK["frames"]
    assert f"Of {WALK['animal_frames'][1] - WALK['animal_frames'][0] + 1} frames with the cow" in text
    assert "Visits: expected 1 (cow), found " in text
    assert "trailcam classify PHOTO.jpg" in text
    assert not [line for line in text.splitlines() if len(line) > 100 and "frames.json" not in line]


def test_ctrl_c_ends_with_the_counts_so_far(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show = DemoText.photograph

    def interrupt(self: DemoText, *words: Any) -> None:
        show(self, *words)
        if len(self.answered) == 3:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.5)  # another thread sets the event that the demo asks for; on a busy machine it starts late

    monkeypatch.setattr(DemoText, "photograph", interrupt)
    assert main(["demo"]) == 130
    printed = capsys.readouterr().out
    assert " of 3 animals named right" in printed
    assert "sequence" not in printed


def test_a_model_that_knows_none_of_these_animals_is_right_with_unknown() -> None:
    photographs = read_photographs(["badger", "cow"])
    assert {item.expected for item in photographs} == {"cow", None}
    assert {item.kind for item in photographs if item.shows == "horse"} == {"other"}
    assert {item.kind for item in photographs if item.shows == "cow"} == {"animal"}
    assert read_sequence(["badger"]).expected_at(WALK["animal_frames"][0]) is None
    assert read_sequence(["cow"]).expected_at(WALK["animal_frames"][0]) == "cow"
    assert read_sequence(["cow"]).expected_at(WALK["animal_frames"][1] + 1) is None


@pytest.mark.parametrize(
    ("expected", "named", "verdict"),
    [
        ("cow", "cow", "right"),
        ("cow", None, "missed"),
        ("cow", "dog", "wrong"),
        (None, None, "right"),
        (None, "dog", "wrong"),
    ],
)
def test_an_answer_is_judged_by_the_truth(expected: str | None, named: str | None, verdict: str) -> None:
    assert judge(expected, named) == verdict


@pytest.mark.parametrize(
    ("kind", "named", "verdict"),
    [
        ("other", "Alcedo atthis", "unjudged"),
        ("other", "butterfly", "wrong"),
        ("other", None, "right"),
        ("empty", "Alcedo atthis", "wrong"),
    ],
)
def test_a_label_that_the_demo_does_not_know_is_a_mistake_on_an_empty_scene_only(
    kind: Kind, named: str | None, verdict: str
) -> None:
    assert demo_labels() == set(LABELS)
    assert judge_photograph(Photograph("a.webp", kind, "kingfisher", None), named, demo_labels()) == verdict


def test_a_model_of_other_animals_is_not_blamed_for_its_labels(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = shared_data / "models"
    options = ["--model", str(models / "mobilenet_v2_1.0_224_inat_bird_quant.tflite")]
    options += ["--labels", str(models / "inat_bird_labels.txt"), "--background", "964"]
    assert main(["demo", *options]) == 0
    printed = capsys.readouterr().out
    assert "no label for any of these animals" in printed
    assert 'Answers with "?" above may be right' in printed
    assert "Visits: expected none" in printed
    assert "animals named right" not in printed


@pytest.mark.parametrize(
    ("called", "found", "folder", "expected"),
    [
        ("/there/bin/trailcam", "/there/bin/trailcam", "/elsewhere", "trailcam"),
        ("/there/bin/trailcam", None, "/there", "bin/trailcam"),
        ("/there/bin/trailcam", "/usr/bin/trailcam", "/elsewhere", "/there/bin/trailcam"),
        ("/there/lib/trailcam/__main__.py", None, "/there", "python3 -m trailcam"),
    ],
)
def test_the_next_steps_run_in_the_shell_that_printed_them(
    called: str, found: str | None, folder: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trailcam.commands.demo.sys.executable", "/there/bin/python3")
    monkeypatch.setattr("trailcam.commands.demo.shutil.which", lambda name: found)
    assert program_name(called, Path(folder)) == expected
