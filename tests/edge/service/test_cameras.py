"""Several cameras on one board: names, files, ports."""

import tomllib
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam_core.errors import DeviceError
from trailcam_edge.config.camera_toml import read_config
from trailcam_edge.service.cameras import Camera, free_port

PROGRAM = "/opt/trailcam/bin/trailcam"


def install(root: Path, *words: str) -> int:
    return main(["service", "install", "--root", str(root), "--program", PROGRAM, *words])


def test_each_camera_has_its_own_configuration_store_port_and_identifier(tmp_path: Path) -> None:
    assert install(tmp_path) == 0
    for name in ("gate.1", "gate_1"):
        assert install(tmp_path, "--name", name, "--source", f"rtsp://{name}.local/stream") == 0
    units = tmp_path / "etc/systemd/system"
    assert sorted(path.name for path in units.iterdir()) == ["trailcam.service", "trailcam@.service"]
    unit = (units / "trailcam@.service").read_text(encoding="utf-8")
    assert f"ExecStart={PROGRAM} watch --config /etc/trailcam/cameras/%i.toml --visits" in unit
    assert "StateDirectory=trailcam/%i" in unit
    assert "(%i)" in unit
    configs = [tmp_path / "etc/trailcam/trailcam.toml", *sorted((tmp_path / "etc/trailcam/cameras").iterdir())]
    read = [read_config(path) for path in configs]
    assert [config.live.address for config in read if config.live] == [
        f"127.0.0.1:{port}" for port in (8080, 8081, 8082)
    ]
    stores = [str(config.store.folder) for config in read if config.store]
    assert stores == ["/var/lib/trailcam", "/var/lib/trailcam/gate.1", "/var/lib/trailcam/gate_1"]
    assert [str(config.update.folder) for config in read if config.update] == [f"{store}/update" for store in stores]
    assert 'camera_id = "gate.1"' in configs[1].read_text(encoding="utf-8")
    assert read[2].camera.source == "rtsp://gate_1.local/stream"


def test_a_password_has_a_file_for_each_camera(tmp_path: Path) -> None:
    assert install(tmp_path, "--name", "oak", "--source", "rtsp://u:pass@cam/") == 0
    path = tmp_path / "etc/trailcam/cameras/oak.source"
    assert path.read_text(encoding="utf-8") == "rtsp://u:pass@cam/\n"
    assert path.stat().st_mode & 0o777 == 0o640
    text = (tmp_path / "etc/trailcam/cameras/oak.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["camera"]["source_file"] == "/etc/trailcam/cameras/oak.source"
    assert "pass" not in text.split("[camera]")[1].split("[recovery]")[0].replace("password", "")


def test_updates_have_an_instance_for_each_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    releases = ["--update-source", "https://example.org/r", "--update-channel", "meadow"]
    assert install(tmp_path, "--name", "oak", *releases) == 0
    assert "enable trailcam@oak.service trailcam-update@oak.timer" in capsys.readouterr().out
    text = (tmp_path / "etc/systemd/system/trailcam-update@.service").read_text(encoding="utf-8")
    assert f"ExecStart={PROGRAM} update --config /etc/trailcam/cameras/%i.toml" in text
    assert install(tmp_path, "--name", "elm") == 0  # another camera without updates leaves them alone
    assert (tmp_path / "etc/systemd/system/trailcam-update@.timer").is_file()
    assert main(["service", "status", "--root", str(tmp_path), "--name", "oak"]) == 0
    assert main(["service", "status", "--root", str(tmp_path), "--name", "ash"]) == 3
    assert main(["service", "uninstall", "--root", str(tmp_path)]) == 0
    assert not list((tmp_path / "etc/systemd/system").iterdir())
    assert (tmp_path / "etc/trailcam/cameras/oak.toml").is_file()


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 65, "pictures", "update", "%i", "rysь"])
def test_a_name_that_is_no_name_of_a_unit_and_a_file_is_refused(name: str) -> None:
    with pytest.raises(DeviceError, match="--name is"):
        Camera(name)


def test_a_port_of_another_camera_is_not_given_twice_whatever_its_file_holds(tmp_path: Path) -> None:
    folder = tmp_path / "etc/trailcam/cameras"
    folder.mkdir(parents=True)
    (folder / "a.toml").write_text('[live]\naddress = "[::]:8080"\n', encoding="utf-8")
    (folder / "b.toml").write_text("not TOML [", encoding="utf-8")
    (folder / "c.toml").write_text("live = 3", encoding="utf-8")
    assert free_port(tmp_path, Camera("d")) == 8081
    assert free_port(tmp_path, Camera("a")) == 8080
