"""Two hosts compared with one: the ratios, the figures that must agree, and the pictures that all of them get."""

from pathlib import Path
from typing import Any

import pytest

from trailcam_project.experiments import two_hosts
from trailcam_project.experiments.two_hosts import HostFigures, compare, main

LOSSES = {"loss": 2.0, "validation_loss": 2.2}


def host(rate_hz: float, core_s: float, **losses: float) -> HostFigures:
    return HostFigures(rate_hz, 1000, core_s, core_s + 30, 1500, LOSSES | losses)


def test_two_hosts_are_compared_by_rate_and_by_processor_time() -> None:
    found = compare({1: [[host(20, 40)]], 2: [[host(36, 22), host(36, 20)]]})

    assert found["rate_ratio"] == pytest.approx(1.8)
    assert found["core_ms"] == {1: 40.0, 2: 42.0}
    assert found["core_ratio"] == pytest.approx(1.05)
    assert found["whole_core_ratio"] == pytest.approx(70 / 52)
    assert found["agree"]


def test_two_trainings_that_share_nothing_are_the_ceiling() -> None:
    strangers = [[host(19, 41), host(18, 42)]]

    found = compare({1: [[host(20, 40)]], 2: [[host(36, 22), host(36, 20)]], 0: strangers})

    assert found["ceiling_ratio"] == pytest.approx(37 / 20)
    assert found["rate_ratio"] == pytest.approx(1.8)


@pytest.mark.parametrize(("loss", "agrees"), [(2.0 * 1.009, True), (2.0 * 1.011, False)])
def test_the_figures_of_every_host_must_agree(loss: float, agrees: bool) -> None:
    found = compare({1: [[host(20, 40)]], 2: [[host(36, 22), host(36, 20, loss=loss)]]})

    assert found["agree"] is agrees


def test_every_host_trains_on_the_same_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(5):
            (tmp_path / label / f"{number}.jpg").write_bytes(b"picture")
    seen: list[tuple[int, int]] = []

    def measure(words: Any, hosts: int, _: Path) -> list[HostFigures]:
        seen.append((hosts, len(list(Path(words[0]).glob("*/*.jpg")))))
        return [host(20.0 * hosts, 40.0 / hosts)] * hosts

    monkeypatch.setattr(two_hosts, "measure", measure)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})

    assert main([str(tmp_path), "--batch", "2", "--steps", "2", "--rounds", "2"]) == 0

    assert seen == [(1, 6), (2, 6), (1, 6), (2, 6)]
    assert '"rate_ratio": 2.0' in capsys.readouterr().out


def test_one_core_is_too_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})

    assert main([str(tmp_path)]) == 1
    assert "expected two cores" in capsys.readouterr().err
