"""Connections, against a real sshd on loopback."""

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
from trailcam_deploy.ssh.connection import Connection, SshSettings
from trailcam_deploy.ssh.errors import HostError, OfflineError, explain


@pytest.fixture(autouse=True)
def free(request: pytest.FixtureRequest) -> None:
    """Who runs the tests is not always root: a sudo that needs no password, as a Raspberry Pi's first user has."""
    if "sshd" in request.fixturenames:
        request.getfixturevalue("program")("sudo", '[ "$1" = -n ] && shift; exec "$@"')


def test_a_script_gets_its_words_and_its_output_comes_back(sshd) -> None:
    with sshd.connect() as connection:
        assert connection.run('printf "%s|" "$@"', "one", "two  'three'", "$(id)") == "one|two  'three'|$(id)|"


def test_no_process_list_shows_a_script(sshd) -> None:
    with sshd.connect() as connection:
        shown = connection.run("secret=hunter2; ps -eww -o args 2>/dev/null || cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "sh -eu -s" in shown
    assert "hunter2" not in shown


def test_a_program_that_reads_its_input_does_not_eat_the_rest_of_the_script(sshd) -> None:
    with sshd.connect() as connection:
        assert connection.run("cat; echo still here") == "still here\n"


def test_a_failing_step_ends_the_script_and_its_last_words_are_the_error(sshd) -> None:
    with sshd.connect() as connection, pytest.raises(HostError, match="no such thing") as raised:
        connection.run("echo 'no such thing' >&2; false; echo never")
    assert not isinstance(raised.value, OfflineError)


def test_an_unknown_host_key_is_refused_whatever_the_configuration_says(sshd) -> None:
    sshd.known_hosts.write_text("")
    with pytest.raises(HostError, match=r"host key is not known here.*compare the fingerprint"):
        sshd.connect()
    assert sshd.known_hosts.read_text() == ""


def test_a_changed_host_key_is_refused_with_how_to_go_on(sshd) -> None:
    other = sshd.folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {(sshd.folder / 'other.pub').read_text()}")
    with pytest.raises(HostError, match=r"another one than before.*ssh-keygen -R localhost"):
        sshd.connect()


def test_a_refused_login_says_so(sshd) -> None:
    (sshd.folder / "user_key.pub").write_text("")
    with pytest.raises(HostError, match=r"refuses the login.*ssh-copy-id") as raised:
        sshd.connect()
    assert not isinstance(raised.value, OfflineError)


def test_a_dead_host_is_offline(sshd) -> None:
    sshd.process.terminate()
    sshd.process.wait()
    with pytest.raises(OfflineError, match="no answer"):
        sshd.connect()


def test_a_host_that_accepts_and_is_silent_is_offline(sshd, tmp_path: Path) -> None:
    sshd.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(OfflineError):
            Connection(sshd.destination, SshSettings(config=sshd.folder / "config", connect_s=1))
    finally:
        sshd.process.send_signal(signal.SIGCONT)


def test_a_line_that_is_cut_during_a_step_is_offline(sshd) -> None:
    with sshd.connect() as connection:
        cut = threading.Timer(0.5, lambda: subprocess.run(["pkill", "-KILL", "-P", str(sshd.process.pid)]))
        cut.start()
        with pytest.raises(OfflineError):
            connection.run("sleep 20")
        cut.join()


def test_hanging_up_ends_a_step_at_once(sshd) -> None:
    with sshd.connect() as connection:
        threading.Timer(0.5, connection.hang_up).start()
        started_s = time.monotonic()
        with pytest.raises(OfflineError):
            connection.run("sleep 60")
        assert time.monotonic() - started_s < 50


def test_two_operators_cannot_work_on_one_device(sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailcam_deploy.ssh.connection._LOCK", str(tmp_path / "lock"))
    with sshd.connect(lock=True):
        with pytest.raises(HostError, match="another operator"):
            sshd.connect(lock=True)
        sshd.connect(lock=False).close()
    deadline = time.monotonic() + 10
    while True:  # the server takes a moment to see that the first has gone
        try:
            sshd.connect(lock=True).close()
            break
        except HostError:
            assert time.monotonic() < deadline


def test_a_jump_host_of_the_configuration_is_gone_through(sshd, program: Callable[[str, str], None]) -> None:
    (sshd.folder / "jumped").write_text("")
    proxy = f"sh -c 'echo through >> {sshd.folder}/jumped; exec ssh -F {sshd.folder}/config -W %h:%p jump'"
    config = (sshd.folder / "config").read_text()
    strict = config.replace("StrictHostKeyChecking no", "StrictHostKeyChecking yes")
    (sshd.folder / "config").write_text(f"Host camera\n  ProxyCommand {proxy}\n{strict}")
    with Connection("camera", sshd.settings, lock=False) as connection:
        assert connection.run("echo here") == "here\n"
    assert (sshd.folder / "jumped").read_text() == "through\n"


def test_commands_go_through_one_connection(sshd) -> None:
    with sshd.connect() as connection:
        for _ in range(5):
            connection.run("true")
    assert (sshd.folder / "log").read_text().count("Accepted publickey") == 1


def test_closing_ends_every_process_on_this_side(sshd) -> None:
    connection = sshd.connect()
    folder = connection._folder
    assert _processes_with(str(folder))
    connection.close()
    assert not _processes_with(str(folder))
    assert not folder.exists()


def test_a_killed_deployment_leaves_no_connection_behind(sshd) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trailcam_deploy.ssh.connection import *\n"
        f"c = Connection({sshd.destination!r}, SshSettings(config=Path({str(sshd.folder / 'config')!r})), lock=False)\n"
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


def test_sudo_with_a_password_gets_it_on_its_input_and_nowhere_else(sshd, program: Callable[[str, str], None]) -> None:
    program("id", "echo 1000")
    program(
        "sudo",
        f'echo "$@" >> {sshd.folder}/asked\n[ "$1" = -n ] && exit 1\n'
        '[ "$*" = "-k -S -p  sh -eu -s --" ] || [ "$1" = -k ] || exit 1\n'
        "word=$(python3 -c \"import os\nline = b''\nwhile not line.endswith(b'\\n'): line += os.read(0, 1)\n"
        'print(line.decode().strip())")\n[ "$word" = "pass word" ] || { echo "Sorry, try again." >&2; exit 1; }\n'
        'shift 4; exec "$@"',
    )
    with sshd.connect(ask_password=lambda: "pass word") as connection:
        assert connection.run("echo done") == "done\n"
    assert "pass word" not in (sshd.folder / "asked").read_text()
    with sshd.connect(ask_password=lambda: "wrong") as connection, pytest.raises(HostError, match="Sorry"):
        connection.run("echo done")
    with sshd.connect() as connection, pytest.raises(HostError, match="may not become root without a password"):
        connection.run("echo done")


@pytest.mark.parametrize("destination", ["-oProxyCommand=evil", "pi@host; reboot", "", "a b"])
def test_a_destination_that_is_none_is_refused_before_ssh_sees_it(destination: str) -> None:
    with pytest.raises(DeployError, match="expected user@host"):
        Connection(destination, SshSettings())


def test_options_of_a_person_cannot_turn_off_what_is_fixed() -> None:
    words = SshSettings(options=("StrictHostKeyChecking=no", "Port=2222")).command()
    options = [word for flag, word in itertools.pairwise(words) if flag == "-o"]
    assert options.index("StrictHostKeyChecking=yes") < options.index("StrictHostKeyChecking=no")  # ssh takes the first
    assert "Port=2222" in options


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("ssh: Could not resolve hostname oak: Name or service not known", OfflineError, "no answer"),
        ("ssh: connect to host 10.0.0.7 port 22: No route to host", OfflineError, "No route"),
        ("", OfflineError, "the connection was lost"),
        ("pi@oak: Permission denied (publickey,password).", HostError, "refuses the login"),
        ("No ED25519 host key is known for oak and you have requested strict checking.", HostError, "not known here"),
    ],
)
def test_what_ssh_says_becomes_one_line_with_a_next_step(said: str, kind: type, words: str) -> None:
    error = explain(said, "pi@oak")
    assert type(error) is kind
    assert words in str(error)


def _processes_with(text: str) -> list[str]:
    shown = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if text in line and shlex.quote(str(os.getpid())) != line.split()[0]]
