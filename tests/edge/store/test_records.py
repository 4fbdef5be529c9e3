import random
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from trailcam_core.images.boxes import Box
from trailcam_edge.store.records import CSV_HEADER, EventRecord, Station, csv_row, event_json
from trailcam_edge.store.wall_time import WallTime

ZONES = (UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=2, minutes=7)))


def record(start_s: float | None, end_s: float | None, box: Box | None = None) -> EventRecord:
    times = WallTime(start_s, "clock"), WallTime(end_s, "clock")
    visit = (
        7,
        "0a1b",
        "fox, red",
        *times,
        "-b1",
        12.34567,
        1 / 3,
        2 / 3,
        3,
        9,
        "tiny-1.0.0",
        9.8765,
        "pictures/0a1b.jpg",
    )
    return EventRecord(*visit, "kept", box, "=oak", "a/b.jpg", None, "closed", 0.5)


@pytest.mark.parametrize("box", [None, Box(0.1, 0.25, 1 / 3, 1.0)])
def test_cells_of_csv_are_the_values_of_json(box: Box | None) -> None:
    event = record(1_780_000_000.4567, 1_780_000_003.0, box)
    cells = dict(zip(CSV_HEADER, csv_row(event, Station("=oak", 52.7, None, None)), strict=True))
    values = event_json(event)
    place = values.pop("box")
    expected = {name: "" if value is None else str(value) for name, value in values.items()} | {
        "boot_id": "'-b1",
        "station": "'=oak",
    }
    numbers = [name for name, value in values.items() if isinstance(value, float)]
    assert [float(cells[name]) for name in numbers] == [values[name] for name in numbers]
    assert {name: cells[name] for name in expected if name not in numbers} == {
        name: value for name, value in expected.items() if name not in numbers
    }
    assert (cells["latitude"], cells["longitude"], cells["camera"]) == ("52.7", "", "")
    sides = ("x", "y", "width", "height")
    assert [cells[f"box_{side}"] for side in sides] == ["" if place is None else f"{place[side]:.5f}" for side in sides]


def test_times_of_csv_are_exact_in_every_zone() -> None:
    draw = random.Random(5)
    moments = [draw.uniform(1_577_836_800, 1_893_456_000) for _ in range(300)]
    moments += [
        hour + offset for hour in (1_774_746_000, 1_792_890_000) for offset in (-1e-7, -0.0004, 0.0, 899.9999999)
    ]
    for zone in ZONES:
        for unix_s in moments:
            cells = dict(zip(CSV_HEADER, csv_row(record(unix_s, unix_s), None, zone), strict=True))
            assert cells["start"] == event_json(record(unix_s, None))["start"]
            microseconds = round(unix_s % 900 * 1e6)
            exact = datetime.fromtimestamp(unix_s // 900 * 900, UTC) + timedelta(microseconds=microseconds)
            if zone is not ZONES[-1]:
                assert cells["end_local"] == exact.astimezone(zone).isoformat(timespec="seconds")
            assert datetime.fromisoformat(cells["end_local"]).utcoffset() == exact.astimezone(zone).utcoffset()
            assert abs(datetime.fromisoformat(cells["end_local"]).timestamp() - unix_s) <= 1


def test_an_unknown_time_is_empty() -> None:
    cells = dict(zip(CSV_HEADER, csv_row(record(None, None)), strict=True))
    assert [cells[name] for name in ("start", "end", "start_local", "end_local")] == [""] * 4
