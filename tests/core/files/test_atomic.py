"""Files and folders appear whole or not at all."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trailcam_core.files.atomic import STAGING_PREFIX, remove_staging, staged_directory, sync_directory, write_file


def _full(*arguments: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _on_folders(number: int) -> Callable[[int], None]:
    """Return an ``fsync`` that answers this errno for folders."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, os.strerror(number))
        real(descriptor)

    return fsync


def _entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written_bytes_and_mode_are_as_asked(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"\0\xff", mode=0o600)
    assert (tmp_path / "a").read_bytes() == b"\0\xff"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert _entries(tmp_path) == ["a"]


def test_an_older_file_is_replaced_under_its_readers(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with open(path, "rb") as reader:
        write_file(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/null")
    for name in ("pipe", "device"):
        with pytest.raises(OSError, match="a device or pipe, expected the name of a file"):
            write_file(tmp_path / name, b"new")
    with pytest.raises(IsADirectoryError, match="a folder, expected"):
        write_file(tmp_path, b"new")
    with pytest.raises(FileNotFoundError) as missing:
        write_file(tmp_path / "none" / "a", b"new")
    assert missing.value.filename == str(tmp_path / "none")
    assert _entries(tmp_path) == ["device", "pipe"]


def test_the_standard_streams_are_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("it would be gone for all programs"))
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: pytest.fail("nothing is written there"))
    for name in ("/dev/stdout", "/dev/null", "/dev/fd/1", "/dev/none"):
        with pytest.raises(OSError, match="a device or pipe"):
            write_file(Path(name), b"new")


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("target")
    write_file(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_a_full_disk_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, call, _full)
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert _entries(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_disk_without_modes_takes_public_files_and_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fchmod", refuse)
    monkeypatch.setattr(Path, "chmod", refuse)
    write_file(tmp_path / "a", b"public")
    with staged_directory(tmp_path / "one") as staging:
        (staging / "file").write_bytes(b"x")
    with pytest.raises(OSError, match=os.strerror(number)):
        write_file(tmp_path / "key", b"secret", 0o600)
    assert _entries(tmp_path) == ["a", "one"]


def test_a_disk_that_cannot_flush_folders_takes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _on_folders(errno.EINVAL))
    write_file(tmp_path / "a", b"whole")
    with staged_directory(tmp_path / "one") as staging:
        (staging / "file").write_bytes(b"x")
    assert _entries(tmp_path) == ["a", "one"]


def test_a_folder_whose_flush_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _on_folders(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        write_file(tmp_path / "a", b"new")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_write_that_fails_for_real_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen

    def fdopen_full(descriptor: int, mode: str) -> object:
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
        return real(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", fdopen_full)
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "a", bytes(1_000_000))
    assert _entries(tmp_path) == []


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    code = (
        "import os, sys; from pathlib import Path; from trailcam_core.files.atomic import write_file; "
        "os.fsync = lambda descriptor: os._exit(9); write_file(Path(sys.argv[1]) / 'a', b'new')"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [name.startswith(STAGING_PREFIX) for name in _entries(tmp_path)] == [True, False]


def test_a_missing_folder_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "none" / "a", b"")
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "none")


def test_a_folder_appears_only_when_it_is_filled(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "one"
    with staged_directory(target) as staging:
        (staging / "sub").mkdir()
        (staging / "sub" / "file").write_bytes(b"x")
        assert not target.exists()
        assert staging.parent == target.parent
    assert (target / "sub" / "file").read_bytes() == b"x"
    assert target.stat().st_mode & 0o777 == 0o755
    assert _entries(target.parent) == ["one"]


def test_every_file_and_folder_is_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[tuple[str, bool]] = []
    real = os.fsync
    target = tmp_path / "one"

    def fsync(descriptor: int) -> None:
        flushed.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, target.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with staged_directory(target) as staging:
        (staging / "sub").mkdir()
        (staging / "sub" / "file").write_bytes(b"x")
    assert {("file", False), ("sub", False), (tmp_path.name, True)} <= set(flushed)
    assert flushed[-1] == (tmp_path.name, True)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_folder_that_fails_is_removed(tmp_path: Path, error: type[BaseException]) -> None:
    def fill() -> None:
        with staged_directory(tmp_path / "one") as staging:
            (staging / "file").write_bytes(b"x")
            raise error

    with pytest.raises(error):
        fill()
    assert _entries(tmp_path) == []


def test_a_disk_that_fills_up_at_the_end_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _full)

    def fill() -> None:
        with staged_directory(tmp_path / "one") as staging:
            (staging / "file").write_bytes(b"x")

    with pytest.raises(OSError, match="No space left"):
        fill()
    assert _entries(tmp_path) == []


@pytest.mark.parametrize("what", ["file", "folder", "dangling link"])
def test_what_stands_there_already_is_never_replaced(tmp_path: Path, what: str) -> None:
    target = tmp_path / "one"
    if what == "file":
        target.write_bytes(b"precious")
    elif what == "folder":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    before = _entries(tmp_path)

    def fill() -> None:
        with staged_directory(target):
            pytest.fail("the block ran")

    with pytest.raises(FileExistsError, match="exists already"):
        fill()
    assert _entries(tmp_path) == before


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / f"{STAGING_PREFIX}a").mkdir()
    (tmp_path / f"{STAGING_PREFIX}a" / "half").write_bytes(b"x")
    (tmp_path / f"{STAGING_PREFIX}b").write_bytes(b"x")
    (tmp_path / f"{STAGING_PREFIX}c").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()

    remove_staging(tmp_path)
    remove_staging(tmp_path / "nowhere")

    assert _entries(tmp_path) == ["kept"]


def test_an_error_names_the_path_of_the_user_and_no_staging_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path, named in ((tmp_path / "gone" / "a", tmp_path / "gone"), (tmp_path / "folder", tmp_path / "folder")):
        with pytest.raises((FileNotFoundError, IsADirectoryError)) as caught:
            write_file(path, b"x")
        assert caught.value.filename == str(named)
        assert STAGING_PREFIX not in str(caught.value)
    assert _entries(tmp_path) == ["folder"]
