"""Commands as root over a connection, against a real sshd on loopback."""

import subprocess
import threading
from collections.abc import Callable

import pytest

from trailcam_core.network.ssh.errors import HostError, OfflineError


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


def test_a_line_that_is_cut_during_a_step_is_offline(sshd) -> None:
    with sshd.connect() as connection:
        cut = threading.Timer(0.5, lambda: subprocess.run(["pkill", "-KILL", "-P", str(sshd.process.pid)]))
        cut.start()
        with pytest.raises(OfflineError):
            connection.run("sleep 20")
        cut.join()


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
