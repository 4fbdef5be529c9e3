"""What is read of a Keras file before Keras loads it: whether its reader survives, and its Lambda layers."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

_CONFIG = "config.json"


def lambda_layers(path: Path) -> list[str]:
    """Return the names of the Lambda layers of a file, as far as its configuration can be read."""
    return list(_find_lambdas(_read_config(path)))


def custom_layers(path: Path) -> list[str]:
    """Return the names of the classes of a file that Keras does not have, sorted, as far as they can be read."""
    return sorted(set(_find_custom(_read_config(path))))


def _read_config(path: Path) -> Any:
    """Return the configuration of a file, None if it cannot be read."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                text = archive.read(_CONFIG)
        else:
            with h5py.File(path) as file:
                text = file.attrs["model_config"]
        return json.loads(text)
    except (OSError, KeyError, ValueError, TypeError, RecursionError, zipfile.BadZipFile):
        return None


def _find_custom(config: Any) -> Iterator[str]:
    """Yield classes of another module, and in an ``.h5`` file, which names no module, those registered by a package."""
    if isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module")
        registered = config.get("registered_name")
        known = isinstance(module, str) and (module.split(".")[0] == "keras" or module == "builtins")
        if isinstance(name, str) and "config" in config:
            if "module" in config and not known:
                yield name if not isinstance(registered, str) else registered.split(">")[-1]
            elif "module" not in config and ">" in name:
                yield name.split(">")[-1]
        config = list(config.values())
    if isinstance(config, list):
        for item in config:
            yield from _find_custom(item)


def _find_lambdas(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if config.get("class_name") == "Lambda":
            inner = config.get("config")
            yield str(config.get("name") or (inner.get("name") if isinstance(inner, dict) else ""))
        config = list(config.values())
    if isinstance(config, list):
        for item in config:
            yield from _find_lambdas(item)
