"""What the machine says of itself, from files as a Raspberry Pi has them."""

from pathlib import Path

import pytest

from trailcam_edge.telemetry.health import HealthSnapshot, Throttling, parse_throttled, read_health


@pytest.mark.parametrize(
    ("text", "now", "since"),
    [
        ("throttled=0x0\n", (), ()),
        ("throttled=0x50005", ("under-voltage", "throttled"), ("under-voltage", "throttled")),
        ("50000", (), ("under-voltage", "throttled")),
        ("0x8", ("soft temperature limit",), ()),
        ("20002\n", ("clock rate capped",), ("clock rate capped",)),
    ],
)
def test_the_bits_of_the_firmware_are_named(text: str, now: tuple[str, ...], since: tuple[str, ...]) -> None:
    assert parse_throttled(text) == Throttling(now, since)


@pytest.mark.parametrize("text", ["", "error=1", "throttled=", "0xZZ", "VCHI initialization failed", "0x123456789"])
def test_what_is_no_such_answer_is_none(text: str) -> None:
    assert parse_throttled(text) is None


def board(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="ascii")
    return root


def test_a_board_is_read(tmp_path: Path) -> None:
    root = board(
        tmp_path,
        {
            "sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n",
            "sys/class/thermal/thermal_zone0/temp": "61500\n",
            "sys/class/thermal/thermal_zone1/temp": "-274000\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
            "proc/self/statm": "60000 23000 12000 1 0 30000 0\n",
        },
    )
    found = read_health(tmp_path, root, ask_firmware=lambda: pytest.fail("the kernel has answered"))
    assert found.temperature_c == 61.5
    assert found.throttling == Throttling((), ("under-voltage", "throttled"))
    assert found.clock_hz == 1_500_000_000
    assert found.memory_bytes is not None
    assert found.memory_bytes % 23_000 == 0
    assert found.disk_free_bytes is not None
    assert found.disk_free_bytes > 0


def test_where_the_kernel_does_not_say_the_firmware_is_asked(tmp_path: Path) -> None:
    found = read_health(None, tmp_path, ask_firmware=lambda: "throttled=0x4\n")
    assert found.throttling == Throttling(("throttled",), ())


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    root = board(tmp_path, {"sys/class/thermal/thermal_zone0/temp": "N/A\n", "proc/self/statm": ""})
    assert read_health(tmp_path / "gone", root, ask_firmware=lambda: None) == HealthSnapshot()


def test_this_process_knows_its_memory() -> None:
    found = read_health(ask_firmware=lambda: None)
    assert found.memory_bytes is not None
    assert 5_000_000 < found.memory_bytes < 50_000_000_000
