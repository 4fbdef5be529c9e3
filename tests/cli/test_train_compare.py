"""Two runs side by side, through the command line, without a training framework."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trailcam.main import main
from trailcam_core.datasets.run_directory import SplitRow, split_to_bytes
from trailcam_train.evaluation.predictions import predictions_to_bytes

LABELS = ("fox", "hare")
RECIPE = 'name = "cnn"\nepochs = {epochs}\n\n[input]\nheight = 32\nwidth = 32\nfit = "crop"\n'


def split_rows(test: range, train: range) -> list[SplitRow]:
    parts = [("train", n) for n in train] + [("test", n) for n in test]
    return [SplitRow(f"{n}.jpg", f"{n:064x}", split, LABELS[n % 2]) for split, n in parts]


def write_run(path: Path, rows: Sequence[SplitRow], wrong: set[int], epochs: int = 3, seconds: int = 4500) -> Path:
    """Write a run that answers its test pictures rightly but for those whose number is in ``wrong``."""
    path.mkdir(parents=True)
    tested = [row for row in rows if row.split == "test"]
    tested += [row for row in rows if row.split == "validation"]
    ids = [(int(row.sha256, 16) + (int(row.sha256, 16) in wrong)) % 2 for row in tested]
    (path / "model.keras").write_bytes(b"x" * 2_000_000)
    (path / "labels.json").write_text(json.dumps(LABELS))
    (path / "split.csv").write_bytes(split_to_bytes(rows))
    (path / "recipe.toml").write_text(RECIPE.format(epochs=epochs))
    (path / "metrics.json").write_text(
        json.dumps({"test": {"n": sum(row.split == "test" for row in rows), "top5": 1.0}})
    )
    provenance = {"epochs": str(epochs), "best_epoch": "2", "training_seconds": str(seconds), "machine": "Linux x86_64"}
    (path / "provenance.json").write_text(json.dumps(provenance))
    (path / "predictions.csv").write_bytes(predictions_to_bytes(tested, np.eye(2)[ids] * 0.8 + 0.1, LABELS))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    rows = split_rows(range(100), range(200, 260))
    write_run(tmp_path / "runs" / "small", rows, set(range(30)))
    write_run(tmp_path / "runs" / "big", rows, set(range(25, 35)), epochs=7)
    return tmp_path / "runs"


def test_the_table_says_what_differs_and_which_is_better(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "compare", "small", "big", "--runs", str(runs)]) == 0

    printed = capsys.readouterr().out
    assert "WARNING" not in printed
    assert "2.0 MB" in printed
    assert "1 h 15 min" in printed
    assert "70.0% (60.4% to 78.1%)" in printed  # Wilson, 70 of 100
    assert "both right 65, both wrong 5" in printed
    assert "only small right 5, only big right 25" in printed
    assert "big minus small: +20.0 points" in printed
    assert "McNemar p = 3.2e-04" in printed  # 2 (C(30,0) + ... + C(30,5)) / 2^30
    assert "big is better" in printed
    settings = [line.split() for line in printed.splitlines() if line.startswith("epochs ")]
    assert ["epochs", "3", "7"] in settings


@pytest.mark.parametrize(("seconds", "text"), [(34, "34 s"), (89, "89 s"), (90, "2 min"), (3000, "50 min")])
def test_a_short_training_time_has_a_short_unit(
    seconds: int, text: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(runs / "brief", split_rows(range(100), range(200, 260)), set(), seconds=seconds)

    assert main(["train", "compare", "small", "brief", "--runs", str(runs)]) == 0

    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("training time ")]
    assert line.split("  ")[-1].strip() == text


def test_the_record_has_every_figure_with_its_interval(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "compare", str(runs / "small"), str(runs / "big"), "--json"]) == 0

    record = json.loads(capsys.readouterr().out)
    for side in ("first", "second"):
        for key in ("top1", "macro_f1", "calibration_error"):
            figure = record[side][key]
            assert figure["low"] <= figure["value"] <= figure["high"]
        assert record[side]["top5"] is None  # of two labels
    assert record["second"]["top1"]["value"] == 0.9
    assert record["pairing"]["n"] == 100
    assert [item["label"] for item in record["pairing"]["classes"]] == ["fox", "hare"]
    assert record["differences"] == [{"key": "epochs", "first": "3", "second": "7"}]


def test_no_training_framework_is_loaded(runs: Path) -> None:
    code = (
        "import sys; from trailcam.main import main; "
        f"status = main(['train', 'compare', {str(runs / 'small')!r}, {str(runs / 'big')!r}]); "
        "sys.exit(status or any(heavy in sys.modules for heavy in ('tensorflow', 'keras', 'jax', 'torch', 'cv2')))"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_equal_runs_show_no_difference(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(runs / "same", split_rows(range(100), range(200, 260)), set(range(30)))

    assert main(["train", "compare", "small", "same", "--runs", str(runs)]) == 0

    printed = capsys.readouterr().out
    assert "No difference is shown" in printed
    assert "p = 1.000" in printed


def test_other_splits_are_compared_on_what_they_share_and_leaks_are_shouted(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(runs / "shifted", split_rows(range(60, 140), range(20, 50)), set())

    assert main(["train", "compare", "small", "shifted", "--runs", str(runs)]) == 0

    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("WARNING  shifted learned from 30 of the 100 test pictures of small.")
    assert "60 of the 100 test pictures of small are in neither test nor validation of the other run" in printed[1]
    assert "40 of the 80 test pictures of shifted" in printed[2]
    assert "The same 40 test pictures, answered by both" in printed


def test_all_test_pictures_of_both_count_where_neither_learned_from_them(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = split_rows(range(60), range(200, 260)), split_rows(range(40, 100), range(200, 260))
    write_run(runs / "here", [*here, *_validation(range(60, 100))], set(range(10)))
    write_run(runs / "there", [*there, *_validation(range(40))], set())

    assert main(["train", "compare", "here", "there", "--runs", str(runs)]) == 0

    printed = capsys.readouterr().out
    assert "The same 100 test pictures, answered by both" in printed
    assert "only there right 10" in printed
    assert "40 test pictures of the other run are validation pictures of here" in printed
    assert "are left out" not in printed
    assert "top-5" not in printed


def _validation(numbers: range) -> list[SplitRow]:
    return [SplitRow(f"{n}.jpg", f"{n:064x}", "validation", LABELS[n % 2]) for n in numbers]


def test_a_run_that_learned_from_a_shared_test_picture_is_refused(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = split_rows(range(100), range(200, 260))
    write_run(runs / "leaky", [*rows, replace(rows[-1], file="copy.jpg", split="train")], set())

    assert main(["train", "compare", "small", "leaky", "--runs", str(runs)]) == 1

    assert "leaky: it learned from 1 pictures that both runs have in their test" in capsys.readouterr().err


def test_no_common_picture_is_refused_and_says_what_to_do(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(runs / "far", split_rows(range(300, 320), range(50)), set())

    assert main(["train", "compare", "small", "far", "--runs", str(runs)]) == 1

    printed = capsys.readouterr().err
    assert "no test picture in common" in printed
    assert "far learned from 50 of the 100 test pictures of small" in printed
    assert "--split" in printed


def test_other_labels_are_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "big" / "labels.json").write_text('["fox", "lynx", "hare"]')
    (runs / "small" / "labels.json").write_text('["fox", "hare", "boar"]')

    assert main(["train", "compare", "small", "big", "--runs", str(runs)]) == 1

    assert "only the first: boar; only the second: lynx" in capsys.readouterr().err


def write_later_run(runs: Path, wrong: set[int]) -> None:
    """Write a run that took ``small`` up: 20 new tests of a fox, 20 of the new label lynx, which it answers rightly."""
    write_run(runs / "later", split_rows(range(100), range(200, 260)), wrong)
    later, new = runs / "later", [SplitRow(f"new/{n}.jpg", f"{n:064x}", "test", "fox") for n in range(300, 320)]
    new += [SplitRow(f"new/{n}.jpg", f"{n:064x}", "test", "lynx") for n in range(320, 340)]
    (later / "labels.json").write_text('["fox", "hare", "lynx"]')
    with open(later / "split.csv", "ab") as file:
        file.write(split_to_bytes(new).partition(b"\n")[2])
    right = np.eye(3)[[0] * 20 + [2] * 20]
    with open(later / "predictions.csv", "ab") as file:
        file.write(predictions_to_bytes(new, right, ("fox", "hare", "lynx")).partition(b"\n")[2])
    earlier = np.eye(2)[[1] * 15 + [0] * 25]
    (later / "earlier.csv").write_bytes(predictions_to_bytes(new, earlier, LABELS))
    (later / "metrics.json").write_text('{"test": {"n": 140, "top5": 1.0}}')
    digest = hashlib.sha256((runs / "small" / "model.keras").read_bytes()).hexdigest()
    (later / "provenance.json").write_text(json.dumps({"earlier_sha256": digest}))


def test_a_run_that_took_the_other_up_is_compared_on_each_test_set(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_later_run(runs, wrong=set(range(20, 60)))

    assert main(["train", "compare", "small", "later", "--runs", str(runs), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert main(["train", "compare", "small", "later", "--runs", str(runs)]) == 0
    printed = capsys.readouterr().out

    assert record["new_labels"] == ["lynx"]
    assert [(item["pairing"]["n"], item["pairing"]["only_first"], item["pairing"]["only_second"])
            for item in record["test_sets"]] == [(100, 30, 20), (20, 0, 15), (20, 0, 20)]  # fmt: skip
    assert not record["warnings"]
    assert "On the test pictures of the earlier run, 100" in printed
    assert "On new test pictures of labels that only the later run knows, 20" in printed
    assert "won   fox +75.0 (" in printed
    assert "lost  no label beyond its interval" in printed


def test_what_was_lost_is_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_later_run(runs, wrong={*range(30), *range(31, 80, 2)})

    assert main(["train", "compare", "later", "small", "--runs", str(runs)]) == 0

    printed = capsys.readouterr().out.split("On the test pictures of the earlier run, 100")[1]
    assert "won   hare +50.0 (" in printed.split("On new")[0]  # small is the second here


def test_damaged_answers_of_the_earlier_run_are_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_later_run(runs, wrong=set())
    (runs / "later" / "earlier.csv").write_text("file,split,class,answer,confidence\nno.jpg,test,fox,fox,0.5\n")

    assert main(["train", "compare", "small", "later", "--runs", str(runs)]) == 1

    assert "earlier.csv: does not fit split.csv" in capsys.readouterr().err


def test_an_unfinished_run_says_how_to_go_on(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "big").rename(runs / "big.partial")

    for name in ("big", "big.partial"):
        assert main(["train", "compare", "small", name, "--runs", str(runs)]) == 1
        assert "trailcam train --resume" in capsys.readouterr().err


FILES = ("model.keras", "labels.json", "split.csv", "recipe.toml", "metrics.json", "provenance.json", "predictions.csv")


@pytest.mark.parametrize("name", FILES)
def test_a_run_that_lacks_a_file_is_refused_and_the_file_named(
    runs: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "big" / name).unlink()

    assert main(["train", "compare", "small", "big", "--runs", str(runs)]) == 1

    printed = capsys.readouterr().err
    assert name in printed
    assert str(runs / "big") in printed


def test_metrics_of_another_training_are_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "big" / "metrics.json").write_text('{"test": {"n": 7}}')

    assert main(["train", "compare", "small", "big", "--runs", str(runs)]) == 1

    assert "not of the 100 test pictures" in capsys.readouterr().err


def test_one_run_named_twice_is_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "compare", "small", str(runs / "small"), "--runs", str(runs)]) == 1

    assert "named twice" in capsys.readouterr().err


def test_a_folder_of_photographs_called_compare_can_still_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", "./compare", "--help"])

    assert stopped.value.code == 0
    assert "--recipe" in capsys.readouterr().out
