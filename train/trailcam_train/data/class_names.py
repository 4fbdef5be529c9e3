"""Label maps: the label of each class folder. Two folders may have the same label; their pictures are one class."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from trailcam_core.bundle.labels import check_labels
from trailcam_core.errors import BundleError, DataError
from trailcam_core.records import read_toml

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
_MIN_RECOGNISED = 2  # one Italian word may be a coincidence, two are Animals-10


def read_label_map(path: Path) -> dict[str, str]:
    """Read a label map from a TOML file of lines ``folder = "label"``.

    Returns:
        Label by folder name, in the order of the file.

    Raises:
        DataError: missing, not TOML, empty, or a value is not a label.
    """
    if not path.is_file():
        raise DataError(
            f'{path}: no such label map. Name a TOML file of lines \'folder = "label"\', or use "animals10" or "none".'
        )
    table, document = read_toml(path, DataError)
    if not table:
        raise DataError(f"{path}: an empty label map, expected lines such as 'cane = \"dog\"'.")
    for folder, label in table.items():
        if not isinstance(label, str):
            document.refuse_value((folder,), label, "a label in quotes, such as 'cane = \"dog\"'")
        try:
            check_labels((label,), f"{path}: {folder}")
        except BundleError as error:
            raise DataError(str(error)) from error
    return table


def choose_label_map(folders: Iterable[str], given: str | None) -> dict[str, str]:
    """Choose the label of each class folder.

    Args:
        folders: names of the class folders.
        given: the user's choice: None, "none", "animals10" or the path of a TOML file.

    Returns:
        Label by folder, for exactly these folders. With ``given`` None that is the name of the folder; if all folders,
        at least two, have names of Animals-10, it is their English name.

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
