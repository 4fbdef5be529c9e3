from pathlib import Path

import pytest

from trailcam_train.proposal.glance import glance_at_data, glance_at_machine, multiplies_bfloat16


def test_pictures_are_counted_by_label_and_their_size_is_read(photos: Path) -> None:
    seen = glance_at_data(photos, {"blue": "sky", "green": "grass", "red": "sky"})

    assert seen.counts == {"grass": 12, "sky": 24}
    assert (seen.pictures, seen.side_px) == (36, 40)


def test_files_that_are_no_pictures_are_not_counted_and_damaged_ones_have_no_size(tmp_path: Path) -> None:
    (tmp_path / "fox").mkdir()
    (tmp_path / "fox" / "a.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "fox" / "notes.txt").write_text("seen at dusk")

    seen = glance_at_data(tmp_path, {"fox": "fox"})

    assert (dict(seen.counts), seen.side_px) == ({"fox": 1}, None)


def test_a_machine_has_cores_and_memory() -> None:
    machine = glance_at_machine(gpu=True)

    assert machine.cores >= 1
    assert machine.memory_mb > 100
    assert machine.gpu


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512_bf16 sse\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("flags\t\t: fpu avx512f\n", False),
        ("Features\t: fp asimd\n", False),
        (None, False),
    ],
)
def test_bfloat16_is_read_from_the_flags_of_the_processor(content: str | None, expected: bool, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "cpuinfo").write_text(content)

    assert multiplies_bfloat16(tmp_path / "cpuinfo") is expected
