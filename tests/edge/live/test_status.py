"""What the live page shows of the machine, in words."""

from trailcam_edge.live.status import health_rows, update_rows
from trailcam_edge.sinks.worker import SinkStatus
from trailcam_edge.telemetry.health import HealthSnapshot, Throttling
from trailcam_edge.telemetry.prometheus import MetricsSnapshot
from trailcam_edge.update.install.journal import Journal


def rows(snapshot: MetricsSnapshot, health: HealthSnapshot, problem: str | None = None) -> dict[str, tuple[str, bool]]:
    return {name: (value, well) for name, value, well in health_rows(snapshot, health, problem)}


def snapshot(**more: object) -> MetricsSnapshot:
    return MetricsSnapshot(version="1", bundle="b", uptime_s=3700.0, frames=12_000, frames_dropped=5, **more)  # type: ignore[arg-type]


def test_what_a_machine_does_not_tell_is_not_shown() -> None:
    assert set(rows(snapshot(), HealthSnapshot())) == {"Frame rate", "Frames", "Running for"}
    assert rows(snapshot(), HealthSnapshot())["Running for"] == ("1 h 1 min", True)


def test_what_is_not_well_is_marked() -> None:
    health = HealthSnapshot(85.0, Throttling(("under-voltage",), ()), 600_000_000, 90_000_000, 50_000_000)
    sink = SinkStatus("webhook oak", 3, 0, 7, "no whole answer in time")
    found = rows(snapshot(sinks=(sink,), events_waiting=2, blind_s={"disk full": 90.0}), health, "disk full")
    assert found["Temperature"] == ("85 °C", False)
    assert found["Throttling"] == ("under-voltage", False)
    assert found["Disk"] == ("0.1 GB free", False)
    assert found["Memory"] == ("90 MB", True)
    assert found["Store"] == ("nothing can be stored: disk full", False)
    assert found["Not stored"] == ("2 waiting, 0 lost", False)
    assert found["Blind: disk full"] == ("1 min", False)
    assert found["webhook oak"] == ("3 delivered, 7 waiting; no whole answer in time", False)


def test_throttling_of_before_is_told_but_no_alarm() -> None:
    health = HealthSnapshot(throttling=Throttling((), ("under-voltage",)))
    assert rows(snapshot(), health)["Throttling"] == ("not now; since the start: under-voltage", True)
    assert rows(snapshot(), HealthSnapshot(throttling=Throttling((), ())))["Throttling"] == ("no", True)


def test_what_the_update_has_come_to_is_told() -> None:
    assert update_rows(None) == []
    assert update_rows(Journal()) == [("Update", "builtin runs", True)]
    trying = Journal("watch", "a-1", "builtin", "a-2", starts=1, refused={"a-0": "it barks"})
    assert update_rows(trying) == [("Update", "trying a-2; before it a-1", True), ("Refused", "a-0: it barks", True)]
    back = Journal("idle", "a-1", "builtin", refused={"a-0": "it barks", "a-2": "not healthy in 3 starts"})
    assert ("Refused", "a-2: not healthy in 3 starts", False) in update_rows(back)
