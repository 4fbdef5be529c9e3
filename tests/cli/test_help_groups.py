"""Help that is read quickly: titles above options, a short usage, lines that fit the terminal."""

import argparse
import importlib
import re

import pytest

from trailcam import main as front_door
from trailcam.help.groups import shorten_usage
from trailcam.help.parser import SafeParser

NAMES = sorted([*front_door.COMMANDS, *front_door.ACTIONS])


def _parser(name: str) -> SafeParser:
    parser = SafeParser(prog=f"trailcam {name}")
    importlib.import_module(f"trailcam.commands.{name.replace(' ', '.')}").add_arguments(parser)
    return parser


@pytest.mark.parametrize("name", NAMES)
def test_many_options_stand_below_titles(name: str) -> None:
    parser = _parser(name)
    options = [action for action in parser._actions if action.option_strings]
    plain = parser._optionals._group_actions
    assert len(options) <= 13 or len(plain) <= 3


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_meaning(name: str) -> None:
    actions = [a for a in _parser(name)._actions if not isinstance(a, argparse._SubParsersAction)]
    assert [action.dest for action in actions if not action.help] == []


@pytest.mark.parametrize(("terminal", "widest"), [("80", 80), ("300", 100)])
@pytest.mark.parametrize("name", NAMES)
def test_help_fits_the_terminal(
    name: str, terminal: str, widest: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", terminal)
    with pytest.raises(SystemExit):
        front_door.main([*name.split(), "--help"])
    text = capsys.readouterr().out
    above = text.split("\nexamples:\n")[0]  # examples are copied whole
    assert max(map(len, above.splitlines())) <= widest
    assert max(map(len, text.splitlines())) <= 100


def test_a_long_usage_names_what_is_required() -> None:
    parser = _parser("deploy sdcard")
    shorten_usage(parser)
    assert parser.format_usage() == "usage: trailcam deploy sdcard MOUNT --hostname NAME [OPTIONS]\n"


def test_a_short_usage_stays_whole() -> None:
    parser = _parser("doctor")
    shorten_usage(parser)
    assert re.search(r"\[--config FILE\].*\[--json\]", parser.format_usage())


def test_the_help_of_an_action_has_the_form_of_that_of_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        front_door.main(["release", "add", "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    assert "\narguments:\n" in text


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["watch", "--sorce", "0"], '--sorce 0. Did you mean "--source"?'),
        (["release", "status", "--jsn"], '--jsn. Did you mean "--json"?'),
        (["watch", "--zzyx"], "--zzyx\n"),
    ],
)
def test_a_misspelt_option_is_corrected(words: list[str], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        front_door.main(words)
    assert stopped.value.code == 2
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (["events", "--csv", "foxes.csv"], "--csv prints: trailcam events --csv > foxes.csv"),
        (["events", "--csv=foxes.csv"], "--csv prints: trailcam events --csv > foxes.csv"),
        (["status", "--json", "state.json"], "--json prints: trailcam status --json > state.json"),
        (["classify", "--csv", "rows.csv", "photo.jpg"], "or use --out rows.csv"),
    ],
)
def test_a_file_for_an_option_that_prints_is_answered_with_the_cure(
    words: list[str], cure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        front_door.main(words)
    assert stopped.value.code == 2
    assert cure in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["deploy", "statu"], "trailcam deploy status"), (["train", "compre", "a", "b"], "trailcam train compare")],
)
def test_a_misspelt_subcommand_is_corrected(words: list[str], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(words) == 2
    assert f'Did you mean "{meant}"?' in capsys.readouterr().err


def test_options_that_contradict_each_other_show_the_usage_of_their_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        front_door.main(["deploy", "some.bundle"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("usage: trailcam deploy [BUNDLE] [OPTIONS]\n")
