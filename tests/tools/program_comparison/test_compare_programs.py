"""Whole programs side by side, with small programs that answer, fail or are missing."""

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from trailcam.main import main as trailcam
from trailcam_benchmarks.host.virtual_environments import Environment
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeviceError, SourceError
from trailcam_edge.sources import DEMO_FRAMES
from trailcam_project.program_comparison import compare_programs as running
from trailcam_project.program_comparison.__main__ import format_table, gather, main
from trailcam_project.program_comparison.alternatives import ALTERNATIVES, TRAILCAM, Program, ProgramInputs
from trailcam_project.program_comparison.compare_programs import compare_programs
from trailcam_project.program_comparison.time_program import WARMUP_PICTURES, ProgramError, ProgramRun, time_program

PACKAGE = Path(running.__file__).parent
ANSWERS = "import sys, time, pathlib\nfor p in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"


def program(name: str, text: str, environment: Environment | None = None) -> Program:
    def command(_: Path, inputs: ProgramInputs) -> list[str]:
        return [sys.executable, "-c", text, str(inputs.pictures)]

    return Program(name, environment, command, re.compile(r"(?P<name>[^\t]+)\t(?P<label>.+)"), ("numpy",))


OWN = program("own", f"{ANSWERS}    time.sleep(0.01); print(p.name, 'cat', sep='\\t')")
OTHER = program("other", f"print('welcome')\n{ANSWERS}    time.sleep(0.03); print(p.name, 'cat', sep='\\t')")
SILENT = program("silent", f"{ANSWERS}    print(p.name, 'cat', sep='\\t', flush=True); time.sleep(60)")
SHORT = program("short", "print('0000.jpg\\tcat')\nsys = 1 / 0")


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProgramInputs:
    monkeypatch.setattr(running, "TRAILCAM", OWN)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(9):
        (pictures / f"{number:04}.jpg").touch()
    return ProgramInputs(BUILTIN_BUNDLE, None, tmp_path / "labels.json", pictures)


def test_a_program_is_timed_by_its_lines_and_its_greeting_is_no_answer(inputs: ProgramInputs) -> None:
    outcome = time_program(OTHER, Path(sys.executable).parent, inputs)
    assert outcome.startup_ms > 30
    assert len(outcome.picture_ms) == 9 - 1 - WARMUP_PICTURES
    assert all(ms > 20 for ms in outcome.picture_ms)
    assert outcome.labels["0008.jpg"] == "cat"
    assert outcome.peak_mb is None or outcome.peak_mb > 1
    assert outcome.busy_cores is None or outcome.busy_cores < 0.5  # it sleeps


def test_ratios_are_to_our_own_program_in_the_same_round(inputs: ProgramInputs, tmp_path: Path) -> None:
    comparison = compare_programs(inputs, [OTHER], 2, tmp_path)
    ours, other = comparison.programs
    assert comparison.complete
    assert (ours.state, other.state) == ("measured", "measured")
    assert ours.p50_over_ours is None
    assert other.p50_over_ours is not None
    assert other.p50_over_ours.value > 1
    assert other.same_labels == 1.0
    assert "numpy" in other.versions
    assert comparison.pictures == 9
    assert "other" in format_table(comparison)


def test_a_program_that_fails_or_cannot_be_had_is_a_row_and_the_rest_goes_on(
    inputs: ProgramInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(environment: Environment, _: Path) -> Path:
        raise DeviceError(f"no environment for {environment.name}")

    monkeypatch.setattr(running, "python_of", refuse)
    missing = program("missing", "", Environment("missing", ("./there-is-no-such-package",)))
    comparison = compare_programs(inputs, [SHORT, missing, OTHER, ALTERNATIVES["keras"]], 1, tmp_path / "cache")
    rows = {row.name: row for row in comparison.programs}
    assert rows["short"].state == "failed"
    assert "1 answers to 9 pictures: ZeroDivisionError" in rows["short"].reason
    assert "no environment for missing" in rows["missing"].reason
    assert "--keras RUN" in rows["keras"].reason
    assert rows["other"].state == "measured"
    assert json.loads(json.dumps(asdict(comparison)))["programs"][1]["p50_ms"] is None


def test_an_interruption_keeps_what_is_there(
    inputs: ProgramInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, runs = running.time_program, []

    def interrupted(rival: Program, place: Path, given: ProgramInputs, cores: int) -> ProgramRun:
        runs.append(rival.name)
        if len(runs) == 3:
            raise KeyboardInterrupt
        return real(rival, place, given, cores)

    monkeypatch.setattr(running, "time_program", interrupted)
    comparison = compare_programs(inputs, [OTHER], 2, tmp_path)
    assert runs == ["own", "other", "other"]  # every second round goes backwards
    assert not comparison.complete
    assert [(row.state, row.reason) for row in comparison.programs] == [("partial", "interrupted")] * 2


def test_each_number_of_cores_has_its_rows_and_its_own_ratios(
    inputs: ProgramInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []

    def pretend(rival: Program, place: Path, given: ProgramInputs, cores: int) -> ProgramRun:
        turns.append((rival.name, cores))
        ms = {("own", 1): 40.0, ("own", 2): 20.0}.get((rival.name, cores), 60.0)
        return ProgramRun(100.0, (ms,) * 4, 50.0, {}, 1.0)

    monkeypatch.setattr(running, "time_program", pretend)
    comparison = compare_programs(inputs, [OTHER], 2, tmp_path, (1, 2))
    forth = [("own", 1), ("other", 1), ("own", 2), ("other", 2)]
    assert turns == [*forth, *forth[::-1]]
    assert comparison.cores == 2
    assert [(row.name, row.cores, row.busy_cores) for row in comparison.programs] == [(*turn, 1.0) for turn in forth]
    ratios = [row.p50_over_ours.value for row in comparison.programs if row.p50_over_ours]
    assert ratios == [1.5, 3.0]
    assert len(format_table(comparison).splitlines()) == 5


def test_a_program_gets_the_cores_and_this_process_keeps_its_own(inputs: ProgramInputs) -> None:
    asks = program("asks", f"import os\n{ANSWERS}    print(p.name, len(os.sched_getaffinity(0)), sep='\\t')")
    mine = os.sched_getaffinity(0)
    assert set(time_program(asks, Path(), inputs, 1).labels.values()) == {"1"}
    assert set(time_program(asks, Path(), inputs).labels.values()) == {str(len(mine))}
    assert os.sched_getaffinity(0) == mine


def test_more_cores_than_there_are_and_other_words_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (("1,100000", "is no list"), ("1,9999", "this process may use"), ("two", "is no list")):
        with pytest.raises(SystemExit):
            main(["--cores", words])
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rounds", "0"], "--rounds 0: at least 1 is needed"),
        (["--count", "3"], "--count 3: at least 7 are needed, 5 to warm up"),
        (["labelimage"], "no program 'labelimage'; it is one of label_image, "),
    ],
)
def test_a_refused_option_is_named_with_what_is_possible(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert message in capsys.readouterr().err


def test_a_program_that_answers_too_little_says_what_it_said(inputs: ProgramInputs) -> None:
    with pytest.raises(ProgramError, match="exit code 1"):
        time_program(SHORT, Path(), inputs)


def test_a_program_that_falls_silent_is_ended(inputs: ProgramInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailcam_project.program_comparison.time_program._LIMIT_S", 1.0)
    with pytest.raises(ProgramError, match="ended after 1 s with 1 answers to 9 pictures"):
        time_program(SILENT, Path(), inputs)


def test_our_own_lines_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    frame = min(DEMO_FRAMES.glob("*.webp"))
    assert trailcam(["classify", str(frame), "--json"]) == 0
    found = TRAILCAM.answer.match(capsys.readouterr().out)
    assert found is not None
    assert found["name"] == frame.name
    expected = {entry["file"]: entry["expected"] for entry in json.loads((DEMO_FRAMES / "frames.json").read_text())}
    assert found["label"] == expected[frame.name] or expected[frame.name] not in trained_labels()


def trained_labels() -> list[str]:
    return list(json.loads((BUILTIN_BUNDLE / "manifest.json").read_text())["output"]["labels"])


def test_lines_of_ultralytics_are_understood() -> None:
    line = "image 2/12 /tmp/a b/0001.jpg: 224x224 4 0.00, 515 0.00, 842 0.00, 644.3ms\n"
    found = ALTERNATIVES["ultralytics"].answer.match(line)
    assert found is not None
    assert found["name"] == "0001.jpg"
    assert ALTERNATIVES["ultralytics"].answer.match("Speed: 57.7ms preprocess, 534.3ms inference") is None


def test_ultralytics_is_only_ever_run_and_never_imported() -> None:
    imported = re.compile(r"^\s*(from|import) ultralytics", re.MULTILINE)
    assert [path for path in PACKAGE.rglob("*.py") if imported.search(path.read_text())] == []


def test_pictures_are_the_given_jpegs_or_the_built_in_frames(
    tmp_path: Path, make_folder: Callable[[str], Path]
) -> None:
    assert len(list(gather(make_folder("a"), None, 7).iterdir())) == 7
    given = make_folder("given")
    for number in range(10):
        (given / f"{number}.jpg").write_bytes(b"%d" % number)
    (given / "x.png").touch()
    chosen = gather(make_folder("b"), given, 5)
    assert [path.read_bytes() for path in sorted(chosen.iterdir())] == [b"0", b"2", b"4", b"6", b"8"]
    (make_folder("empty") / "x.png").touch()
    with pytest.raises(SourceError, match="no JPEG"):
        gather(make_folder("c"), tmp_path / "empty", 5)


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    return make
