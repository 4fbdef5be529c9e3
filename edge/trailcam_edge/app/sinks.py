"""Open the sinks, notifications and actions of a configuration."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trailcam_core.errors import ConfigError
from trailcam_core.errors.install_command import install_command
from trailcam_core.files.secret_file import read_secret
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.events import CLOSED
from trailcam_edge.sinks.actions.sink import ActionSink
from trailcam_edge.sinks.http_post import HttpPost
from trailcam_edge.sinks.json_lines import JsonLinesSink
from trailcam_edge.sinks.mqtt_facts import StoreFacts
from trailcam_edge.sinks.notify.apprise_client import AppriseClient
from trailcam_edge.sinks.notify.settings import NotifySettings
from trailcam_edge.sinks.notify.sink import AppriseSender, FormSender, NotifySink, Sender
from trailcam_edge.sinks.plugins import open_plugins
from trailcam_edge.sinks.settings import MqttSettings
from trailcam_edge.sinks.webhook import WebhookSink
from trailcam_edge.sinks.worker import Sink
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.queue.live_queue import LiveQueue


@dataclass(frozen=True)
class OpenedSink:
    """A sink, the kinds of events that it takes, and what its worker calls now and then.

    ``subscribe`` takes the function that wakes the worker. ``expect`` is called with the label of a frame; if it
    returns True, the worker is to be woken.
    """

    sink: Sink
    kinds: tuple[str, ...]
    refresh: Callable[[], None] | None = None
    subscribe: Callable[[Callable[[], None]], None] | None = None
    expect: Callable[[str], bool] | None = None


@dataclass(frozen=True)
class SinkParts:
    """Parts of the device that sinks need.

    Args:
        version: of Trailcam.
        store: returns the store, None while there is none.
        status: returns the summary of the camera.
    """

    version: str
    store: Callable[[], EventStore | None]
    status: Callable[[], dict[str, Any]]

    def queue(self) -> LiveQueue | None:
        """Return the queue of the store, None while there is none."""
        store = self.store()
        return None if store is None else store.queue


def open_sinks(config: Config, parts: SinkParts) -> list[OpenedSink]:
    """Return all sinks, open; ``config`` has a store.

    Raises:
        ConfigError: a token or address that cannot be used, or a package that is not installed.
    """
    if config.store is None:
        return []
    opened: list[OpenedSink] = []
    sinks, folder = config.sinks, config.store.folder
    if sinks.json_lines is not None:
        opened.append(OpenedSink(JsonLinesSink(sinks.json_lines), sinks.json_lines.events))
    if sinks.webhook is not None:
        hook = WebhookSink(sinks.webhook, _read_optional(sinks.webhook.token_file, "token"))
        opened.append(OpenedSink(hook, sinks.webhook.events))
    for name, settings in config.notify.items():
        notify = NotifySink(name, settings, _open_sender(name, settings), folder)
        opened.append(OpenedSink(notify, (settings.only_when,), notify.refresh, expect=notify.expect))
    for name, action in config.actions.items():
        opened.append(OpenedSink(ActionSink(name, action, config.visits.cool_down_s), (action.only_when,)))
    opened += [OpenedSink(sink, (CLOSED,)) for sink in open_plugins(sinks.plugin, folder)]
    if sinks.mqtt is not None:  # last, as it connects at once
        opened.append(_open_mqtt(sinks.mqtt, folder, parts))
    return opened


def _open_mqtt(settings: MqttSettings, folder: Path, parts: SinkParts) -> OpenedSink:
    from trailcam_edge.sinks.mqtt import MqttSink  # paho-mqtt is an extra

    password = _read_optional(settings.password_file, "password")
    facts = StoreFacts(parts.queue, parts.status)
    sink = MqttSink(settings, folder, parts.version, password, facts=facts)
    return OpenedSink(sink, settings.events, sink.refresh, sink.subscribe)


def _open_sender(name: str, settings: NotifySettings) -> Sender:
    if settings.url is not None:
        token = _read_optional(settings.token_file, "token")
        return FormSender(settings, HttpPost(settings.url, settings.timeout_s, token))
    if importlib.util.find_spec("apprise") is None:
        raise ConfigError(f"[notify.{name}] needs Apprise, which is not installed: {install_command('notify')}")
    return AppriseSender(
        settings, settings.read_addresses(), AppriseClient(settings.timeout_s, keep=settings.keep_loaded)
    )


def _read_optional(path: Path | None, what: str) -> str | None:
    return None if path is None else read_secret(path, what)
