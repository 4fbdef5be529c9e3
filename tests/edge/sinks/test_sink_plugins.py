"""Sinks of other packages, as entry points of packages that are not installed."""

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from trailcam_core.errors import ConfigError
from trailcam_core.jobs.plugins import SINKS
from trailcam_edge.sinks.plugins import open_plugins


def open_sink(table: dict[str, Any], folder: Path) -> Any:
    return type("Sink", (), {"name": f"{folder.name} {table['port']}"})()


def test_a_sink_gets_its_table_and_the_folder_of_the_store(install_plugin: Any, tmp_path: Path) -> None:
    install_plugin(SINKS, "lorawan", f"{__name__}:open_sink")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EntryPoint, "load", lambda self: open_sink)
        (sink,) = open_plugins({"lorawan": {"port": 3}}, tmp_path / "store")

    assert sink.name == "store 3"


@pytest.mark.parametrize(
    ("tables", "message"),
    [({"radio": {}}, "no installed package has such a sink; there are: lorawan"), ({"lorawan": 3}, "expected a table")],
)
def test_an_unknown_sink_and_one_without_a_table_are_refused(
    tables: dict[str, Any], message: str, install_plugin: Any, tmp_path: Path
) -> None:
    install_plugin(SINKS, "lorawan", f"{__name__}:open_sink")

    with pytest.raises(ConfigError, match=message):
        open_plugins(tables, tmp_path)
