"""Sinks of other packages: entry points of ``trailcam.sinks``.

    [sinks.plugin.lorawan]
    port = 3

The table ``[sinks.plugin.NAME]`` of the configuration opens the entry point NAME: a function of that table and of the
folder of the store, which returns a ``Sink``. It raises ``ConfigError`` for a table that it cannot use.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trailcam_core.errors import ConfigError
from trailcam_core.jobs.plugins import SINKS, find_plugins, load_plugin
from trailcam_edge.sinks.worker import Sink

_OWN = ("json_lines", "mqtt", "webhook")


def open_plugins(tables: Mapping[str, Any], folder: Path) -> list[Sink]:
    """Open the sink of every table.

    Args:
        tables: by the name of the entry point.
        folder: of the store.

    Raises:
        ConfigError: a name that no package has, or two have; or the sink refuses its table.
    """
    if not tables:
        return []
    known = find_plugins(SINKS, _OWN, ConfigError)
    opened: list[Sink] = []
    for name, table in tables.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise ConfigError(f"sinks.plugin.{name}: no installed package has such a sink; there are: {there}.")
        if not isinstance(table, dict):
            raise ConfigError(f"sinks.plugin.{name} is {table!r}, expected a table [sinks.plugin.{name}].")
        opened.append(load_plugin(known[name], ConfigError)(dict(table), folder))
    return opened
