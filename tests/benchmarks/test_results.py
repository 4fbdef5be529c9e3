"""The project's own figures: parts that are kept, left out, cut and gone on with."""

from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks import results
from trailcam_benchmarks.result import read_result
from trailcam_edge.classifier import BUILTIN_BUNDLE


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace two parts by ones that remember that they ran."""
    ran: list[str] = []

    def pretend(name: str) -> Any:
        def part(wanted: results.Wanted) -> bytes:
            ran.append(name)
            return name.encode()

        return part

    for name in ("bundles", "live_loop"):
        monkeypatch.setitem(results.PARTS, name, pretend(name))
    return ran


def test_a_part_that_is_there_is_not_measured_again(tmp_path: Path, asked: list[str]) -> None:
    words = ["--out", str(tmp_path), "--only", "bundles", "live_loop"]
    assert results.main(words) == 0
    (tmp_path / "bundles.json").unlink()
    assert results.main(words) == 0
    assert asked == ["bundles", "live_loop", "bundles"]
    assert results.main([*words, "--again"]) == 0
    assert asked[3:] == ["bundles", "live_loop"]


def test_an_interruption_keeps_the_parts_before_it(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: results.Wanted) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setitem(results.PARTS, "live_loop", interrupted)
    assert results.main(["--out", str(tmp_path), "--only", "bundles", "live_loop", "bundles"]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["bundles.json"]


def test_a_part_that_lacks_something_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results.main(["--out", str(tmp_path), "--only", "keras", "data_tools", "soak"]) == 0
    said = capsys.readouterr().err
    assert "--keras RUN" in said
    assert "--data DIR" in said
    assert "--soak" in said
    assert results.main(["--out", str(tmp_path), "--only", "agreement"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_bundles_are_known_by_what_they_are_and_not_by_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "broken.bundle").mkdir()
    (tmp_path / "broken.bundle" / "manifest.json").write_text("{}")
    (tmp_path / "twin.bundle").symlink_to(BUILTIN_BUNDLE)
    out = tmp_path / "out"
    words = ["--bundles", str(tmp_path), "--out", str(out), "--frames", "8", "--min-time", "0", "--rounds", "1"]
    assert results.main([*words, "--only", "bundles", "repeat", "agreement"]) == 0
    result = read_result(out / "bundles.json")
    assert [row.kind for row in result.rows] == ["model", "floor"]
    assert result.rows[0].bundle == f"{result.rows[0].name} int8 {result.rows[0].sha256[:12]}"
    assert all(str(BUILTIN_BUNDLE) not in path.read_text() for path in out.iterdir())
