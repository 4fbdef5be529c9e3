"""Clips of visits on the live page: what a browser may ask for, and who gets it."""

from pathlib import Path

import pytest

from .conftest import TOKEN, Bench, content

CLIP = bytes(range(256)) * 600


@pytest.mark.parametrize(
    ("asked", "status", "part", "stated"),
    [
        (None, 200, slice(None), None),
        ("bytes=0-", 200, slice(None), None),
        ("bytes=0-1", 206, slice(0, 2), "bytes 0-1/153600"),
        ("bytes=150000-", 206, slice(150_000, None), "bytes 150000-153599/153600"),
        ("bytes=153599-999999", 206, slice(153_599, None), "bytes 153599-153599/153600"),
        ("bytes=-5", 206, slice(-5, None), "bytes 153595-153599/153600"),
        ("bytes=153600-", 416, slice(0, 0), "bytes */153600"),
        ("bytes=-0", 416, slice(0, 0), "bytes */153600"),
        ("bytes=5-2", 200, slice(None), None),
        ("bytes=0-1,4-5", 200, slice(None), None),
        ("lines=0-1", 200, slice(None), None),
    ],
)
def test_a_browser_seeks_in_a_clip(
    bench: Bench, tmp_path: Path, asked: str | None, status: int, part: slice, stated: str | None
) -> None:
    (tmp_path / "abc.mp4").write_bytes(CLIP)
    bench.reports.clips["abc"] = tmp_path / "abc.mp4"
    answer = bench.ask("GET", "/clips/abc.mp4", **({} if asked is None else {"Range": asked}))
    assert answer.status == status
    assert content(answer) == CLIP[part]
    assert answer.headers["Content-Range"] == stated
    assert answer.headers["Content-Length"] == str(len(CLIP[part]))
    if status != 416:
        assert (answer.headers["Content-Type"], answer.headers["Accept-Ranges"]) == ("video/mp4", "bytes")
        head = bench.ask("HEAD", "/clips/abc.mp4", **({} if asked is None else {"Range": asked}))
        assert (head.status, head.headers["Content-Length"], content(head)) == (status, str(len(CLIP[part])), b"")


def test_a_clip_needs_the_token_and_may_be_gone(bench: Bench, guarded: Bench, tmp_path: Path) -> None:
    (tmp_path / "abc.mp4").write_bytes(b"video")
    guarded.reports.clips["abc"] = tmp_path / "abc.mp4"
    assert guarded.ask("GET", "/clips/abc.mp4").status == 401
    assert content(guarded.ask("GET", "/clips/abc.mp4", Authorization=f"Bearer {TOKEN}")) == b"video"
    bench.reports.clips["abc"] = tmp_path / "gone.mp4"
    assert bench.ask("GET", "/clips/abc.mp4").status == 404
    assert bench.ask("GET", "/clips/..%2fabc.mp4").status == 404
