from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.errors import DataError
from trailcam_train.data.dataset import Dataset, Picture
from trailcam_train.data.groups import merge_groups, read_groups


def _dataset(*files: str) -> Dataset:
    pictures = tuple(Picture(file, file.split("/")[0], f"{number:064x}", 9, 9) for number, file in enumerate(files))
    return Dataset(Path("data"), tuple(sorted({picture.label for picture in pictures})), pictures)


def test_the_folder_below_the_class_is_the_site_whatever_the_class() -> None:
    dataset = _dataset("fox/s1/a.jpg", "fox/s2/b.jpg", "hare/s1/night/c.jpg")
    assert read_groups("folder", dataset) == (0, 1, 0)


def test_a_picture_without_a_site_folder_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"fox/b.jpg: lies directly in its class folder"):
        read_groups("folder", _dataset("fox/s1/a.jpg", "fox/b.jpg"))


def test_a_csv_file_gives_the_groups_and_may_have_more_columns_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "sites.csv"
    path.write_text("when,group,file\n1,north,fox/a.jpg\n2,south,fox/b.jpg\n3,north,fox/c.jpg\n4,x,gone.jpg\n")
    assert read_groups(str(path), _dataset("fox/c.jpg", "fox/b.jpg", "fox/a.jpg")) == (0, 1, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "its columns are None"),
        ("file,site\na,b\n", "expected at least file and group"),
        ("file,group\nfox/a.jpg,\n", "line 2 has no group"),
        ("file,group\nfox/a.jpg,1\nfox/a.jpg,2\n", "line 3: 'fox/a.jpg' is in the groups '1' and '2'"),
        ("file,group\nfox/b.jpg,1\n", "has no group for 'fox/a.jpg'"),
    ],
)
def test_a_csv_file_that_leaves_a_question_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "sites.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_groups(str(path), _dataset("fox/a.jpg"))


def test_a_missing_csv_file_says_what_is_possible(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='Expected "folder" or a CSV file'):
        read_groups(str(tmp_path / "no.csv"), _dataset("fox/a.jpg"))


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 5), min_size=n, max_size=n)] * 2)))
def test_merged_groups_keep_together_what_either_grouping_keeps_together(both: tuple[list[int], list[int]]) -> None:
    merged = merge_groups(*both)
    for grouping in both:
        for first in range(len(grouping)):
            for second in range(len(grouping)):
                if grouping[first] == grouping[second]:
                    assert merged[first] == merged[second]
    assert merge_groups(merged) == merged
    assert merge_groups(both[0], list(range(len(merged)))) == merge_groups(both[0])
