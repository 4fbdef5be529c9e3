"""The bundle folder: opened only after every byte is checked, written in one atomic step.

    NAME.bundle/
        manifest.json    see manifest.py
        model.tflite     the model, exactly one
        golden.npz       see golden_file.py

``docs/bundle-format.md`` is the specification.
"""

import stat
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.bundle.golden_file import GoldenVectors, parse_golden
from trailcam_core.bundle.manifest import MAX_MANIFEST_BYTES, manifest_to_bytes, parse_manifest
from trailcam_core.errors import BundleError
from trailcam_core.files.atomic import staged_directory
from trailcam_core.files.digest import file_sha256
from trailcam_core.spec import FileEntry, Manifest

MANIFEST_FILE = "manifest.json"
_MODEL_SUFFIXES = frozenset({".keras", ".h5", ".tflite", ".onnx", ".pb", ".pt", ".pth"})


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest was read and whose files have the sizes and digests that it states."""

    path: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        """The model file."""
        return self.path / self.manifest.model.file

    def read_golden(self) -> GoldenVectors:
        """Read the golden vectors.

        Raises:
            BundleError: they are damaged or do not fit the manifest.
        """
        path = self.path / self.manifest.golden.file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror}).") from error
        return parse_golden(content, self.manifest.input, len(self.manifest.output.labels), str(path))


def open_bundle(path: Path) -> Bundle:
    """Open a bundle folder. Everything is checked before anything is used.

    Raises:
        BundleError: not a bundle, or anything in it is missing, foreign, linked, of another size or digest.
    """
    manifest_path = path / MANIFEST_FILE
    try:
        if not path.is_dir():
            raise BundleError(_not_a_bundle(path))
        if not manifest_path.exists() and not manifest_path.is_symlink():
            raise BundleError(
                f"{path}: has no {MANIFEST_FILE}, so it is not a bundle. "
                'Make one with "trailcam export RUN", or name the folder that ends in .bundle.'
            )
        _check_plain_file(manifest_path)
        if manifest_path.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleError(
                f"{manifest_path}: {manifest_path.stat().st_size:,} bytes, expected at most {MAX_MANIFEST_BYTES:,}. "
                "It was not read."
            )
        manifest = parse_manifest(manifest_path.read_bytes(), str(manifest_path))
        known = {MANIFEST_FILE, manifest.model.file, manifest.golden.file}
        foreign = sorted(item.name for item in path.iterdir() if item.name not in known)
        if foreign:
            raise BundleError(f"{path}: holds {foreign[0]!r}, which the manifest does not name. Remove it.")
        for entry in (manifest.model, manifest.golden):
            _check_file(path / entry.file, entry)
    except OSError as error:
        raise BundleError(f"{error.filename or path}: cannot be read ({error.strerror}).") from error
    return Bundle(path, manifest)


def write_bundle(path: Path, manifest: Manifest, model: Path, golden: bytes) -> Bundle:
    """Write a bundle folder, read it back and rename it to ``path``.

    Args:
        path: must not exist yet.
        manifest: its entries must describe ``model`` and ``golden``.
        model: the model file, copied.
        golden: the bytes of ``golden.npz``.

    Raises:
        BundleError: the files do not agree with the manifest, or cannot be read back.
        FileExistsError: something exists at ``path``.
        OSError: the disk is full or read-only; nothing is left at ``path``.
    """
    with staged_directory(path) as staging:
        (staging / MANIFEST_FILE).write_bytes(manifest_to_bytes(manifest))
        (staging / manifest.model.file).write_bytes(model.read_bytes())
        (staging / manifest.golden.file).write_bytes(golden)
        open_bundle(staging).read_golden()
    return Bundle(path, manifest)


def describe_file(path: Path, name: str) -> FileEntry:
    """Return the manifest entry of an existing file, under the name it will have in the bundle."""
    return FileEntry(name, file_sha256(path), path.stat().st_size)


def _not_a_bundle(path: Path) -> str:
    if not path.exists():
        return f'{path}: no such bundle. Make one with "trailcam export RUN", or check the path.'
    if path.suffix == ".keras" or path.suffix == ".h5":
        return f'{path}: a Keras model, expected a bundle folder. Convert its run with "trailcam export RUN".'
    if path.suffix in _MODEL_SUFFIXES:
        return f'{path}: a bare model file, expected a bundle folder. Use "--model {path} --labels LABELS.txt" for it.'
    return f"{path}: a file, expected a bundle folder with {MANIFEST_FILE} in it."


def _check_plain_file(path: Path) -> None:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise BundleError(f"{path}: a link or special file, expected a plain file.")


def _check_file(path: Path, entry: FileEntry) -> None:
    if not path.exists() and not path.is_symlink():
        raise BundleError(f"{path}: missing, though the manifest names it. Copy the bundle again.")
    _check_plain_file(path)
    size_bytes = path.stat().st_size
    if size_bytes != entry.size_bytes:
        raise BundleError(
            f"{path}: {size_bytes:,} bytes, the manifest has {entry.size_bytes:,}. It was cut off or changed: "
            "copy the bundle again."
        )
    digest = file_sha256(path)
    if digest != entry.sha256:
        raise BundleError(
            f"{path}: its SHA-256 is {digest[:12]}..., the manifest has {entry.sha256[:12]}.... "
            "It was changed: copy the bundle again."
        )
