"""The unit, the configuration that comes with it, and what is written where."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from trailcam_core.errors import DeviceError
from trailcam_edge.camera.settings import RecoverySettings
from trailcam_edge.config.camera_toml import Config, parse_config
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.service.systemd_units import (
    CONFIG_PATH,
    TIMER_PATH,
    UNIT_PATH,
    UPDATE_PATH,
    install,
    render_config,
    render_unit,
    render_update_units,
    uninstall,
    unreachable_folder,
)
from trailcam_edge.store.settings import StoreSettings
from trailcam_edge.update.settings import UpdateSettings

PROGRAM = "/opt/trailcam/bin/trailcam"
FOLDER = Path("/etc/trailcam")


def uncommented(text: str) -> str:
    """The file with every "#" before a key or section taken away."""
    return re.sub(r"(?m)^# (?=\[?[a-z_.]+(\]| = ))", "", text)


def directive(unit: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{name}=")]


def test_the_configuration_as_it_is_written_watches_stores_and_shows_a_page() -> None:
    config = parse_config(render_config("picamera2"), "t", FOLDER)
    assert config.camera.source == "picamera2"
    assert config.store == StoreSettings()
    assert config.live == LiveSettings()
    assert config.update == UpdateSettings()
    assert not config.sinks


def test_a_source_of_releases_is_written_where_one_is_named() -> None:
    config = parse_config(render_config("picamera2", ("https://example.org/r", "meadow")), "t", FOLDER)
    assert config.update == UpdateSettings(source="https://example.org/r", channel="meadow")


def test_a_live_page_on_the_network_has_a_token_and_a_local_one_has_none() -> None:
    here = parse_config(render_config("picamera2"), "t", FOLDER).live
    network = parse_config(render_config("picamera2", token_file="/etc/trailcam/token"), "t", FOLDER).live
    assert here is not None
    assert network is not None
    assert (here.address, here.token_file) == ("127.0.0.1:8080", None)
    assert (network.address, network.token_file) == ("0.0.0.0:8080", Path("/etc/trailcam/token"))


def test_every_key_is_in_the_file_and_what_stands_behind_a_comment_is_the_default() -> None:
    text = uncommented(render_config("demo"))
    parse_config(text, "t", FOLDER)
    found = tomllib.loads(text)

    def compare(kind: Any, table: dict[str, Any], place: str) -> None:
        hints = get_type_hints(kind)
        assert set(table) == set(hints), place
        for entry in fields(kind):
            options = [hints[entry.name], *get_args(hints[entry.name])]
            section = next((option for option in options if is_dataclass(option)), None)
            if get_origin(hints[entry.name]) is Mapping:
                kind_of_each = get_args(hints[entry.name])[1]
                if is_dataclass(kind_of_each):  # several sections, of which the examples show every key
                    shown = {key for each in table[entry.name].values() for key in each}
                    assert shown | {"addresses_file"} >= set(get_type_hints(kind_of_each)), entry.name
            elif section is not None:
                compare(section, table[entry.name], f"{place}.{entry.name}")
            elif isinstance(entry.default, bool | int | float) and entry.name != "rate_hz":
                assert table[entry.name] == entry.default, f"{place}.{entry.name}"

    compare(Config, found, "config")


def test_the_watchdog_waits_longer_than_the_program_needs_to_end_by_itself() -> None:
    unit = render_unit(PROGRAM, in_home=False)
    (watchdog,) = directive(unit, "WatchdogSec")
    assert int(watchdog.removesuffix("min")) * 60 > RecoverySettings().give_up_s


def test_a_process_of_the_camera_that_the_kernel_ends_for_memory_does_not_end_the_camera() -> None:
    assert directive(render_unit(PROGRAM, in_home=False), "OOMPolicy") == ["continue"]


def test_the_unit_is_hardened_and_may_still_ask_for_the_clock() -> None:
    unit = render_unit(PROGRAM, in_home=False)
    assert "{" not in unit
    for name, value in [
        ("Type", "notify"),
        ("User", "trailcam"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("NoNewPrivileges", "yes"),
        ("DevicePolicy", "closed"),
        ("CapabilityBoundingSet", ""),
        ("Restart", "always"),
        ("StateDirectory", "trailcam"),
    ]:
        assert directive(unit, name) == [value]
    assert directive(unit, "ExecStart") == [f"{PROGRAM} watch --config /etc/trailcam/trailcam.toml --visits"]
    assert directive(unit, "SystemCallFilter")[-2:] == ["setpriority", "adjtimex clock_adjtime"]
    assert not directive(unit, "ProtectClock")
    assert directive(render_unit(PROGRAM, in_home=True), "ProtectHome") == ["read-only"]


@pytest.mark.parametrize("program", ["trailcam", "/opt/a b/trailcam", "/opt/%h/trailcam", "/opt/$x/trailcam", "/a\n/b"])
def test_a_path_that_a_unit_would_misread_is_refused(program: str) -> None:
    with pytest.raises(DeviceError, match="plain letters"):
        render_unit(program, in_home=False)


def test_installing_twice_changes_nothing_and_the_persons_configuration_is_kept(tmp_path: Path) -> None:
    unit, config = render_unit(PROGRAM, in_home=False), render_config("demo")
    assert [change.done for change in install(tmp_path, unit, config)] == ["written"] * 3
    assert [change.done for change in install(tmp_path, unit, config)] == ["unchanged", "unchanged", "kept"]
    (tmp_path / CONFIG_PATH).write_text("# mine", encoding="utf-8")
    assert [change.done for change in install(tmp_path, unit + "#", config)] == ["written", "unchanged", "kept"]
    assert (tmp_path / CONFIG_PATH).read_text(encoding="utf-8") == "# mine"
    assert [change.done for change in uninstall(tmp_path)] == ["removed", "removed", "kept"]
    assert not (tmp_path / UNIT_PATH).exists()
    assert [change.done for change in uninstall(tmp_path)] == ["kept"]


def test_the_update_runs_with_the_rights_of_the_camera_and_fewer_devices() -> None:
    units = render_update_units(PROGRAM, in_home=False)
    service, timer = units[UPDATE_PATH], units[TIMER_PATH]
    assert "{" not in service + timer
    assert directive(service, "ExecStart") == [f"{PROGRAM} update --config /etc/trailcam/trailcam.toml"]
    camera = render_unit(PROGRAM, in_home=False)
    for name in ("User", "Group", "StateDirectory", "ProtectSystem", "NoNewPrivileges", "SystemCallFilter", "UMask"):
        assert directive(service, name) == directive(camera, name) != []
    assert directive(service, "Type") == ["oneshot"]
    assert directive(service, "PrivateDevices") == ["yes"]
    assert not directive(service, "DeviceAllow")
    assert directive(timer, "Persistent") == ["yes"]
    assert directive(timer, "RandomizedDelaySec") == ["30min"]


def test_units_of_the_update_come_with_a_source_and_go_without_one(tmp_path: Path) -> None:
    unit, config = render_unit(PROGRAM, in_home=False), render_config("demo")
    update_units = render_update_units(PROGRAM, in_home=False)
    install(tmp_path, unit, config, update_units)
    assert (tmp_path / TIMER_PATH).is_file()
    changes = install(tmp_path, unit, config)
    assert [change.done for change in changes] == ["unchanged", "unchanged", "removed", "removed", "kept"]
    install(tmp_path, unit, config, update_units)
    uninstall(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["trailcam.toml"]


def test_a_folder_that_the_services_user_may_not_pass_is_found(tmp_path: Path) -> None:
    program = tmp_path / "home" / "venv" / "bin" / "trailcam"
    program.parent.mkdir(parents=True)
    for folder in tmp_path.parents:
        if not folder.stat().st_mode & 0o001:
            assert unreachable_folder(program) is not None
            return
    (tmp_path / "home").chmod(0o700)
    assert unreachable_folder(program) is not None


def systemd_analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, which this machine does not have")
    command = ["systemd-analyze", "--no-pager", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    texts = {
        UNIT_PATH: render_unit(sys.executable, in_home=False),
        **render_update_units(sys.executable, in_home=False),
    }
    for path, text in texts.items():
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    found = systemd_analyze("verify", *(str(tmp_path / path.name) for path in texts))
    assert found.stderr == ""
    assert found.returncode == 0


@pytest.mark.parametrize("path", [UNIT_PATH, UPDATE_PATH], ids=lambda path: path.name)
def test_systemd_calls_the_units_well_protected(tmp_path: Path, path: Path) -> None:
    texts = {UNIT_PATH: render_unit(PROGRAM, in_home=False), **render_update_units(PROGRAM, in_home=False)}
    place = tmp_path / path.name
    place.write_text(texts[path], encoding="utf-8")
    found = systemd_analyze("security", "--offline=true", "--threshold=25", str(place))  # 2.5 of 10
    assert found.returncode == 0, found.stdout[-200:] + found.stderr
