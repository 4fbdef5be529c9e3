"""Sequences: what belongs together, at the bound."""

from pathlib import Path

from trailcam_archive.card.recordings import Recording, fingerprint, group_sequences
from trailcam_archive.media_files import MediaFile


def _recording(name: str, unix_s: float | None, station: str = "oak", duration_s: float = 0.0) -> Recording:
    kind = "clip" if duration_s else "photograph"
    return Recording(MediaFile(Path("/card") / name, Path(name), kind), station, unix_s, name.encode(), duration_s)


def _groups(*recordings: Recording, gap_s: float = 60.0) -> list[list[str]]:
    return [[each.name for each in found] for found in group_sequences(recordings, gap_s)]


def test_the_gap_counts_to_the_one_before_and_includes_its_bound() -> None:
    found = _groups(_recording("a", 0), _recording("b", 60), _recording("c", 120), _recording("d", 180.001))
    assert found == [["a", "b", "c"], ["d"]]


def test_the_gap_of_a_clip_counts_from_its_end() -> None:
    clip = _recording("clip", 0, duration_s=30)
    assert _groups(clip, _recording("b", 90)) == [["clip", "b"]]
    assert _groups(clip, _recording("b", 90.001)) == [["clip"], ["b"]]
    assert _groups(clip, _recording("in", 5), _recording("b", 90)) == [["clip", "in", "b"]]


def test_names_do_not_count_but_times() -> None:
    assert _groups(_recording("IMG_9999", 100), _recording("IMG_0001", 101)) == [["IMG_9999", "IMG_0001"]]


def test_stations_are_never_one_sequence() -> None:
    assert _groups(_recording("a", 0), _recording("b", 1, "elm"), _recording("c", 2)) == [["b"], ["a", "c"]]


def test_recordings_of_unknown_time_stand_alone_and_last() -> None:
    assert _groups(_recording("b", None), _recording("a", None), _recording("z", 5)) == [["z"], ["a"], ["b"]]
    assert _groups() == []


def test_a_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    base = bytes(range(256)) * 400
    for name, content in (
        ("a", base),
        ("copy", base),
        ("longer", base + b"."),
        ("middle", base[:51_200] + b"x" + base[51_201:]),
    ):
        (tmp_path / name).write_bytes(content)
    marks = {name: fingerprint(tmp_path / name) for name in ("a", "copy", "longer", "middle")}
    assert marks["a"] == marks["copy"]
    assert len(set(marks.values())) == 3
    assert len(marks["a"]) == 16
