"""Facts of a machine, from a tree of files like a Raspberry Pi's and from an empty one."""

from pathlib import Path

import pytest

from trailcam_benchmarks.host.machine import describe_machine, read_condition, read_memory_mb, reset_peak_memory


@pytest.fixture
def board(tmp_path: Path) -> Path:
    files = {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0",
        "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 asimddp\nprocessor\t: 1\n",
        "proc/loadavg": "0.42 0.30 0.20 1/200 4242\n",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
        "sys/class/thermal/thermal_zone0/temp": "61835\n",
        "sys/class/thermal/thermal_zone1/temp": "48000\n",
        "sys/class/thermal/thermal_zone2/temp": "broken\n",
        "sys/class/thermal/thermal_zone3/temp": "255000\n",  # a sensor that is not connected
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_a_board_is_described_with_its_condition(board: Path) -> None:
    machine, condition = describe_machine(board), read_condition(board)
    assert machine.board == "Raspberry Pi 4 Model B Rev 1.5"
    assert machine.system.startswith("Debian GNU/Linux 13 (trixie), kernel ")
    assert machine.governor == "ondemand"
    assert machine.instructions == "NEON, NEON dot product"
    assert machine.cores >= 1
    assert (condition.temperature_c, condition.frequency_mhz, condition.load) == (61.835, 1500.0, 0.42)
    assert condition.throttled == 0x50005


def test_a_machine_without_these_files_is_measured_too(tmp_path: Path) -> None:
    condition = read_condition(tmp_path)
    assert (condition.temperature_c, condition.frequency_mhz, condition.throttled, condition.load) == (None,) * 4
    assert (describe_machine(tmp_path).board, describe_machine(tmp_path).instructions) == ("unknown", "")
    assert read_memory_mb(tmp_path / "status") == (None, None)


def test_instructions_of_a_workstation_are_named(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text("model name\t: X\nflags\t: avx2 avx512f avx512_vnni amx_bf16 amx\n")

    machine = describe_machine(tmp_path)

    assert (machine.processor, machine.instructions) == ("X", "AVX2, AVX-512, AVX-512 VNNI, AMX bfloat16")


def test_memory_is_given_in_megabytes_of_a_million_bytes(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t  2000 kB\nVmRSS:\t  1000 kB\n")
    assert read_memory_mb(tmp_path / "status") == (1.024, 2.048)


def test_the_peak_counts_from_when_it_was_reset(tmp_path: Path) -> None:
    assert not reset_peak_memory(tmp_path / "nowhere" / "clear_refs")
    if not reset_peak_memory():
        pytest.skip("this kernel does not let a process reset its peak")
    start_mb = read_memory_mb()[1]
    ballast = bytearray(100_000_000)
    del ballast
    high_mb = read_memory_mb()[1]
    assert reset_peak_memory()
    now_mb = read_memory_mb()[1]
    assert start_mb is not None
    assert high_mb is not None
    assert now_mb is not None
    assert high_mb > start_mb + 90
    assert now_mb < high_mb - 90
