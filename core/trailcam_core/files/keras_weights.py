"""Read the weights of a Keras file in a child process: a damaged HDF5 file can abort the library that reads it.

python -m trailcam_core.files.keras_weights MODEL
"""

import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from trailcam_core.errors import TrailcamError
from trailcam_core.files.child_reader import read_in_child

_WEIGHTS = "model.weights.h5"  # in a .keras file


def prove_weights(path: Path, error: type[TrailcamError]) -> None:
    """Read a ``.keras`` or ``.h5`` file of another origin in a child process.

    Errors that Python reports are left to the caller.

    Raises:
        TrailcamError: of the kind ``error``; the reader aborts, crashes or hangs.
    """
    death = read_in_child(__name__, path) if path.is_file() else None
    if death is not None:
        raise error(f"{path}: the file made its reader {death}. It is damaged: copy or save it again.")


def _read_all(file: Any) -> None:
    def read(_name: str, item: Any) -> None:
        list(item.attrs.items())
        if hasattr(item, "shape"):
            item[()]

    file.visititems(read)


def _main(path: Path) -> int:
    import h5py  # it comes with Keras; a camera has neither

    with tempfile.TemporaryDirectory() as folder:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                path = Path(archive.extract(_WEIGHTS, folder))
        with h5py.File(path) as file:
            _read_all(file)
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
