"""Files over a real connection: whole, or not there, and never sent twice."""

import os
from pathlib import Path

import pytest

from trailcam_core.network.ssh.errors import HostError
from trailcam_deploy.ssh.transfer import Upload, send_files


@pytest.fixture(autouse=True)
def free(program) -> None:
    program("sudo", '[ "$1" = -n ] && shift; exec "$@"')


def test_a_file_arrives_with_its_mode_and_nothing_beside_it(sshd, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    place = tmp_path / "there" / "deep" / "file"
    moved: list[int] = []
    with sshd.connect() as connection:
        assert send_files(connection, [Upload(content, str(place), 0o600)], moved.append) == 300_000
    assert place.read_bytes() == content
    assert place.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in place.parent.iterdir()] == ["file"]
    assert sum(moved) == 300_000


def test_an_attempt_that_was_cut_off_is_gone_on_with(sshd, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    (tmp_path / "file.part").write_bytes(content[:70_000])
    with sshd.connect() as connection:
        assert send_files(connection, [Upload(content, str(tmp_path / "file"))], lambda _: None) == 30_000
    assert (tmp_path / "file").read_bytes() == content


@pytest.mark.parametrize("left", [b"x" * 70_000, b"x" * 100_000, b"x" * 200_000])
def test_a_part_of_something_else_is_thrown_away(sshd, tmp_path: Path, left: bytes) -> None:
    content = os.urandom(100_000)
    (tmp_path / "file.part").write_bytes(left)
    with sshd.connect() as connection:
        send_files(connection, [Upload(content, str(tmp_path / "file"))], lambda _: None)
    assert (tmp_path / "file").read_bytes() == content


def test_many_files_go_in_one_stream_and_appear_in_their_order(sshd, tmp_path: Path) -> None:
    contents = [os.urandom(size) for size in (70_000, 0, 1, 131_072)]
    (tmp_path / "3.part").write_bytes(contents[3][:1000])
    with sshd.connect() as connection:
        uploads = [Upload(content, str(tmp_path / str(number))) for number, content in enumerate(contents)]
        assert send_files(connection, uploads, lambda _: None) == sum(map(len, contents)) - 1000
    assert [(tmp_path / str(number)).read_bytes() for number in range(4)] == contents
    times = [(tmp_path / str(number)).stat().st_ctime_ns for number in range(4)]
    assert times == sorted(times)


def test_after_a_damaged_file_nothing_appears_until_it_is_right(sshd, program, tmp_path: Path) -> None:
    # A disk that damages the first thing that is written to it, once.
    program(
        "head",
        f'/usr/bin/head "$@"; [ -e {tmp_path}/hurt ] || {{ touch {tmp_path}/hurt; echo x >> {tmp_path}/a.part; }}',
    )
    moved: list[int] = []
    with sshd.connect() as connection:
        uploads = [Upload(b"first" * 100, str(tmp_path / "a")), Upload(b"second", str(tmp_path / "b"))]
        assert send_files(connection, uploads, moved.append) > 506
    assert (tmp_path / "a").read_bytes() == b"first" * 100
    assert (tmp_path / "b").read_bytes() == b"second"
    assert sum(moved) == 506


def test_an_empty_file_is_a_file(sshd, tmp_path: Path) -> None:
    with sshd.connect() as connection:
        assert send_files(connection, [Upload(b"", str(tmp_path / "file"))], lambda _: None) == 0
    assert (tmp_path / "file").read_bytes() == b""


def test_the_old_file_stands_until_the_new_one_is_whole(sshd, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def pull_the_plug(_: int) -> None:
        raise ConnectionError

    with sshd.connect() as connection, pytest.raises(ConnectionError):
        send_files(connection, [Upload(os.urandom(500_000), str(tmp_path / "file"))], pull_the_plug)
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_full_disk_is_said_before_anything_is_sent(sshd, program, tmp_path: Path) -> None:
    program("df", "echo Filesystem; echo /dev/x 1000 900 100 90% /")
    with sshd.connect() as connection, pytest.raises(HostError, match="no space left"):
        send_files(connection, [Upload(b"x" * 1000, str(tmp_path / "file"))], lambda _: None)
    assert not (tmp_path / "file.part").exists()


def test_what_cannot_be_written_is_an_error_with_its_reason(sshd, tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    (tmp_path / "file.part").mkdir()
    with sshd.connect() as connection, pytest.raises(HostError):
        send_files(connection, [Upload(b"x", str(tmp_path / "file"))], lambda _: None)
