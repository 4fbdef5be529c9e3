"""Read and write folders of cut-outs: LABEL/NAME.png with transparency."""

from pathlib import Path

import cv2
import numpy as np

from trailcam_benchmarks.field.types import CutOut
from trailcam_core.errors import SourceError, reason_of
from trailcam_core.files.atomic import write_file

_MIN_CUT_OUT_PX = 16


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
        raise SourceError(f"{path}: cannot be read ({reason_of(error)}).") from error
    if decoded is None or decoded.ndim != 3 or decoded.shape[2] != 4 or decoded.dtype != np.uint8:
        raise SourceError(f"{path}: expected a PNG file of 8 bits with transparency; make it with a cut-out tool.")
    rgba = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGBA), np.uint8)
    x, y, width, height = cv2.boundingRect((rgba[..., 3] > 127).astype(np.uint8))
    if min(width, height) < _MIN_CUT_OUT_PX:
        raise SourceError(f"{path}: its animal is {width}x{height} px, expected {_MIN_CUT_OUT_PX} px or more.")
    return CutOut(np.ascontiguousarray(rgba[y : y + height, x : x + width]), path.parent.name, path.stem)


def write_cut_out(cut_out: CutOut, folder: Path) -> Path:
    """Write a cut-out below ``folder`` as LABEL/NAME.png and return its path.

    Raises:
        SourceError: it cannot be written.
    """
    path = folder / cut_out.label / f"{cut_out.name}.png"
    _, encoded = cv2.imencode(".png", np.asarray(cv2.cvtColor(cut_out.rgba, cv2.COLOR_RGBA2BGRA)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, encoded.tobytes())
    except OSError as error:
        raise SourceError(f"{path}: cannot be written ({reason_of(error)}).") from error
    return path
