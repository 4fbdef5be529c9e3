"""From folder names to labels: what a picture is called is not always how its folder is called.

A label map says ``folder -> label``. Two folders may carry the same label; their pictures are then one class.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from trailcam_core.errors import BundleError, DataError
from trailcam_core.labels import check_labels

__all__ = ["ANIMALS10", "choose_label_map", "read_label_map"]

# Source: the folder names of the Animals-10 data set by Corrado Alessio, in Italian.
ANIMALS10: Mapping[str, str] = MappingProxyType(
    {
        "cane": "dog",
        "cavallo": "horse",
        "elefante": "elephant",
        "farfalla": "butterfly",
        "gallina": "chicken",
        "gatto": "cat",
        "mucca": "cow",
        "pecora": "sheep",
        "ragno": "spider",
        "scoiattolo": "squirrel",
    }
)
_MIN_RECOGNISED = 2  # one Italian word may be chance, two are Animals-10
_MAX_FILE_BYTES = 1_000_000


def read_label_map(path: Path) -> dict[str, str]:
    """Read a label map from a TOML file of lines ``folder = "label"``.

    Returns:
        Label by folder name, in the order of the file.

    Raises:
        DataError: missing, not TOML, empty, or a value is not a label.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise DataError(f"{path}: {path.stat().st_size:,} bytes, expected a label map of at most 1 MB.")
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read as a label map ({error.strerror}). Name a TOML file of lines "
            '\'folder = "label"\', or use "animals10" or "none".'
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: not a label map ({error}). Expected lines such as 'cane = \"dog\"'.") from error
    if not found:
        raise DataError(f"{path}: an empty label map, expected lines such as 'cane = \"dog\"'.")
    for folder, label in found.items():
        if not isinstance(label, str):
            raise DataError(
                f"{path}: {folder} is a {type(label).__name__}, expected a label in quotes, such as 'cane = \"dog\"'."
            )
        try:
            check_labels((label,), f"{path}: {folder}")
        except BundleError as error:
            raise DataError(str(error)) from error
    return found


def choose_label_map(folders: Iterable[str], given: str | None) -> dict[str, str]:
    """Choose the label of each class folder.

    Args:
        folders: names of the class folders.
        given: what the person asked for: None, "none", "animals10" or the path of a TOML file.

    Returns:
        Label by folder, for exactly these folders. With ``given`` None that is the folder's own name, but where all
        folders, at least two, have names of Animals-10, it is their English name: compare the values with the keys to
        tell the person so.

    Raises:
        DataError: the map does not name every folder, or cannot be read.
    """
    names = sorted(folders)
    if given is None:
        known = len(names) >= _MIN_RECOGNISED and set(names) <= set(ANIMALS10)
        return {name: ANIMALS10[name] if known else name for name in names}
    if given == "none":
        return {name: name for name in names}
    table: Mapping[str, str] = ANIMALS10 if given == "animals10" else read_label_map(Path(given))
    missing = [name for name in names if name not in table]
    if missing:
        raise DataError(
            f"label map {given}: does not name the folder {missing[0]!r}"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}; it names {', '.join(sorted(table))}. "
            'Add the folder, remove it from the data, or use "none" to take folder names as labels.'
        )
    return {name: table[name] for name in names}
