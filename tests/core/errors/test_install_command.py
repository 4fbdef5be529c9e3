"""The command that adds an extra fits the way in which Trailcam was installed."""

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from trailcam_core.errors import install_command as module
from trailcam_core.errors.install_command import install_command


class _Installed:
    def __init__(self, record: object) -> None:
        self._record = record

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._record is None else json.dumps(self._record)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, ["trailcam[train,export]"]),
        (
            {"url": "file:///home/ann/my%20checkout", "dir_info": {"editable": True}},
            ["--editable", "/home/ann/my checkout[train,export]"],
        ),
        ({"url": "file:///home/ann/trailcam", "dir_info": {}}, ["/home/ann/trailcam[train,export]"]),
        (
            {"url": "file:///media/usb/trailcam-0.1.0-py3-none-any.whl", "archive_info": {}},
            ["trailcam[train,export] @ file:///media/usb/trailcam-0.1.0-py3-none-any.whl"],
        ),
        (
            {"url": "https://example.org/trailcam.git", "vcs_info": {"vcs": "git", "commit_id": "0ab1"}},
            ["trailcam[train,export] @ git+https://example.org/trailcam.git@0ab1"],
        ),
    ],
)
def test_the_command_installs_from_where_trailcam_came(
    record: object, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "distribution", lambda name: _Installed(record))
    assert shlex.split(install_command("train", "export")) == [sys.executable, "-m", "pip", "install", *expected]


def test_a_copy_that_pip_does_not_know_is_installed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> _Installed:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "distribution", unknown)
    assert install_command("mqtt").endswith("-m pip install 'trailcam[mqtt]'")
