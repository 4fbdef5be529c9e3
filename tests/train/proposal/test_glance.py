from pathlib import Path

from trailcam_train.proposal.glance import glance_at_data, glance_at_machine


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
