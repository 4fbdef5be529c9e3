"""Canaries, the end after failures, and devices that sleep: with work that a test decides about."""

import _thread
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trailcam_core.errors import DeployError
from trailcam_core.network.ssh.errors import HostError, OfflineError
from trailcam_deploy.device.host import Host
from trailcam_deploy.fleet.run_fleet import DONE, FAILED, OFFLINE, SKIPPED, FleetRules, HostOutcome, run_fleet
from trailcam_deploy.fleet.state import FleetState

HOSTS = [Host(f"h{number}", f"h{number}") for number in range(8)]


def run(
    rules: FleetRules, work: Callable[[Host], str], stop: threading.Event | None = None, hosts: list[Host] = HOSTS
) -> dict[str, HostOutcome]:
    seen: list[HostOutcome] = []
    outcomes = run_fleet(hosts, work, rules, seen.append, stop or threading.Event())
    assert seen == outcomes
    assert sorted(outcome.host.id for outcome in outcomes) == sorted(host.id for host in hosts)
    return {outcome.host.id: outcome for outcome in outcomes}


def failing(*names: str, error: type[HostError] = HostError) -> Callable[[Host], str]:
    def work(host: Host) -> str:
        if host.id in names:
            raise error("no")
        return "yes"

    return work


def kinds(outcomes: dict[str, HostOutcome]) -> str:
    return "".join(outcomes[host.id].kind[0] for host in HOSTS)


def test_every_device_is_done() -> None:
    assert kinds(run(FleetRules(), failing())) == "dddddddd"


def test_a_failure_stops_what_has_not_begun() -> None:
    outcomes = run(FleetRules(parallel=1), failing("h2"))
    assert kinds(outcomes) == "ddflllll"
    assert "1 failed, expected fewer than 1" in outcomes["h3"].text


def test_failures_below_the_limit_do_not_stop_the_run() -> None:
    assert kinds(run(FleetRules(parallel=1, max_failures=2), failing("h1", "h3"))) == "dfdfllll"
    assert kinds(run(FleetRules(parallel=1, max_failures=3), failing("h1", "h3"))) == "dfdfdddd"


def test_offline_is_not_failed() -> None:
    assert kinds(run(FleetRules(), failing("h1", "h3", error=OfflineError))) == "dodo" + "dddd"


def test_canaries_are_alone_and_first() -> None:
    guard, at_work, done, together = threading.Lock(), set(), [], []

    def work(host: Host) -> str:
        with guard:
            at_work.add(host.id)
            together.append((len(done), sorted(at_work)))
        time.sleep(0.02)
        with guard:
            at_work.discard(host.id)
            done.append(host.id)
        return ""

    run(FleetRules(canary=2, parallel=4), work)
    assert sorted(done[:2]) == ["h0", "h1"]
    assert all(set(names) <= {"h0", "h1"} for count, names in together if count < 2)
    assert max(len(names) for _, names in together) > 2


def test_a_canary_that_fails_ends_it_whatever_may_fail_later() -> None:
    outcomes = run(FleetRules(canary=1, max_failures=5), failing("h0"))
    assert kinds(outcomes) == "flllllll"
    assert "a canary failed" in outcomes["h1"].text


def test_an_offline_canary_is_replaced_by_the_next() -> None:
    assert kinds(run(FleetRules(canary=1), failing("h0", error=OfflineError))) == "oddddddd"


def test_no_device_is_started_when_no_canary_answers() -> None:
    outcomes = run(FleetRules(canary=1), failing(*(host.id for host in HOSTS), error=OfflineError))
    assert kinds(outcomes) == "oooooooo"


def test_stopping_leaves_the_rest_out() -> None:
    stop = threading.Event()

    def work(host: Host) -> str:
        stop.set()
        return ""

    outcomes = run(FleetRules(parallel=1), work, stop)
    assert kinds(outcomes) == "dlllllll"
    assert outcomes["h1"].text == "it was interrupted"


def test_ctrl_c_disconnects_and_waits_for_no_device() -> None:
    disconnected, stop = threading.Event(), threading.Event()

    def work(host: Host) -> str:
        _thread.interrupt_main()
        assert disconnected.wait(30)
        return ""

    started_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_fleet(HOSTS, work, FleetRules(parallel=2), lambda outcome: None, stop, disconnected.set)
    assert stop.is_set()
    assert time.monotonic() - started_s < 25


def test_a_bug_is_not_a_failed_device() -> None:
    def work(host: Host) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_fleet(HOSTS, work, FleetRules(), lambda outcome: None, threading.Event())


@pytest.mark.parametrize("values", [{"canary": -1}, {"parallel": 0}, {"max_failures": 0}])
def test_senseless_rules_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        FleetRules(**values)


def test_the_last_outcome_of_a_device_is_kept(tmp_path: Path) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    FleetState(tmp_path / "state.json").record("oak", OFFLINE, "asleep", now, "meadow 1.0.0")
    state = FleetState(tmp_path / "state.json")
    last = state.last("oak")
    assert last is not None
    assert (last.kind, last.text, last.when) == (OFFLINE, "asleep", "2026-06-01T00:00:00+00:00")
    assert state.last("elm") is None
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"oak": {}}', b"\xff"])
def test_damaged_notes_are_an_error_with_a_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(DeployError, match="Delete it"):
        FleetState(tmp_path / "state.json")


def test_the_kinds_of_the_state_file_stay() -> None:
    assert (DONE, OFFLINE, FAILED, SKIPPED) == ("done", "offline", "failed", "left out")


def test_an_outcome_shows_no_password_and_steers_no_terminal() -> None:
    outcome = HostOutcome(Host("oak", "oak"), FAILED, "rtsp://a:SECRET@h/: \x1b[31mno frame.\nnext")
    assert outcome.text == "rtsp://a:***@h/: \\x1b[31mno frame.\nnext"
