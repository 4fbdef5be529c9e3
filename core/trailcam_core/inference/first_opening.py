"""Open a model file in a child process the first time.

    python -m trailcam_core.inference.first_opening MODEL

LiteRT checks the structure of a file before it runs it, but some files that are well-formed and wrong abort the
process. The digest of a file that opened, and the version of the interpreter, are kept in the cache folder of the user,
so the child starts once for each file.
"""

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from trailcam_core.errors import BundleError, TrailcamError
from trailcam_core.files.cache import cache_folder
from trailcam_core.files.child_reader import read_in_child
from trailcam_core.files.digest import file_sha256
from trailcam_core.inference.onnx import OnnxModel
from trailcam_core.inference.runtimes import find_runtime
from trailcam_core.inference.tflite import TFLiteModel


def prove_opening(path: Path) -> None:
    """Open and run a model in a child process, unless that was done before; other errors are left to the caller.

    Raises:
        BundleError: the interpreter aborts, crashes or hangs.
        DeviceError: no interpreter is installed.
    """
    if not path.is_file():
        return
    runtime = find_runtime("onnx" if path.suffix == ".onnx" else "tflite")
    cache = cache_folder()
    mark = cache / "opened-models" / f"{file_sha256(path)}-{runtime.name}-{runtime.version}" if cache else None
    with suppress(OSError):  # a folder that this user may not read
        if mark is not None and mark.exists():
            return
    death = read_in_child(__name__, path)
    if death is not None:
        raise BundleError(
            f"{path}: the model made the interpreter {death}, {runtime.package} {runtime.version}. The file is "
            "damaged: copy or export it again."
        )
    if mark is None:  # without a cache, as on a read-only system, the file is opened so at every start
        return
    with suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _main(path: Path) -> int:
    try:
        model = OnnxModel(path) if path.suffix == ".onnx" else TFLiteModel(path, value_range=(0.0, 1.0))
        model.invoke(np.zeros(model.input.shape, np.uint8))
    except (TrailcamError, ValueError, MemoryError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
