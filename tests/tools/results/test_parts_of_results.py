"""Which parts of the results are measured again, and what an interruption keeps."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from trailcam_benchmarks.results.schema import read_result
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_project.results import __main__ as results
from trailcam_project.results import result_parts as parts


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else runs while the tests do is not waited for."""
    monkeypatch.setattr(results, "_IDLE_WAIT_S", 0.0)


@dataclass
class FakePart:
    """A part that remembers that it ran."""

    name: str
    ran: list[str]
    reason: str = ""
    interrupted: bool = False

    def make(self, wanted: parts.PartOptions, partial: Path) -> bytes:
        if self.interrupted:
            partial.write_bytes(b"half")
            raise KeyboardInterrupt
        self.ran.append(self.name)
        return self.name.encode()

    def stale(self, wanted: parts.PartOptions, path: Path) -> str:
        return self.reason


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakePart]:
    """Replace two parts."""
    ran: list[str] = []
    found = {name: FakePart(name, ran) for name in ("bundles", "live_loop")}
    for name, part in found.items():
        monkeypatch.setitem(results.PARTS, name, part)
    return found


def test_a_part_that_is_there_is_not_measured_again(tmp_path: Path, fakes: dict[str, FakePart]) -> None:
    words = ["--out", str(tmp_path), "--only", "bundles", "live_loop"]
    asked = fakes["bundles"].ran
    assert results.main(words) == 0
    (tmp_path / "bundles.json").unlink()
    assert results.main(words) == 0
    assert asked == ["bundles", "live_loop", "bundles"]
    assert results.main([*words, "--again"]) == 0
    assert asked[3:] == ["bundles", "live_loop"]


def test_a_part_that_is_stale_is_measured_again_and_says_why(
    tmp_path: Path, fakes: dict[str, FakePart], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path), "--only", "bundles", "live_loop"]
    assert results.main(words) == 0
    fakes["live_loop"].reason = "it is of yesterday"
    assert results.main(words) == 0
    assert fakes["bundles"].ran == ["bundles", "live_loop", "live_loop"]
    assert "live_loop: out of date, it is of yesterday" in capsys.readouterr().err


def test_an_interruption_keeps_the_parts_before_it_and_what_there_was_of_its_own(
    tmp_path: Path, fakes: dict[str, FakePart], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path), "--only", "bundles", "live_loop"]
    fakes["live_loop"].interrupted = True
    assert results.main(words) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundles.json", "live_loop.partial.json"]
    assert "The figures so far are in live_loop.partial.json" in capsys.readouterr().err
    fakes["live_loop"].interrupted = False
    assert results.main(words) == 0  # half a part does not count as there
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundles.json", "live_loop.json"]


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
