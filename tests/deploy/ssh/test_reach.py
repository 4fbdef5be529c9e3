"""A host is knocked at before anything is signed for it."""

import socket
from pathlib import Path

import pytest

from trailcam_core.network.ssh.master import SshSettings
from trailcam_deploy.ssh.reach import any_reachable


@pytest.fixture
def settings(tmp_path: Path) -> SshSettings:
    config = tmp_path / "config"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = free.getsockname()[1]
    config.write_text(
        f"Host dead\n HostName 127.0.0.1\n Port {dead}\nHost hidden\n HostName 192.0.2.1\n ProxyJump gate\n"
        "Host live\n HostName 127.0.0.1\n Port LIVE\n"
    )
    return SshSettings(config=config, connect_s=2.0)


def test_one_listening_host_is_enough(settings: SshSettings) -> None:
    assert settings.config is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = settings.config.read_text().replace("LIVE", str(server.getsockname()[1]))
        settings.config.write_text(text)
        assert any_reachable(["dead", "live"], settings)
    assert not any_reachable(["dead", "live"], settings)


def test_behind_another_host_only_a_login_can_tell(settings: SshSettings) -> None:
    assert settings.config is not None
    settings.config.write_text(settings.config.read_text().replace("LIVE", "22"))
    assert any_reachable(["dead", "hidden"], settings)
    assert not any_reachable(["dead"], settings)


def test_a_fault_of_the_configuration_is_left_to_the_login(settings: SshSettings) -> None:
    assert any_reachable(["dead"], settings)  # "Port LIVE" is no number
