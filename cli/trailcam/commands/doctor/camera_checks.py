"""Checks of the camera that is configured: file, service, store, disk, releases."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from trailcam import __version__
from trailcam.commands.doctor.checks import Check
from trailcam_core.errors import ConfigError
from trailcam_edge.app.status import camera_status
from trailcam_edge.config.camera_toml import Config, read_config

_SERVICE = "trailcam.service"
_FREE_BYTES = 200e6
_CONNECT_S = 5.0
_HTTPS_PORT = 443


def check_camera(config_path: Path | None, online: bool) -> Iterator[Check]:
    """Yield the checks of a configured camera; one line where there is no configuration."""
    if config_path is None:
        cure = '"trailcam service install" writes a configuration and starts the camera at power-on.'
        yield Check("configuration", "info", "none: this machine is not set up as a camera", cure)
        return
    try:
        config = read_config(config_path)
    except (ConfigError, OSError) as error:
        yield Check("configuration", "fault", str(error), "Correct that line; the running camera is not affected.")
        return
    yield Check("configuration", "ok", str(config_path))
    yield _check_service()
    yield from _check_status(config)
    yield from _check_folder(config)
    if online and config.update is not None and config.update.source is not None:
        yield check_host(config.update.source)


def _check_service() -> Check:
    if shutil.which("systemctl") is None:
        return Check("service", "info", "no systemd on this machine")
    try:
        asked = subprocess.run(
            ["systemctl", "is-active", _SERVICE], capture_output=True, timeout=_CONNECT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = "gave no answer" if isinstance(error, subprocess.SubprocessError) else f"cannot be run: {error.strerror}"
        return Check("service", "warning", f"unknown: systemctl {why}", 'Run "systemctl status trailcam" yourself.')
    words = asked.stdout.decode("ascii", "replace").strip()
    state = words if words.isalpha() and len(words) < 20 else "unknown"
    if state == "active":
        return Check("service", "ok", state)
    return Check("service", "warning", state, f'"systemctl status {_SERVICE}" and "journalctl -u {_SERVICE}" show why.')


def _check_status(config: Config) -> Iterator[Check]:
    status = camera_status(config, __version__)
    if status["alive"] is False:
        cure = "The program runs and gets no frames: check cable and source, then the journal."
        yield Check("frames", "fault", "no frames arrive", cure)
    elif status["running"]:
        yield Check("frames", "ok", f"{status['frame']['rate_hz']:.1f} frames/s" if status["frame"] else "starting")
    yield Check("active bundle", "info", status["bundle"] or "unknown")
    store = status["store"]
    if store is not None:
        size = f"{store['bytes'] / 1e6:.0f} of {store['max_bytes'] / 1e6:.0f} MB"
        yield Check("store", "ok", f"{store['visits']} visits, {size} in {store['folder']}")
    elif config.store is not None:
        yield Check("store", "info", f"{config.store.folder} has no readable database yet")


def _check_folder(config: Config) -> Iterator[Check]:
    folder = config.store.folder if config.store is not None else None
    while folder is not None and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if folder is None:
        return
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e6:,.0f} MB free below {folder}"
    if free < _FREE_BYTES:
        yield Check("disk", "warning", text, "Lower max_bytes in [store], or use a larger card.")
    else:
        yield Check("disk", "ok", text)


def check_host(source: str) -> Check:
    """Connect to the host of the releases, or check that their folder exists."""
    if source.startswith("/"):
        if Path(source).is_dir():
            return Check("releases", "ok", source)
        return Check("releases", "warning", f"{source}: no such folder", "Mount it, or correct source in [update].")
    address = urlsplit(source)
    host, port = address.hostname or "", address.port or _HTTPS_PORT
    try:
        socket.create_connection((host, port), timeout=_CONNECT_S).close()
    except OSError as error:
        cure = "Check network and DNS; a camera without them takes releases over SSH or from a USB stick."
        return Check("releases", "warning", f"{host}:{port} cannot be reached: {error.strerror or error}", cure)
    return Check("releases", "ok", f"{host}:{port} answers")
