"""The process that sends messages by Apprise: started again, ended when idle, loaded before the first message."""

from pathlib import Path
from typing import Any

import pytest

from trailcam_edge.sinks.notify.apprise_client import AppriseClient
from trailcam_edge.sinks.notify.picture import Attachments
from trailcam_edge.sinks.notify.settings import NotifySettings
from trailcam_edge.sinks.notify.sink import AppriseSender, NotifySink
from trailcam_edge.sinks.worker import SinkError


def test_a_sending_process_that_dies_is_started_again() -> None:
    client = AppriseClient(5.0, ("/bin/false",))
    with pytest.raises(SinkError, match="the sending process failed"):
        client.send("ntfy://h/t", "t", "b", Attachments(b"\xff" * 300_000))
    client.close()
    echo = AppriseClient(
        5.0, ("/bin/sh", "-c", 'echo "{}"; while read -r line; do echo "{\\"result\\": \\"sent\\"}"; done')
    )
    echo.send("ntfy://h/t", "t", "b", Attachments(b"\xff" * 300_000))
    echo.close()
    echo.send("ntfy://h/t", "t", "b", Attachments())
    echo.close()


def test_an_idle_process_is_ended_unless_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailcam_edge.sinks.notify.apprise_client._IDLE_S", 0.0)
    script = 'echo "{}"; while read -r line; do echo "{\\"result\\": \\"sent\\"}"; done'
    for keep in (False, True):
        client = AppriseClient(5.0, ("/bin/sh", "-c", script), keep)
        client.send("ntfy://h/t", "t", "b", Attachments())
        client.end_idle()
        assert (client._process is not None) is keep
        client.close()


class FakeClient:
    """Counts how often it was loaded."""

    def __init__(self) -> None:
        self.loaded = 0

    def load(self) -> None:
        self.loaded += 1

    def is_known(self, address: str) -> bool:
        return True

    def end_idle(self) -> None:
        """Do nothing."""


def test_apprise_is_loaded_once_while_the_votes_are_counted(tmp_path: Path) -> None:
    client: Any = FakeClient()
    settings = NotifySettings(addresses=("ntfy://h/t",), labels=("boar",))
    sink = NotifySink("phone", settings, AppriseSender(settings, settings.addresses, client), tmp_path)
    sink.refresh()
    assert not sink.expect("fox")  # no message of it is ever sent
    sink.refresh()
    assert client.loaded == 0
    assert sink.expect("boar")
    assert not sink.expect("boar")  # the next frame
    sink.refresh()
    sink.refresh()
    assert client.loaded == 1


def test_a_message_at_the_end_of_a_visit_loads_nothing_before(tmp_path: Path) -> None:
    settings = NotifySettings(addresses=("ntfy://h/t",), only_when="closed")
    client: Any = FakeClient()
    assert not NotifySink("phone", settings, AppriseSender(settings, settings.addresses, client), tmp_path).expect(
        "boar"
    )


def test_loading_starts_the_process_that_then_sends() -> None:
    script = 'echo "{}"; while read -r line; do echo "{\\"result\\": \\"sent\\"}"; done'
    client = AppriseClient(5.0, ("/bin/sh", "-c", script))
    client.load()
    process = client._process
    assert process is not None
    client.load()
    client.send("ntfy://h/t", "t", "b", Attachments())
    assert client._process is process
    client.close()
    broken = AppriseClient(5.0, ("/bin/false",))
    with pytest.raises(SinkError, match="the sending process failed"):
        broken.load()
