"""The list of imported pictures that a run used, and the statement of a bundle about them."""

import csv
import hashlib
from pathlib import Path

import pytest

from trailcam_core.datasets.run_directory import SplitRow, read_reviews
from trailcam_core.errors import TrainError
from trailcam_train.retraining.reviews import describe_reviews, prepared_reviews, reviews_to_bytes, used_reviews


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The ``photos`` of an import of two pictures, one of which is gone."""
    root = tmp_path / "field"
    (root / "photos/fox/oak").mkdir(parents=True)
    (root / "photos/fox/oak/a.jpg").write_text("a")
    with open(root / "import.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [
                ["file", "label", "group", "source", "box", "confidence", "review"],
                ["photos/fox/oak/a.jpg", "fox", "oak", "store/a.jpg", "", "1", "r1"],
                ["photos/fox/oak/gone.jpg", "fox", "oak", "store/b.jpg", "", "1", "r2"],
            ]
        )
    return root / "photos"


def test_a_training_on_imported_photos_names_their_reviews(photos: Path) -> None:
    rows = [SplitRow("fox/oak/a.jpg", digest("a"), "train", "fox"), SplitRow("x.jpg", digest("x"), "train", "fox")]

    content = used_reviews(photos, rows, None)

    assert content.decode().splitlines()[1:] == [f"{digest('a')},learned,fox,oak,store/a.jpg,r1"]
    assert describe_reviews(content) == {"reviews": "1", "reviews_sha256": hashlib.sha256(content).hexdigest()}


def test_reviews_of_the_earlier_run_are_kept(photos: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / "reviews.csv").write_bytes(
        reviews_to_bytes([{"sha256": "0" * 64, "use": "learned", "label": "fox", "source": "s"}])
    )

    content = used_reviews(photos, [SplitRow("fox/oak/a.jpg", digest("a"), "test", "fox")], earlier)

    assert describe_reviews(content)["reviews"] == "1"
    assert content.count(b"\n") == 3


def test_without_an_import_nothing_is_stated(tmp_path: Path) -> None:
    content = used_reviews(tmp_path, [SplitRow("fox/a.jpg", digest("a"), "train", "fox")], None)

    assert describe_reviews(content) == {}


def test_a_folder_prepared_of_imported_pictures_lists_its_crops_too(photos: Path, tmp_path: Path) -> None:
    rows = [SplitRow("fox/a.jpg", digest("a"), "train", "fox"), SplitRow("fox/crops/c.jpg", digest("c"), "test", "fox")]
    (tmp_path / "prepared").mkdir()
    (tmp_path / "prepared" / "reviews.csv").write_bytes(prepared_reviews(photos, tmp_path / "none", rows))

    content = used_reviews(tmp_path / "prepared", rows, None)
    (tmp_path / "prepared" / "reviews.csv").write_bytes(content)

    assert {row["sha256"] for row in read_reviews(tmp_path / "prepared")} == {digest("a"), digest("c")}
    assert describe_reviews(content)["reviews"] == "1"
    assert prepared_reviews(tmp_path / "photographs", tmp_path / "none", rows) == b""


def test_a_damaged_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("a,b\n1,2\n")

    with pytest.raises(TrainError, match="has no sha256"):
        read_reviews(tmp_path)
