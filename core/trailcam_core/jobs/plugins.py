"""Parts that other packages add by entry points: recipes, sinks and runtimes.

A package states them in its ``pyproject.toml``; the name is the one that users write. Names that differ in dashes and
underscores alone are one name.

    [project.entry-points."trailcam.recipes"]
    my_network = "my_package.my_network"
"""

from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from trailcam_core.errors import TrailcamError

RECIPES, SINKS, RUNTIMES = "trailcam.recipes", "trailcam.sinks", "trailcam.runtimes"


def find_plugins(group: str, own: Collection[str], error: type[TrailcamError]) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name.

    Args:
        group: ``RECIPES``, ``SINKS`` or ``RUNTIMES``.
        own: names that Trailcam itself has.
        error: raised for a name that two have.

    Raises:
        TrailcamError: two have one name; of the kind of ``error``.
    """
    found: dict[str, EntryPoint] = {}
    ours = {_compared(name) for name in own}
    for entry in sorted(entry_points(group=group), key=lambda item: (item.name, item.value)):
        name = _compared(entry.name)
        earlier = found.get(name)
        if earlier is not None and earlier.value == entry.value:
            continue  # one distribution that is seen twice, as beside an editable install
        if name in ours or earlier is not None:
            other = f"{earlier.value} ({_package(earlier)})" if earlier is not None else "Trailcam itself"
            raise error(
                f"{group}: the name {entry.name!r} belongs to {other} and to {entry.value} ({_package(entry)}); dashes "
                "count as underscores. Remove one of the packages, or give its entry point another name."
            )
        found[name] = entry
    return {entry.name: entry for entry in found.values()}


def load_plugin(entry: EntryPoint, error: type[TrailcamError]) -> Any:
    """Return the object of an entry point.

    Raises:
        TrailcamError: it cannot be imported; of the kind of ``error``.
    """
    try:
        return entry.load()
    except (ImportError, AttributeError) as cause:
        raise error(
            f"{entry.group} {entry.name}: {entry.value} of {_package(entry)} cannot be imported ({cause}). Install "
            "what it needs, or remove the package."
        ) from cause


def _compared(name: str) -> str:
    """Return a name as it is compared with others."""
    return name.replace("-", "_")


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "a package of unknown name"
