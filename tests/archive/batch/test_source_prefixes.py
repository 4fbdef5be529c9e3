"""Files of several sources have different names."""

import os
from pathlib import Path

import pytest

from trailcam_archive.batch.source_prefixes import source_folder, source_prefixes
from trailcam_archive.rows.distinct_name import distinct_name


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a/DCIM"], ["1.jpg"]),
        (["a/DCIM", "a/DCIM/"], ["1.jpg", "1.jpg"]),
        (["a/DCIM", "b/DCIM"], ["a/DCIM/1.jpg", "b/DCIM/1.jpg"]),
        (["a", "a/DCIM"], ["1.jpg", "DCIM/1.jpg"]),
        (["a/DCIM/1.jpg", "a/DCIM/2.jpg"], ["1.jpg", "1.jpg"]),
        (["1.jpg", "a/DCIM/1.jpg"], ["1.jpg", "a/DCIM/1.jpg"]),
        (["s3://bucket/a", "s3://bucket/b"], ["a/1.jpg", "b/1.jpg"]),
        (["https://h/a/1.jpg?key=1", "https://h/b/1.jpg"], ["a/1.jpg", "b/1.jpg"]),
    ],
)
def test_the_path_below_the_shared_folder_names_a_file(
    sources: list[str], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a/DCIM", "b/DCIM"):
        Path(folder).mkdir(parents=True)
    prefixes = source_prefixes(sources)
    folders = [source_folder(source) for source in sources]
    assert [distinct_name(prefixes, folder, "1.jpg") for folder in folders] == names


def test_a_source_that_is_gone_has_a_name(tmp_path: Path) -> None:
    assert list(source_prefixes([os.fspath(tmp_path / "gone")]).values()) == [""]
