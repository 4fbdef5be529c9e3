"""Out-of-distribution pictures: one half tunes a model and its reject rule, the other half only evaluates.

    OTHERS/
        animals/           the folders right below are groups, which are evaluated separately
            a.jpg
        things/
            b.jpg
        c.jpg              pictures beside them are the group ``all``

Within a group, the readable pictures in the order of their paths alternate: the first tunes, the second evaluates.
Training and export must agree on that, or a figure would be measured on what it was tuned on. Frames of one burst would
come into both halves: keep one of each.
"""

from pathlib import Path

from trailcam_core.errors import DataError
from trailcam_core.images.decode import IMAGE_SUFFIXES

__all__ = ["FIT_HALF", "REPORT_HALF", "group_others"]

FIT_HALF = slice(0, None, 2)  # of the readable pictures of a group, in the order of ``group_others``
REPORT_HALF = slice(1, None, 2)


def group_others(root: Path) -> dict[str, list[Path]]:
    """Return the picture files below ``root`` by group, in the order in which they alternate; not opened yet.

    Raises:
        DataError: no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder. --others names a folder of out-of-distribution pictures.")
    groups: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            parts = path.relative_to(root).parts
            groups.setdefault(parts[0] if len(parts) > 1 else "all", []).append(path)
    return groups
