"""``trailcam doctor``: every finding on one line, a cure for each fault, no secret."""

import json
from pathlib import Path

import pytest

from trailcam import main as front_door
from trailcam.commands.doctor import camera_checks, machine_checks, package_checks
from trailcam.commands.doctor.camera_checks import check_host
from trailcam.commands.doctor.machine_checks import check_clock, check_memory, check_processor
from trailcam.commands.doctor.package_checks import check_opencv
from trailcam_edge.telemetry.health import ask_firmware

PI_5 = "processor\t: 0\nFeatures\t: fp asimd asimddp\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"


def test_this_machine_has_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "golden vectors reproduced" in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert "\x1b" not in printed  # not a terminal


def test_a_wrong_configuration_is_a_fault_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "camera.toml"
    config.write_text("[camera]\nsource = 'rtsp://ann:secret@192.0.2.1/a'\nnonsense = 1\n")
    assert front_door.main(["doctor", "--config", str(config), "--json", "--offline"]) == 3
    printed = capsys.readouterr().out
    checks = {check["name"]: check for check in json.loads(printed)["checks"]}
    assert checks["configuration"]["state"] == "fault"
    assert "nonsense" in checks["configuration"]["text"]
    assert "secret" not in printed


def test_a_camera_without_a_running_program_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "camera.toml"
    config.write_text(f"[store]\nfolder = '{tmp_path / 'store'}'\n[update]\nsource = '{tmp_path}/usb'\nchannel = 'a'\n")
    assert front_door.main(["doctor", "--config", str(config), "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["store"]["state"] == "info"
    assert checks["releases"] == {
        "name": "releases",
        "state": "warning",
        "text": f"{tmp_path}/usb: no such folder",
        "cure": "Mount it, or correct source in [update].",
    }


def test_two_owners_of_cv2_are_a_fault_with_its_cure() -> None:
    found = check_opencv({"/site/cv2": ["opencv-python", "opencv-python-headless"]})
    assert found.state == "fault"
    assert "opencv-python and opencv-python-headless" in found.text
    assert found.cure is not None
    assert "pip uninstall -y opencv-python opencv-python-headless" in found.cure


def test_one_owner_of_cv2_is_fine() -> None:
    found = check_opencv({"/site/cv2": ["opencv-python"]})
    assert found.state == "ok"
    assert found.text.startswith("opencv-python ")


def test_the_fastest_integer_instructions_are_named() -> None:
    assert "Raspberry Pi 5 Model B Rev 1.0" in check_processor(PI_5).text
    assert check_processor(PI_5).text.endswith("int8 by Arm dot product")
    assert check_processor("flags\t: sse avx2 avx512_vnni\n").text.endswith("int8 by AVX-512 VNNI")
    assert check_processor("").text.endswith("no known vector instructions")


@pytest.mark.parametrize(("total_kb", "state"), [(390_625, "ok"), (390_624, "warning")])
def test_memory_is_judged_at_the_smallest_board(total_kb: int, state: str) -> None:
    assert check_memory(f"MemTotal: {total_kb} kB\nMemAvailable: 1000 kB\n").state == state


@pytest.mark.parametrize(
    ("now_s", "synchronised", "state"),
    [(0.0, True, "fault"), (1_735_689_599.0, True, "fault"), (1_735_689_600.0, True, "ok"), (2e9, False, "info")],
)
def test_a_clock_that_was_never_set_is_a_fault(now_s: float, synchronised: bool, state: str) -> None:
    assert check_clock(now_s, synchronised).state == state


def test_a_host_that_refuses_is_a_warning() -> None:
    found = check_host("https://127.0.0.1:9/releases")
    assert found.state == "warning"
    assert "127.0.0.1:9 cannot be reached" in found.text


def test_a_hot_and_throttled_board_is_warned_of(tmp_path: Path) -> None:
    firmware = tmp_path / "sys/devices/platform/soc/soc:firmware"
    firmware.mkdir(parents=True)
    (firmware / "get_throttled").write_text("50005\n")
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("80000\n")
    found = {check.name: check for check in machine_checks.check_machine(tmp_path)}
    assert found["board"].state == found["temperature"].state == "warning"
    assert "under-voltage" in found["board"].text


ODD_TEXTS = {
    "bytes": bytes(range(256)) * 40,
    "no numbers": b"MemTotal: lots kB\nMemAvailable: kB\n kB\n: kB\n",
    "a huge number": b"9" * 400,
    "a number that Python refuses": b"9" * 5000,
    "nothing": b"",
}


@pytest.mark.parametrize("content", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_a_machine_that_tells_nonsense_is_checked_all_the_same(tmp_path: Path, content: bytes) -> None:
    for name in (
        *("proc/cpuinfo", "proc/meminfo", "proc/self/statm", "sys/class/thermal/thermal_zone0/temp"),
        *(
            "sys/devices/platform/soc/soc:firmware/get_throttled",
            "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq",
        ),
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = {check.name: check for check in machine_checks.check_machine(tmp_path)}
    assert found["memory"].text == "unknown"
    assert "temperature" not in found


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("head -c 100000 /dev/urandom; exit 3", "unknown"),
        ("exec sleep 60", "unknown: systemctl gave no answer"),
        ("echo active", "active"),
    ],
)
def test_programs_that_tell_nonsense_or_hang_end_no_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    for name in ("systemctl", "vcgencmd", "nvidia-smi"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(camera_checks, "_CONNECT_S", 0.3)
    assert camera_checks._check_service().text == said
    assert isinstance(ask_firmware(), str | None)
    assert package_checks._check_gpu().name == "gpu"
