"""Status of this camera for other programs, from its live page if it runs, and from journal and store otherwise."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, ConfigError, DeviceError, UpdateError, reason_of
from trailcam_core.files.secret_file import read_secret
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.live.access import parse_address
from trailcam_edge.live.client import fetch_status
from trailcam_edge.store.open_database import DATABASE_FILE, folder_bytes
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.records import event_json, iso_time
from trailcam_edge.telemetry.health import health_json, read_health
from trailcam_edge.update.install.journal import Journal, read_journal
from trailcam_edge.update.install.updater import Updater

_log = logging.getLogger(__name__)
STATUS_SCHEMA = 1
_T = TypeVar("_T")


def camera_status(config: Config, version: str) -> dict[str, Any]:
    """Return the status of this camera; null where a value is not configured or cannot be read, which is logged.

    Keys: ``schema``; ``version`` of Trailcam; ``running``, True if the live page answers; ``alive``, True while frames
    arrive; ``paused``, True outside the hours of the schedule; ``bundle``, name and version of the active one;
    ``frame``, the last frame; ``last_frame``, its time, without a live page to a minute; ``update``, the journal;
    ``last_visit``, as ``trailcam events --json`` prints it; ``store``, its folder, number of visits and size;
    ``disk_free_bytes``, ``temperature_c`` and ``throttling`` of the machine.
    """
    live = _read_live(config)
    journal = _read_or_none(lambda: _read_journal(config))
    stored: dict[str, Any] | None = _read_or_none(lambda: _read_store(config))
    return {
        "schema": STATUS_SCHEMA,
        "version": version,
        "running": live is not None,
        "alive": None if live is None else live.get("alive"),
        "paused": None if live is None else live.get("paused"),
        "bundle": _read_bundle(config, journal) if live is None else live.get("bundle"),
        "frame": None if live is None else live.get("frame"),
        "update": None if journal is None else asdict(journal),
        **(stored or {"last_visit": None, "store": None, "last_frame": None}),
        **({} if live is None else {"last_frame": live.get("last_frame")}),
        **health_json(read_health(None if config.store is None else config.store.folder)),
    }


def _read_or_none(read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    except (ConfigError, DeviceError, UpdateError) as error:
        _log.warning("%s", error)
    except OSError as error:
        _log.warning("%s: cannot be read (%s).", error.filename or "a file", reason_of(error))
    return None


def _read_live(config: Config) -> dict[str, Any] | None:
    live = config.live
    if live is None:
        return None
    path = live.token_file
    token = None if path is None else _read_or_none(lambda: read_secret(path, "token"))
    return fetch_status(parse_address(live.address), token)


def _read_journal(config: Config) -> Journal | None:
    return None if config.update is None else read_journal(config.update.folder / "journal.json")


def _read_bundle(config: Config, journal: Journal | None) -> str | None:
    path: Path = config.model.bundle or BUILTIN_BUNDLE
    if config.model.bundle is None and config.update is not None and journal is not None:
        path = Updater(config.update).bundle_of(journal)
    try:
        manifest = open_bundle(path).manifest
    except (BundleError, OSError):
        return None
    return f"{manifest.name} {manifest.version}"


def _read_store(config: Config) -> dict[str, Any] | None:
    store = config.store
    if store is None or not (store.folder / DATABASE_FILE).is_file():
        return None
    with open_reader(store.folder) as reader:
        last = reader.last_event()
        visits = sum(reader.counts().values())
        watched = [watch.ended.unix_s for watch in reader.watches() if watch.ended.known]
    size_bytes = folder_bytes(store.folder)
    return {
        "last_visit": None if last is None else event_json(last),
        "last_frame": iso_time(max(filter(None, watched), default=None)),
        "store": {"folder": str(store.folder), "visits": visits, "bytes": size_bytes, "max_bytes": store.max_bytes},
    }
