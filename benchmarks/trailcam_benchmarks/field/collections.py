"""Read scenes and cut-outs from any two folders."""

from pathlib import Path

import cv2
import numpy as np

from trailcam_benchmarks.field.types import CutOut, Image
from trailcam_core.errors import SourceError
from trailcam_core.field.cutouts import cut_out
from trailcam_core.images.decode import IMAGE_SUFFIXES, read_image

_MIN_SCENE_PX = 320
_MIN_CUT_OUT_PX = 16


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


def read_cut_outs(folder: Path) -> tuple[CutOut, ...]:
    """Return the cut-outs of a folder, sorted: PNG files with transparency, one folder for each label.

    Raises:
        SourceError: there is none, or one cannot be read.
    """
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() == ".png" and path.is_file())
    if not paths:
        raise SourceError(f"{folder}: holds no cut-out, expected LABEL/NAME.png with transparency.")
    return tuple(read_cut_out(path) for path in paths)


def read_cut_out(path: Path) -> CutOut:
    """Return one cut-out, cropped to what is not transparent; its label is the name of its folder.

    Raises:
        SourceError: no PNG file with transparency, or nearly empty.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (OSError, cv2.error) as error:
        raise SourceError(f"{path}: cannot be read ({error}).") from error
    if decoded is None or decoded.ndim != 3 or decoded.shape[2] != 4 or decoded.dtype != np.uint8:
        raise SourceError(f"{path}: expected a PNG file of 8 bits with transparency; make it with a cut-out tool.")
    rgba = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGBA), np.uint8)
    x, y, width, height = cv2.boundingRect((rgba[..., 3] > 127).astype(np.uint8))
    if min(width, height) < _MIN_CUT_OUT_PX:
        raise SourceError(f"{path}: its animal is {width}x{height} px, expected {_MIN_CUT_OUT_PX} px or more.")
    return CutOut(np.ascontiguousarray(rgba[y : y + height, x : x + width]), path.parent.name, path.stem)


def cut_out_photograph(image: Image, label: str, name: str) -> CutOut | None:
    """Return the animal of a photograph without its surroundings, or None where no mask is plausible.

    Args:
        image: (H, W, 3) uint8 RGB with one animal, more or less in the middle.
        label: of the animal.
        name: of the photograph.
    """
    found = cut_out(image)
    return None if found is None else CutOut(np.dstack([found.pixels, found.alpha]), label, name)


def write_cut_out(cut_out: CutOut, folder: Path) -> Path:
    """Write a cut-out below ``folder`` as LABEL/NAME.png and return its path.

    Raises:
        SourceError: it cannot be written.
    """
    path = folder / cut_out.label / f"{Path(cut_out.name).stem}.png"
    _, encoded = cv2.imencode(".png", np.asarray(cv2.cvtColor(cut_out.rgba, cv2.COLOR_RGBA2BGRA)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise SourceError(f"{path}: cannot be written ({error}).") from error
    return path
