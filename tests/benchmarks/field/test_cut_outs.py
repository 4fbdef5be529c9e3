"""Cut-outs: cut from photographs, journalled, shown on a page, read from a folder."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam_benchmarks.field.cut_outs.files import read_cut_out, read_cut_outs, write_cut_out
from trailcam_benchmarks.field.cut_outs.make import JOURNAL, make_cut_outs
from trailcam_benchmarks.field.cut_outs.page import PAGE
from trailcam_benchmarks.field.generator.renderings import render_animal, render_scene
from trailcam_benchmarks.results.rows import Picture
from trailcam_core.errors import DataError, SourceError


def photograph(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """An animal in the middle of a scene of its own."""
    image = render_scene(seed, (400, 300)) // 2 + 60
    rgba = render_animal(seed).rgba
    alpha = rgba[..., 3:] / 255
    part = image[60 : 60 + rgba.shape[0], 70 : 70 + rgba.shape[1]]
    part[:] = part * (1 - alpha) + rgba[..., :3] * alpha
    return image


def test_cut_outs_are_read_as_they_were_written(tmp_path: Path) -> None:
    for label, seed in (("cow", 1), ("dog", 2)):
        write_cut_out(render_animal(seed, label), tmp_path)
    found = read_cut_outs(tmp_path)
    assert [one.label for one in found] == ["cow", "dog"]
    assert np.array_equal(found[0].rgba, render_animal(1).rgba)


def photographs(root: Path) -> list[Picture]:
    """Two cows and a wall, in one folder per label; two files have one name."""
    pictures = []
    for place, seed in (("cow/a/1.png", 4), ("cow/b/1.png", 5)):
        path = root / place
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), photograph(seed)[..., ::-1])
        pictures.append(Picture(path, "cow"))
    wall = root / "dog" / "wall.png"
    wall.parent.mkdir()
    cv2.imwrite(str(wall), np.full((120, 160, 3), 90, np.uint8))
    return [*pictures, Picture(wall, "dog")]


def test_a_photograph_is_cut_out_along_its_animal_and_a_wall_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cutouts"
    summary = make_cut_outs(photographs(tmp_path / "photos"), tmp_path / "photos", folder)
    assert (summary.made, summary.refused) == ({"cow": 2}, {"dog": 1})
    first, _ = read_cut_outs(folder)
    true = render_animal(4).rgba[..., 3] > 127
    assert first.rgba.shape[:2] == (pytest.approx(true.shape[0], abs=20), pytest.approx(true.shape[1], abs=20))
    assert (first.rgba[..., 3] > 127).sum() == pytest.approx(true.sum(), rel=0.25)
    rows = (folder / JOURNAL).read_text(encoding="utf-8").splitlines()
    top = (tmp_path / "photos").resolve()
    assert rows[1] == f"{top},cow/a/1.png,cow,cow/a__1.png,"
    assert rows[3] == f'{top},dog/wall.png,dog,,"its mask covers 0% of the picture, less than 6%"'


def test_a_stopped_run_goes_on_and_a_deleted_cut_out_stays_deleted(tmp_path: Path) -> None:
    pictures, folder = photographs(tmp_path / "photos"), tmp_path / "cutouts"

    def stop(_stage: str, done: int, _total: int, _note: str = "") -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_cut_outs(pictures, tmp_path / "photos", folder, stop)
    (folder / "cow/a__1.png").unlink()
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write("dog/wal")  # cut off by a kill
    summary = make_cut_outs(pictures, tmp_path / "photos", folder)
    assert (summary.earlier, summary.made["cow"], summary.refused["dog"]) == (2, 2, 1)
    assert [path.name for path in folder.glob("*/*.png")] == ["b__1.png"]
    assert len((folder / JOURNAL).read_text(encoding="utf-8").splitlines()) == 4


def test_a_photograph_that_cannot_be_read_is_refused_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "cow" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"no picture")
    out = tmp_path / "out"
    assert make_cut_outs([Picture(path, "cow")], path.parent, out).refused == {"cow": 1}
    assert "a.jpg" in (out / JOURNAL).read_text(encoding="utf-8").splitlines()[1].split(",", 4)[4]


def test_a_large_cut_out_is_made_smaller(tmp_path: Path) -> None:
    path = tmp_path / "cow" / "large.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), cv2.resize(photograph(4), None, fx=6, fy=6)[..., ::-1])
    make_cut_outs([Picture(path, "cow")], path.parent, tmp_path / "out")
    (found,) = read_cut_outs(tmp_path / "out")
    assert max(found.rgba.shape) == pytest.approx(1080, abs=20)


def test_a_journal_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("name,size\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"its first line is \['name', 'size'\], expected .* Name another folder"):
        make_cut_outs([], tmp_path / "photos", tmp_path)


@pytest.mark.parametrize("line", ["", "photos,fox", '"' + "x" * 200_000 + '"'])
def test_a_damaged_line_of_a_journal_is_one_error(line: str, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text(f"folder,file,label,cutout,refused\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"{JOURNAL}.* Name another folder"):
        make_cut_outs([], tmp_path / "photos", tmp_path)


def test_cut_outs_of_two_folders_are_not_mixed(tmp_path: Path) -> None:
    pictures, folder = photographs(tmp_path / "photos"), tmp_path / "cutouts"
    make_cut_outs(pictures[:1], tmp_path / "photos", folder)
    with pytest.raises(DataError, match=r"is of the photographs of .*photos, expected .*others\. Name another folder"):
        make_cut_outs([], tmp_path / "others", folder)
    with pytest.raises(DataError, match="where its cut-outs would be photographs"):
        make_cut_outs(pictures, tmp_path / "photos", tmp_path / "photos" / "cutouts")


def test_the_command_makes_a_page_of_all_cut_outs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photographs(tmp_path / "photos")
    out = tmp_path / "cutouts"
    assert main(["data", "cutouts", str(tmp_path / "photos"), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].split() == ["all", "2", "1"]
    assert f"--field SCENES {out}" in printed.err
    page = (out / PAGE).read_text(encoding="utf-8")
    assert page.count("<figure") == 2
    assert "a__1.png" in page.replace("<wbr>", "")


def test_a_folder_without_cut_outs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no cut-out, expected LABEL/NAME\.png"):
        read_cut_outs(tmp_path)


@pytest.mark.parametrize("kind", ["empty", "text", "no alpha", "transparent", "16 bits"])
def test_a_file_that_is_no_cut_out_is_refused_by_path(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cow" / "a.png"
    path.parent.mkdir()
    arrays = {
        "no alpha": np.zeros((50, 50, 3), np.uint8),
        "transparent": np.zeros((50, 50, 4), np.uint8),
        "16 bits": np.full((50, 50, 4), 65535, np.uint16),
    }
    content = {"empty": b"", "text": b"no picture"}.get(kind)
    path.write_bytes(cv2.imencode(".png", arrays[kind])[1].tobytes() if content is None else content)
    with pytest.raises(SourceError, match=r"a\.png: (expected a PNG file|its animal is 0x0 px)"):
        read_cut_out(path)


def test_photographs_of_any_name_get_a_cut_out_each_and_are_known_again(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "fox"
    folder.mkdir(parents=True)
    for number, name in enumerate((b"a.jpg", b"a.png", b"caf\xe9.png", b"two\r\nlines.png")):
        encoded = cv2.imencode(".png", cv2.cvtColor(photograph(number), cv2.COLOR_RGB2BGR))[1]
        (folder / os.fsdecode(name)).write_bytes(encoded.tobytes())
    found = [Picture(path, "fox") for path in sorted(folder.iterdir())]
    for earlier in (0, 4):
        summary = make_cut_outs(found, folder.parent, tmp_path / "cut")
        assert (summary.made.total() + summary.refused.total(), summary.earlier) == (4, earlier)
    assert len(list((tmp_path / "cut").glob("*/*.png"))) == summary.made.total() > 1
