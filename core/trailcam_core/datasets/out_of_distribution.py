"""Out-of-distribution images: one half is for tuning, the other for evaluation only.

    OTHERS/
        animals/           the folders directly below are groups, which are evaluated separately
            a.jpg
        things/
            b.jpg
        c.jpg              loose images are the group ``all``

Within a group, the readable images alternate in the order of their paths: the first is for tuning, the second for
evaluation. Training and export use the same rule; otherwise a figure would be measured on its tuning data. Frames of
one burst would be in both halves: keep one of each.
"""

from pathlib import Path

from trailcam_core.datasets.class_folders import is_image, scan_class_folders
from trailcam_core.errors import DataError, SourceError
from trailcam_core.images.decode import read_image
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import InputSpec

TUNING_HALF = slice(0, None, 2)  # of the readable images of a group, in the order of ``list_ood_images``
EVALUATION_HALF = slice(1, None, 2)


def list_ood_images(root: Path) -> dict[str, list[Path]]:
    """Return the image files below ``root`` by group, in the order in which they alternate; not opened yet.

    Raises:
        DataError: no such folder, or a folder cannot be read.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder. --others names a folder of out-of-distribution pictures.")
    found = scan_class_folders(root)
    groups = {name: list(found.images(name)) for name in found.folders}
    groups.setdefault("all", []).extend(path for path in found.loose if is_image(path))
    return {name: sorted(groups[name]) for name in sorted(groups) if groups[name]}


def find_readable_images(root: Path, spec: InputSpec, progress: Progress = silent) -> tuple[dict[str, list[Path]], int]:
    """Return the readable images by group, and the number of files that do not decode.

    Raises:
        DataError: as for ``list_ood_images``.
    """
    groups = list_ood_images(root)
    total, done, unreadable = sum(map(len, groups.values())), 0, 0
    readable: dict[str, list[Path]] = {group: [] for group in groups}
    for group, members in groups.items():
        for path in members:
            try:
                read_image(path, spec)
                readable[group].append(path)
            except SourceError:
                unreadable += 1
            done += 1
            progress("reading others", done, total)
    return readable, unreadable
