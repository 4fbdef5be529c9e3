"""Ratios of rounds, and the order in which the files are run."""

import pytest

from trailcam_project.results.int8_speed import compare, main, measure


def test_int8_is_divided_by_float32_of_the_same_round_and_runtime() -> None:
    found = compare({("LiteRT", "float32"): [10.0, 20.0, 40.0], ("LiteRT", "int8"): [5.0, 10.0, 20.0]})

    assert found["int8_over_float32"]["LiteRT"]["value"] == pytest.approx(0.5)
    assert found["core_ms"] == {"LiteRT float32": 20.0, "LiteRT int8": 10.0}


def test_the_files_take_turns_after_a_warm_up() -> None:
    seen: list[str] = []
    keys = [("LiteRT", "float32"), ("LiteRT", "int8")]
    runs = {key: lambda key=key: seen.append(key[1]) for key in keys}

    found = measure(runs, 2)  # type: ignore[arg-type]

    assert seen[-4:] == ["float32", "int8", "float32", "int8"]
    assert [len(found[key]) for key in keys] == [2, 2]


def test_an_unknown_recipe_is_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["elephant"]) == 1

    assert "recipe 'elephant': unknown" in capsys.readouterr().err
