"""Distinct names for the files of several sources: two cards have a ``DSCF0001.JPG`` each.

A file of a job is named by its path below the folder that all sources share. That is its path below the source if
there is one source.
"""

import os
from collections.abc import Iterable, Mapping
from itertools import takewhile

from trailcam_archive.batch.references import is_address, is_web_address, shown


def source_folder(source: str) -> str:
    """Return the folder of a source as rows name it: itself, that of a file, or an address without its secrets."""
    if is_address(source):
        return shown(source)
    return source if os.path.isdir(source) else os.path.split(source)[0] or "."  # noqa: PTH112 - as the user wrote it


def source_prefixes(sources: Iterable[str]) -> Mapping[str, str]:
    """Return the path of the folder of each source below the folder that all share; without it for the only one."""
    parts = {source_folder(source): _parts(source) for source in sources}
    levels = zip(*parts.values(), strict=False)
    shared = len(list(takewhile(lambda names: len(set(names)) == 1, levels)))
    return {folder: "/".join(names[shared:]) for folder, names in parts.items()}


def _parts(source: str) -> list[str]:
    """Return the names of the folders down to a source, from the root or the scheme of its address on."""
    folder = source_folder(source)
    if not is_address(source):
        return [part for part in os.path.abspath(folder).split("/") if part]  # noqa: PTH100 - keeps links
    scheme, _, rest = folder.partition("?")[0].partition("://")
    names = [part for part in rest.split("/") if part]
    return [scheme, *(names[:-1] if is_web_address(source) else names)]
