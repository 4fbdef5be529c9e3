"""Field reports: the camera's own loop on generated clips, counted against the truth, with clustered intervals."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam_benchmarks.field import run
from trailcam_benchmarks.field.cut_outs.files import write_cut_out
from trailcam_benchmarks.field.generator.clip_settings import ClipSettings
from trailcam_benchmarks.field.generator.renderings import render_animal, render_scene
from trailcam_benchmarks.field.journal import JOURNAL
from trailcam_benchmarks.field.measure import ClipResult, measure_clip
from trailcam_benchmarks.field.plan import plan_clips, standard_conditions
from trailcam_benchmarks.field.run import FieldPlan, measure_field, result_json
from trailcam_benchmarks.field.stills import StillResult, measure_empty, measure_others
from trailcam_benchmarks.field.summary import summarise, text_table
from trailcam_benchmarks.field.write import to_figures, write_to
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError, TrainError
from trailcam_core.jobs.progress import silent
from trailcam_core.spec import FieldFigures, FieldRow, InputSpec, OutputSpec
from trailcam_core.statistics.clustered import Rate, cluster_rate
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.regions import RegionSettings

SMALL = ClipSettings(frame_size_px=(640, 360), sway_px=0, drift=0, noise=1, walk_s=4.0)


class BrightModel:
    """Answers "cow" for a crop with much white or black in it, else "dog" without confidence."""

    class_count = 2
    path = Path("fake 1")
    gives_probabilities = False

    def invoke(self, input_tensor: Any) -> Any:
        extreme = np.mean((input_tensor.max(-1) > 180) | (input_tensor.max(-1) < 60))
        return np.array([4.0, 0.0] if extreme > 0.05 else [0.0, 0.1], np.float32)


class FakeClassifier(Classifier):
    name = "fake 1"

    def __init__(self) -> None:
        output = OutputSpec(("cow", "dog"), temperature=1.0, reject=None)
        super().__init__(BrightModel(), InputSpec(32, 32, "stretch"), output)  # type: ignore[arg-type]


def measure(settings: ClipSettings = SMALL, loop: LoopSettings | None = None, label: str = "cow") -> ClipResult:
    scene = ("scene 3", render_scene(3, (640, 360)) // 4 + 90)
    return measure_clip(
        "c", scene, [render_animal(3, label)] * 2, settings, 7, FakeClassifier(), loop or LoopSettings()
    )


def test_a_clip_is_right_if_its_animal_has_a_visit_and_regions_cover_it() -> None:
    found = measure()
    assert found.visits == ("cow",)
    assert found.is_right
    assert not found.is_wrong
    assert found.covered >= 0.9 * found.frames > 0
    assert found.named_right >= 0.9 * found.frames
    assert (found.empty_proposed, found.empty_named) == (0, 0)
    assert found.empty_frames == 12
    assert found.invokes < found.all_frames
    assert found.invoke_ms > 0
    assert found.loop_ms > 0


def test_another_name_is_wrong() -> None:
    found = measure(label="dog")
    assert found.is_wrong
    assert not found.is_right
    assert found.named_wrong >= 0.9 * found.frames


def test_the_whole_frame_may_be_measured_instead() -> None:
    found = measure(loop=LoopSettings(motion=RegionSettings(enabled=False)))
    assert found.invokes == found.all_frames
    assert found.covered == 0


def test_an_empty_scene_has_no_visit_and_is_never_right() -> None:
    found = measure(replace(SMALL, animals=0))
    assert (found.labels, found.visits, found.frames) == ((), (), 0)
    assert not found.is_right
    assert found.empty_frames == found.all_frames


def test_all_conditions_have_the_same_scenes_and_animals() -> None:
    scenes = (Path("a.jpg"), Path("b.jpg"), Path("c.jpg"))
    animals = [render_animal(seed, label) for seed, label in ((1, "cow"), (2, "cow"), (3, "dog"))]
    planned = list(plan_clips(scenes, animals, standard_conditions(60), 24, seed=1))
    by_condition: dict[str, list[tuple[Path, str, int]]] = {}
    for clip in planned:
        by_condition.setdefault(clip.condition, []).append((clip.scene, clip.cut_outs[0].name, clip.seed))
    assert len(by_condition["empty"]) == 3
    assert all(rows == by_condition["0.25"] for name, rows in by_condition.items() if name != "empty")
    assert {name for _, name, _ in by_condition["0.25"]} == {"rendering 1", "rendering 2", "rendering 3"}


def test_an_interval_is_that_of_scenes_not_of_clips() -> None:
    alike = [(scene, float(scene == "a"), 1.0) for scene in "abcdefgh" for _ in range(50)]
    rate = cluster_rate(alike, seed=0)
    assert rate.value == pytest.approx(1 / 8)
    assert rate.low == 0
    assert rate.high is not None
    assert rate.high > 0.3  # 400 clips would give 0.16
    assert rate.n == 400


def test_a_rate_of_nothing_is_none_and_of_one_scene_has_no_interval() -> None:
    assert cluster_rate([("a", 0.0, 0.0)], 0).value is None
    assert cluster_rate([], 0).value is None
    one = cluster_rate([("a", 1.0, 2.0)], 0)
    assert (one.value, one.low, one.high) == (0.5, None, None)


def test_rows_count_false_visits_by_the_hour_of_empty_scenes() -> None:
    clip = measure()
    empty = replace(measure(replace(SMALL, animals=0)), condition="empty", visits=("cow",), seconds=1800.0)
    rows = summarise([clip, empty])
    assert [row.condition for row in rows] == ["c", "empty"]
    assert rows[0].clips_right.value == 1
    assert rows[0].false_visits_per_hour.value is None
    assert rows[1].false_visits_per_hour.value == pytest.approx(2)
    assert rows[1].clips_right.value is None
    assert "empty" in text_table(rows)


def test_the_table_does_not_round_a_mistake_away() -> None:
    clip = measure()
    clips = [replace(clip, scene=str(number % 20)) for number in range(199)]
    clips.append(replace(clip, visits=("sheep",), empty_frames=clip.empty_frames * 10, empty_named=1))
    (row,) = summarise(clips)
    words = text_table([row]).splitlines()[1].split()
    assert "0.5%" in words
    assert f"{1000 / sum(item.empty_frames for item in clips):.1f}/1000" in words
    assert words.count("0.0/1000") == 0


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    scenes, cut_outs = tmp_path / "scenes", tmp_path / "cutouts"
    scenes.mkdir()
    for seed in (3, 4):
        cv2.imwrite(str(scenes / f"{seed}.png"), render_scene(seed, (640, 360)) // 4 + 90)
    write_cut_out(render_animal(3, "cow"), cut_outs)
    return scenes, cut_outs


def test_a_report_has_rows_clips_and_plan_and_is_the_same_for_the_same_seed(folders: tuple[Path, Path]) -> None:
    plan = FieldPlan(*folders, clips=2, empty_s=3.0, conditions=("0.25", "empty"), frame_size_px=(640, 360))
    first, again = (result_json(measure_field(FakeClassifier(), plan, silent)) for _ in range(2))
    assert [row["condition"] for row in first["rows"]] == ["0.25", "empty"]
    assert first["rows"][0]["clips"] == 2
    json.dumps(first, allow_nan=False)
    for found in (first, again):
        for clip in found["clips"]:
            del clip["invoke_ms"], clip["loop_ms"]
    assert first["clips"] == again["clips"]


def test_a_stopped_test_goes_on_with_the_clips_that_are_left(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = FieldPlan(*folders, clips=3, conditions=("0.25",), frame_size_px=(640, 360))

    def stop(_stage: str, done: int, _total: int, _note: str = "") -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_field(FakeClassifier(), plan, stop, tmp_path)
    with (tmp_path / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write('{"key": "cut o')
    measured: list[Any] = []
    monkeypatch.setattr(run, "measure_clip", lambda *words: measured.append(words) or measure_clip(*words))
    again = measure_field(FakeClassifier(), plan, silent, tmp_path)
    assert (len(measured), len(again.clips)) == (1, 3)
    assert measure_field(FakeClassifier(), plan, silent, tmp_path).clips == again.clips
    assert len(measured) == 1
    measure_field(FakeClassifier(), replace(plan, seed=1), silent, tmp_path)
    assert len(measured) == 4


def test_cut_outs_of_unknown_labels_and_unknown_conditions_are_refused(folders: tuple[Path, Path]) -> None:
    write_cut_out(render_animal(4, "lynx"), folders[1])
    with pytest.raises(SourceError, match="cut-outs are labelled lynx, but fake 1 knows cow, dog"):
        measure_field(FakeClassifier(), FieldPlan(*folders, clips=1, conditions=("0.25",)), silent)
    with pytest.raises(SourceError, match=r"'0\.3' is no condition of a field test, expected one of: 0\.5; 0\.25"):
        FieldPlan(*folders, conditions=("0.3",)).planned()


def test_the_command_measures_a_bundle_and_writes_the_report(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--field", *map(str, folders), "--clips", "1", "--condition", "0.5", "--out", str(tmp_path / "out")]
    assert main(["benchmark", *words]) == 0
    assert "clips right" in capsys.readouterr().out
    result = json.loads((tmp_path / "out" / "field.json").read_text(encoding="utf-8"))
    assert [row["condition"] for row in result["rows"]] == ["0.5"]
    assert result["clips"][0]["labels"] == ["cow"]
    assert main(["benchmark", "a", "b", *words]) == 1
    assert "--field measures one bundle" in capsys.readouterr().err


def _figures(count: int = 16) -> FieldFigures:
    clip = measure()
    rows = summarise([replace(clip, scene=str(number)) for number in range(count)])
    return to_figures(rows, [StillResult("empty scenes: whole", str(number), number == 0) for number in range(4)])


def test_figures_go_into_a_bundle_that_opens_afterwards(tiny_bundle: Path) -> None:
    write_to(tiny_bundle, _figures())
    manifest = open_bundle(tiny_bundle).manifest
    assert manifest.schema_version == 2
    assert manifest.field_figures is not None
    assert [(row.name, row.n) for row in manifest.field_figures.rows] == [("c", 16), ("empty scenes: whole", 4)]
    assert manifest.field_figures.rows[1].wrong.value == 0.25
    write_to(tiny_bundle, _figures(3))
    changed = open_bundle(tiny_bundle).manifest.field_figures
    assert changed is not None
    assert [row.n for row in changed.rows] == [3, 4]


def test_a_folder_that_is_neither_bundle_nor_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="not a finished run"):
        write_to(tmp_path, _figures())


def test_stills_count_names_in_empties_and_other_animals() -> None:
    scene = ("grey", np.full((360, 640, 3), 128, np.uint8))
    assert not any(still.is_named for still in measure_empty(AlwaysUnknown(), scene, 0))
    found = list(measure_others(FakeClassifier(), [scene], [render_animal(3), render_animal(4)], 0))
    assert len(found) == 6
    assert all(still.is_named for still in found)  # the fake calls every bright or dark crop a cow


class AlwaysUnknown(FakeClassifier):
    def __init__(self) -> None:
        super().__init__()
        self.output = replace(self.output, unknown_labels=("dog",))


def test_the_rows_of_the_test_split_stay_beside_those_of_clips(tiny_bundle: Path) -> None:
    split = FieldRow("device crops", "pictures", 9, 3, None, Rate(0.0, None, None, 9.0))
    write_to(tiny_bundle, FieldFigures((split,)))
    for _ in range(2):
        write_to(tiny_bundle, _figures())
    figures = open_bundle(tiny_bundle).manifest.field_figures
    assert figures is not None
    assert [row.name for row in figures.rows] == ["c", "empty scenes: whole", "device crops"]
