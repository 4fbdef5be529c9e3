"""The packages that bring ``cv2``: any of them will do, and two of them in one place break each other.

pip takes ``opencv-python`` and ``opencv-python-headless`` for unrelated packages. Both write the folder ``cv2``, and
removing or upgrading one takes files of the other away. The metadata of a package cannot state that, so it is
found here. See ADR 4.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions

from trailcam_core.errors.install_command import install_command

_PACKAGES = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)  # in the order in which one is kept: who chose a larger one needs it


def owners_of_cv2(found: Iterable[Distribution] | None = None) -> dict[str, list[str]]:
    """Return the packages that write ``cv2``, for each folder; ``found`` is what is installed by default."""
    owners: dict[str, set[str]] = {}
    for distribution in distributions() if found is None else found:
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name in _PACKAGES:
            owners.setdefault(str(distribution.locate_file("cv2")), set()).add(name)
    return {place: sorted(names, key=_PACKAGES.index) for place, names in owners.items()}


def explain_conflict(owners: Mapping[str, list[str]]) -> str | None:
    """Return what is wrong and its cure where two packages share one ``cv2``, None if all is well."""
    for place, names in owners.items():
        if len(names) > 1:
            both = " and ".join(names)
            return (
                f"{both} are both installed and overwrite each other in {place}. Keep one: "
                f"pip uninstall -y {' '.join(names)}, then pip install {names[0]}."
            )
    return None


def explain_missing(owners: Mapping[str, list[str]]) -> str:
    """Return the cure where ``cv2`` cannot be found."""
    for place, names in owners.items():
        return (
            f"{names[0]} is installed, but its files in {place} are gone: another OpenCV was removed. "
            f"pip install --force-reinstall --no-deps {names[0]}."
        )
    return (
        "Trailcam needs OpenCV, and this environment has none. Any OpenCV of 4.11 or newer will do: "
        f"{install_command('opencv')}"
    )
