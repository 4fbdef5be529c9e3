"""The master connection, against a real sshd on loopback."""

import itertools
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trailcam_core.errors import DeployError
from trailcam_core.network.ssh.errors import HostError, OfflineError, explain
from trailcam_core.network.ssh.master import SshMaster, SshSettings


def test_an_unknown_host_key_is_refused_whatever_the_configuration_says(sshd) -> None:
    sshd.known_hosts.write_text("")
    with pytest.raises(HostError, match=r"host key is not known here.*compare the fingerprint"):
        sshd.open_master()
    assert sshd.known_hosts.read_text() == ""


def test_a_changed_host_key_is_refused_with_how_to_go_on(sshd) -> None:
    other = sshd.folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {(sshd.folder / 'other.pub').read_text()}")
    with pytest.raises(HostError, match=r"its host key has changed.*ssh-keygen -R localhost"):
        sshd.open_master()


def test_a_refused_login_says_so(sshd) -> None:
    (sshd.folder / "user_key.pub").write_text("")
    with pytest.raises(HostError, match=r"refuses the login.*ssh-copy-id") as raised:
        sshd.open_master()
    assert not isinstance(raised.value, OfflineError)


def test_a_dead_host_is_offline(sshd) -> None:
    sshd.process.terminate()
    sshd.process.wait()
    with pytest.raises(OfflineError, match="no answer"):
        sshd.open_master()


def test_a_host_that_accepts_and_is_silent_is_offline(sshd, tmp_path: Path) -> None:
    sshd.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(OfflineError):
            SshMaster(sshd.destination, SshSettings(config=sshd.folder / "config", connect_s=1))
    finally:
        sshd.process.send_signal(signal.SIGCONT)


def test_disconnecting_ends_a_command_at_once(sshd) -> None:
    with sshd.open_master() as connection:
        threading.Timer(0.5, connection.disconnect).start()
        started_s = time.monotonic()
        with pytest.raises(OfflineError):
            connection.execute("sleep 60")
        assert time.monotonic() - started_s < 50


def test_two_operators_cannot_work_on_one_device(sshd, tmp_path: Path) -> None:
    lock = str(tmp_path / "lock")
    with sshd.open_master(lock):
        with pytest.raises(HostError, match="another operator"):
            sshd.open_master(lock)
        sshd.open_master().close()
    deadline = time.monotonic() + 10
    while True:  # the server takes a moment to see that the first has gone
        try:
            sshd.open_master(lock).close()
            break
        except HostError:
            assert time.monotonic() < deadline


def test_a_jump_host_of_the_configuration_is_gone_through(sshd, program: Callable[[str, str], None]) -> None:
    (sshd.folder / "jumped").write_text("")
    proxy = f"sh -c 'echo through >> {sshd.folder}/jumped; exec ssh -F {sshd.folder}/config -W %h:%p jump'"
    config = (sshd.folder / "config").read_text()
    strict = config.replace("StrictHostKeyChecking no", "StrictHostKeyChecking yes")
    (sshd.folder / "config").write_text(f"Host camera\n  ProxyCommand {proxy}\n{strict}")
    with SshMaster("camera", sshd.settings) as connection:
        assert connection.execute("echo here").stdout == "here\n"
    assert (sshd.folder / "jumped").read_text() == "through\n"


def test_commands_go_through_one_connection(sshd) -> None:
    with sshd.open_master() as connection:
        for _ in range(5):
            connection.execute("true")
    assert (sshd.folder / "log").read_text().count("Accepted publickey") == 1


def test_closing_ends_every_local_process(sshd) -> None:
    connection = sshd.open_master()
    folder = connection._folder
    assert _processes_with(str(folder))
    connection.close()
    assert not _processes_with(str(folder))
    assert not folder.exists()


def test_a_killed_deployment_leaves_no_connection_behind(sshd) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trailcam_core.network.ssh.master import *\n"
        f"c = SshMaster({sshd.destination!r}, SshSettings(config=Path({str(sshd.folder / 'config')!r})))\n"
        "print(c._folder, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = process.stdout.readline().strip()
        assert _processes_with(folder)
        process.kill()
    deadline = time.monotonic() + 10
    while _processes_with(folder):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("destination", ["-oProxyCommand=evil", "pi@host; reboot", "", "a b"])
def test_a_destination_that_is_none_is_refused_before_ssh_sees_it(destination: str) -> None:
    with pytest.raises(DeployError, match="expected user@host"):
        SshMaster(destination, SshSettings())


def test_options_of_the_user_cannot_turn_off_what_is_fixed() -> None:
    words = SshSettings(options=("StrictHostKeyChecking=no", "Port=2222")).command()
    options = [word for flag, word in itertools.pairwise(words) if flag == "-o"]
    assert options.index("StrictHostKeyChecking=yes") < options.index("StrictHostKeyChecking=no")  # ssh takes the first
    assert "Port=2222" in options


@pytest.mark.parametrize(
    ("stderr", "kind", "words"),
    [
        ("ssh: Could not resolve hostname oak: Name or service not known", OfflineError, "no answer"),
        ("ssh: connect to host 10.0.0.7 port 22: No route to host", OfflineError, "No route"),
        ("", OfflineError, "the connection was lost"),
        ("pi@oak: Permission denied (publickey,password).", HostError, "refuses the login"),
        ("No ED25519 host key is known for oak and you have requested strict checking.", HostError, "not known here"),
    ],
)
def test_an_error_of_ssh_becomes_one_line_with_a_next_step(stderr: str, kind: type, words: str) -> None:
    error = explain(stderr, "pi@oak")
    assert type(error) is kind
    assert words in str(error)


def _processes_with(text: str) -> list[str]:
    shown = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if text in line and shlex.quote(str(os.getpid())) != line.split()[0]]
