"""Parts of other packages, as entry points of packages that are not installed."""

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.errors import BundleError, TrainError
from trailcam_core.inference.open_model import open_model
from trailcam_core.jobs.plugins import RECIPES, RUNTIMES, find_plugins, load_plugin

HERE = "trailcam_core.files.digest"


def open_raw(path: Path, num_threads: int) -> Any:
    return np.fromfile(path, np.uint8), num_threads


def test_the_same_entry_point_seen_twice_counts_once(install_plugin: Any) -> None:
    install_plugin(RECIPES, "mine", HERE)
    install_plugin(RECIPES, "mine", HERE)

    assert list(find_plugins(RECIPES, (), TrainError)) == ["mine"]


@pytest.mark.parametrize(("own", "names"), [((), ("my-net", "my_net")), (("my_net",), ("my-net",))])
def test_names_that_differ_in_dashes_alone_are_one_name(
    own: tuple[str, ...], names: tuple[str, ...], install_plugin: Any
) -> None:
    for number, name in enumerate(names):
        install_plugin(RECIPES, name, f"package_{number}.net")

    with pytest.raises(TrainError, match=r"'my.net' belongs to .* and to package_.*dashes count as underscores"):
        find_plugins(RECIPES, own, TrainError)


def test_one_object_under_both_spellings_counts_once(install_plugin: Any) -> None:
    install_plugin(RECIPES, "my-net", HERE)
    install_plugin(RECIPES, "my_net", HERE)

    assert list(find_plugins(RECIPES, (), TrainError)) == ["my-net"]


def test_a_runtime_opens_the_files_of_its_suffix(
    install_plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(RUNTIMES, "hef", f"{__name__}:open_raw")
    monkeypatch.setattr(EntryPoint, "load", lambda self: open_raw)
    (tmp_path / "model.hef").write_bytes(b"\x07")

    opened: Any = open_model(tmp_path / "model.hef", 2)

    assert (opened[0].tolist(), opened[1]) == ([7], 2)
    with pytest.raises(BundleError, match="not a model file of a known format"):
        open_model(tmp_path / "model.bin")


def test_an_entry_point_names_its_package_in_an_error() -> None:
    with pytest.raises(BundleError, match=r"trailcam\.runtimes hef: nowhere of a package of unknown name"):
        load_plugin(EntryPoint("hef", "nowhere", RUNTIMES), BundleError)
