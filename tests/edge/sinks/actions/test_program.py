"""Programs that end well, fail, hang, are missing, read nothing, or write for ever."""

import json
import os
import pwd
import time
from pathlib import Path

import pytest

from trailcam_edge.sinks.actions.program import Limits, run_program

LIMITS = Limits(timeout_s=20.0, max_memory_mb=512)


def shell(script: str, stdin: bytes = b"{}", limits: Limits = LIMITS) -> str | None:
    return run_program(("/bin/sh", "-c", script), stdin, limits)


def test_a_program_gets_the_event_and_only_a_plain_environment(tmp_path: Path) -> None:
    path = tmp_path / "got"
    os.environ["NOTIFY_SOCKET"] = "/run/x"
    try:
        assert shell(f"cat > {path}; pwd >> {path}; env >> {path}", json.dumps({"label": "лось"}).encode()) is None
    finally:
        del os.environ["NOTIFY_SOCKET"]
    event, folder, *environment = path.read_text().replace("}/", "}\n/").splitlines()
    assert json.loads(event) == {"label": "лось"}
    assert folder == "/"
    assert {line.split("=")[0] for line in environment} == {"PATH", "LANG", "PWD"}


def test_no_shell_looks_at_the_arguments(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    assert run_program(("/bin/echo", f"; touch {victim}", f"$(touch {victim})"), b"", LIMITS) is None
    assert not victim.exists()


def test_a_program_that_fails_says_why_in_a_bounded_line() -> None:
    assert shell("echo no lamp >&2; exit 3") == "ended with 3: no lamp"
    assert shell("kill -SEGV $$") == "ended by SIGSEGV"
    found = shell("head -c 4000 /dev/zero | tr '\\0' x; exit 1")
    assert found is not None
    assert len(found) < 250


@pytest.mark.parametrize("path", ["/no/such/program", "/etc/passwd", "/"])
def test_a_program_that_is_not_there_is_reported(path: str) -> None:
    found = run_program((path,), b"", LIMITS)
    assert found is not None
    assert found.startswith("cannot be started (")


def test_a_program_that_never_ends_is_killed_with_its_children(tmp_path: Path) -> None:
    path = tmp_path / "child"
    found = shell(f"sleep 600 & echo $! > {path}; wait", limits=Limits(1.0, 512))
    assert found == "did not end within 1 s and was killed"
    _wait_until_gone(int(path.read_text()))


def test_a_child_that_is_left_behind_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "child"
    assert shell(f"sleep 600 >/dev/null 2>&1 & echo $! > {path}") is None
    _wait_until_gone(int(path.read_text()))


def test_a_gigabyte_of_output_is_not_kept_and_does_not_take_the_time_limit() -> None:
    found = shell("head -c 1000000000 /dev/zero; exit 0")
    assert found is None or found.startswith("ended")
    assert shell("exec yes") == "ended by SIGPIPE: " + " ".join(["y"] * 100)


def test_output_that_nobody_reads_ends_with_the_time_limit() -> None:
    found = shell("trap '' PIPE; while :; do echo x 2>/dev/null; done", limits=Limits(1.0, 512))
    assert found == "did not end within 1 s and was killed"


def test_a_program_that_reads_nothing_is_no_error() -> None:
    assert run_program(("/bin/true",), b"x" * 60_000, LIMITS) is None


def test_memory_is_limited() -> None:
    found = shell("x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}", limits=Limits(20.0, 64))
    assert found is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the user")
def test_another_user_has_no_groups_of_the_camera() -> None:
    found = shell("id -un; id -G; exit 1", limits=Limits(10.0, 512, "nobody"))
    assert found == f"ended with 1: nobody {pwd.getpwnam('nobody').pw_gid}"


def test_a_user_that_is_unknown_is_reported() -> None:
    found = run_program(("/bin/true",), b"", Limits(5.0, 512, "no_such_user"))
    assert found is not None
    assert "cannot be started" in found


def _wait_until_gone(pid: int) -> None:
    end_s = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < end_s, "the child is still there"
        time.sleep(0.02)
