"""The command that adds an optional part to the Trailcam that runs: of a checkout, of a wheel, or of an index."""

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname


def install_command(*extras: str) -> str:
    """Return a shell command that installs extras of ``pyproject.toml`` into this environment.

    pip records in ``direct_url.json`` whether a package came from a folder, a file or an address; a package without
    that record came from an index. Source: PEP 610.
    """
    names = f"[{','.join(extras)}]" if extras else ""
    try:
        record = distribution("trailcam").read_text("direct_url.json")
    except PackageNotFoundError:  # a copy on PYTHONPATH
        record = None
    requirement = ["trailcam" + names] if record is None else _direct(json.loads(record), names)
    return shlex.join([sys.executable or "python3", "-m", "pip", "install", *requirement])


def _direct(record: dict[str, object], names: str) -> list[str]:
    url = str(record["url"])
    folder = record.get("dir_info")
    if isinstance(folder, dict):
        place = url2pathname(urlsplit(url).path) + names
        return ["--editable", place] if folder.get("editable") else [place]
    if url.startswith("file:"):
        path = Path(url2pathname(urlsplit(url).path))
        return [f"trailcam{names} @ {path.as_uri()}"]
    commit = record.get("vcs_info")
    if isinstance(commit, dict):
        url = f"{commit['vcs']}+{url}@{commit['commit_id']}"
    return [f"trailcam{names} @ {url}"]
