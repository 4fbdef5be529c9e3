"""Read scenes from any folder."""

from pathlib import Path

from trailcam_benchmarks.field.types import Image
from trailcam_core.errors import SourceError
from trailcam_core.images.decode import IMAGE_SUFFIXES, read_image

_MIN_SCENE_PX = 320


def list_scenes(folder: Path) -> tuple[Path, ...]:
    """Return the pictures of a folder of scenes without animals, sorted.

    Raises:
        SourceError: there is no such folder, or no picture in it.
    """
    found = tuple(sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()))
    if not found:
        raise SourceError(f"{folder}: holds no picture of a scene, expected at least one without an animal in it.")
    return found


def read_scene(path: Path) -> Image:
    """Return a scene as (H, W, 3) uint8 RGB.

    Raises:
        SourceError: it cannot be read, or is too small to hold an animal.
    """
    scene = read_image(path)
    if min(scene.shape[:2]) < _MIN_SCENE_PX:
        height, width = scene.shape[:2]
        raise SourceError(f"{path}: {width}x{height} px, expected a scene of at least {_MIN_SCENE_PX} px a side.")
    return scene
