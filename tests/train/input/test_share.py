from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.spec import InputSpec
from trailcam_train.input.epoch_order import EpochOrder
from trailcam_train.input.pipeline import PictureReader, PictureStream
from trailcam_train.input.share import Share


@pytest.mark.parametrize(("batch", "count"), [(8, 2), (5, 2), (1, 2), (7, 3), (4, 8)])
def test_hosts_read_every_picture_of_a_batch_once(batch: int, count: int) -> None:
    parts = [Share(index, count).within(10, 10 + batch) for index in range(count)]

    assert [position for part in parts for position in range(part.start, part.stop)] == list(range(10, 10 + batch))
    assert max(part.stop - part.start for part in parts) == Share(0, count).size(batch)


def test_a_share_of_no_host_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="index"):
        Share(2, 2)


def test_each_host_decodes_its_own_part_and_together_they_give_the_epoch_of_one(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [SplitRow(f"red/{number}.jpg", "0" * 64, "train", "red") for number in range(11)]
    decoded: list[str] = []
    real = PictureReader.read

    def read(self: PictureReader, file: str, seed: Any) -> Any:
        decoded.append(file)
        return real(self, file, seed)

    monkeypatch.setattr(PictureReader, "read", read)

    def epoch(share: Share) -> list[Any]:
        reader = PictureReader(photos, InputSpec(32, 32, "stretch"), threads=1)
        stream = PictureStream(rows, ("red",), 4, EpochOrder(3, shuffle=True), reader, share)
        return [images for images, _ in stream.epoch(0)]

    whole = epoch(Share())
    assert len(decoded) == 11
    decoded.clear()
    first = epoch(Share(0, 2))
    assert len(decoded) == 2 + 2 + 2  # of batches of 4, 4 and 3
    second = epoch(Share(1, 2))
    assert len(decoded) == 11
    for one, other, together in zip(first, second, whole, strict=True):
        np.testing.assert_array_equal(np.concatenate([one, other]), together)
