"""``trailcam update`` that root starts: it works as the owner of the folder's way, or not at all."""

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trailcam.main import main
from trailcam.process.privileges import become_owner
from trailcam_core.errors import UpdateError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
USER = pwd.getpwnam("nobody").pw_uid


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder of another user, with a folder of root's beside it; not below tmp_path, which root alone may enter."""
    with tempfile.TemporaryDirectory(prefix="trailcam-owner-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret").mkdir(mode=0o755)
        (folder / "state").mkdir()
        os.chown(folder / "state", USER, USER)
        yield folder / "state"


def owner_of(folder: Path) -> int:
    """Return the user as whom a process of root goes on."""
    child = os.fork()
    if child == 0:
        try:
            become_owner(folder)
            os._exit(0 if os.geteuid() == 0 else 7)
        except UpdateError:
            os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


ROOT, OTHER, REFUSED = 0, 7, 9


def test_the_first_folder_of_another_user_decides(state: Path) -> None:
    assert owner_of(state / "update") == OTHER
    (state / "update").mkdir()  # root's, and yet its user can exchange it
    assert owner_of(state / "update") == OTHER
    assert owner_of(state.parent / "secret") == ROOT
    assert owner_of(state.parent / "secret" / "deep" / "new") == ROOT


@pytest.mark.parametrize("name", ["update", "update/deep", "update/new/deep"])
@pytest.mark.parametrize("target", ["secret", "nowhere", "state"])
def test_a_link_on_the_way_is_refused(state: Path, name: str, target: str) -> None:
    (state / "update").symlink_to(state.parent / target)
    assert owner_of(state / name) == REFUSED
    (state.parent / "linked").symlink_to(state)
    assert owner_of(state.parent / "linked" / "other") == REFUSED


def test_a_folder_that_everybody_may_write_is_refused_but_for_what_is_there(state: Path) -> None:
    shared = state.parent / "secret"
    shared.chmod(0o777)
    assert owner_of(shared / "update") == REFUSED
    shared.chmod(0o1777)
    assert owner_of(shared / "update") == REFUSED
    (shared / "update").mkdir()
    assert owner_of(shared / "update") == ROOT


def test_the_command_writes_nothing_through_a_link(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "update").symlink_to(state.parent / "secret")
    assert main(["update", str(state), "--channel", "meadow", "--folder", str(state / "update")]) == 1
    assert f"{state / 'update'}: is a link" in capsys.readouterr().err
    assert list((state.parent / "secret").iterdir()) == []


def test_folders_of_the_service_and_of_releases_are_no_ones_to_write_with_any_umask(tmp_path: Path) -> None:
    """The commands run in a process of their own: pytest keeps its umask."""
    code = (
        "import os, sys; os.umask(0); from trailcam.main import main\n"
        "(main(['service', 'install', '--root', 'disk', '--program', '/opt/trailcam/bin/trailcam']) == 0\n"
        " and main(['release', 'init', '--passphrase-file', 'word']) == 0) or sys.exit(1)\n"
        "from trailcam_edge.update.fetch.rollback_floor import Floor, write_floor; from pathlib import Path\n"
        "os.umask(0); write_floor(Path('camera/update'), Floor())\n"
    )
    (tmp_path / "word").write_text("correct horse battery staple\n")
    (tmp_path / "word").chmod(0o600)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    made = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert {"systemd", "trailcam", "release", "metadata", "update"} <= {path.name for path in made}
    assert [str(path) for path in tmp_path.rglob("*") if path.stat().st_mode & 0o022] == []
