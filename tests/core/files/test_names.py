"""Names that would steer a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.files.names import counted, folder_name, printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Füchsin.webp", "Füchsin.webp"),
        ("a\x1b[31mred\nline2.webp", r"a\x1b[31mred\nline2.webp"),
        ("f\udcfcchs.webp", r"f\xfcchs.webp"),
        ("c1\x9b2J", r"c1\x9b2J"),
        ("gpj.\u202ebad", r"gpj.\u202ebad"),
        ("می\u200cروم", "می\u200cروم"),  # a Persian word with its joiner
    ],
)
def test_what_a_terminal_would_obey_is_escaped(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text(st.characters(codec=None)))
def test_the_result_can_be_printed(text: str) -> None:
    shown = printable(text)
    assert shown.replace("\u200c", "").replace("\u200d", "").isprintable()
    shown.encode("utf-8")
    assert printable(shown) == shown


@pytest.mark.parametrize(("number", "text"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames"), (1200, "1,200 frames")])
def test_a_noun_agrees_with_its_number(number: int, text: str) -> None:
    assert counted(number, "frame") == text


@pytest.mark.parametrize(
    ("label", "name"),
    [("roe deer", "roe deer"), ("../x", "_._x"), (".hidden", "_hidden"), ("", "_"), (" . ", "_"), ("a\\b", "a_b")],
)
def test_a_label_is_the_name_of_one_visible_folder(label: str, name: str) -> None:
    assert folder_name(label) == name


def test_a_long_label_is_cut() -> None:
    assert len(folder_name("x" * 101)) == 100
    assert len(folder_name("狐" * 100).encode()) <= 200  # a name of a file has at most 255 bytes
