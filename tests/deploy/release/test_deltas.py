"""Deltas: what the operator's side makes and the camera's side applies, and what happens to bad ones."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import UpdateError
from trailcam_core.release.delta import apply_delta
from trailcam_deploy.release.deltas import NOTHING, Base, costs, make_delta, make_deltas
from trailcam_project.rollout_simulation.head import with_another_head

OLD = bytes(range(256)) * 40
NEW = OLD[:5000] + b"another head" + OLD[5012:]
BOMB = 60_000_000  # the window of more is refused


@pytest.fixture
def apply(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Return a function that applies a delta on disk and gives the bytes it made."""

    def give(base: bytes, delta: bytes, result: bytes) -> bytes:
        (tmp_path / "delta").write_bytes(delta)
        place = tmp_path / "made"
        apply_delta(base, tmp_path / "delta", place, len(result), hashlib.sha256(result).hexdigest())
        return place.read_bytes()

    return give


@given(st.binary(max_size=3000), st.binary(min_size=1, max_size=3000), st.integers(0, 3000))
def test_what_is_made_of_two_files_makes_the_second_of_the_first(
    tmp_path_factory: pytest.TempPathFactory, base: bytes, other: bytes, cut: int
) -> None:
    result = base[:cut] + other + base[cut:]
    folder = tmp_path_factory.mktemp("delta")
    (folder / "delta").write_bytes(make_delta(base, result))
    apply_delta(base, folder / "delta", folder / "made", len(result), hashlib.sha256(result).hexdigest())
    assert (folder / "made").read_bytes() == result


def test_a_new_head_of_the_built_in_model_costs_less_than_fifteen_percent(apply) -> None:  # type: ignore[no-untyped-def]
    before = (BUILTIN_BUNDLE / "model.tflite").read_bytes()
    after = with_another_head(before, seed=1)
    assert sum(old != new for old, new in zip(before, after, strict=True)) > 12_000  # of the head's 12,840 bytes
    delta = make_delta(before, after)
    assert apply(before, delta, after) == after
    assert len(delta) < 0.15 * len(after)


def test_a_delta_of_another_base_makes_nothing(apply) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UpdateError, match="another file than the one that was signed"):
        apply(OLD[::-1], make_delta(OLD, NEW), NEW)


@pytest.mark.parametrize("keep", [0, 1, 4, 10, -1])
def test_a_delta_that_was_cut_off_makes_nothing(apply, keep: int) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UpdateError, match=r"ends too early|cannot be unpacked|another file"):
        apply(OLD, make_delta(OLD, NEW)[:keep], NEW)


@given(st.binary(max_size=300))
def test_noise_for_a_delta_makes_nothing(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    folder = tmp_path_factory.mktemp("delta")
    (folder / "delta").write_bytes(noise)
    with pytest.raises(UpdateError):
        apply_delta(OLD, folder / "delta", folder / "made", len(NEW), hashlib.sha256(NEW).hexdigest())


def test_a_bomb_is_unpacked_no_further_than_what_was_signed(tmp_path: Path, apply) -> None:  # type: ignore[no-untyped-def]
    bomb = make_delta(b"", bytes(BOMB))
    assert len(bomb) < BOMB / 1000
    with pytest.raises(UpdateError, match="unpacks to more than the 10,240 bytes"):
        apply(b"", bomb, NEW)
    assert (tmp_path / "made").stat().st_size <= len(NEW)


def test_a_frame_that_asks_for_too_much_memory_is_refused(apply) -> None:  # type: ignore[no-untyped-def]
    # RFC 8878, section 3.1.1: magic number, descriptor, a window of 2 ** 27 bytes, one block of one byte repeated.
    frame = bytes.fromhex("28b52ffd 00 88 0b0000 00")
    with pytest.raises(UpdateError, match="cannot be unpacked"):
        apply(b"", frame, NEW)


def test_a_delta_that_saves_next_to_nothing_is_not_made() -> None:
    noise = hashlib.shake_256(b"noise").digest(5000)
    assert make_deltas({"model": noise}, [Base("others", {"model": OLD})]) == []


def test_each_kind_of_camera_is_told_what_it_fetches() -> None:
    files = {"model": NEW, "golden": OLD}
    bases = [Base("1.0.0", {"model": OLD, "golden": OLD}), Base("0.9.0", {"model": NEW, "golden": NEW})]
    deltas = make_deltas(files, bases)
    sizes = {(delta.base_sha256, delta.result_sha256): len(delta.content) for delta in deltas}
    old, new, nothing = (hashlib.sha256(content).hexdigest() for content in (OLD, NEW, b""))
    rows = costs(files, bases, deltas)
    assert [row.who for row in rows] == ["1.0.0", "0.9.0", NOTHING.who]
    assert rows[0].fetched_bytes == sizes[old, new]
    assert rows[1].fetched_bytes == sizes[new, old]
    assert rows[2].fetched_bytes == sizes[nothing, new] + sizes[nothing, old]
