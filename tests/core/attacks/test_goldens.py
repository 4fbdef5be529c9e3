"""Hostile ``golden.npz`` files whose digest is right: only the archive reader stands between them and the device."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.bundle.golden_file import GoldenVectors
from trailcam_core.errors import BundleError

ReplaceFile = Callable[[Path, str, bytes], None]
Members = dict[str, bytes]

_MEGABYTE = 1_000_000


def _npy(array: npt.NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def _header(text: str, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode("latin-1") + body


def _zip(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _with(**replaced: bytes) -> Callable[[Members], bytes]:
    """Return an attack that replaces members."""
    return lambda members: _zip(members | {f"{name}.npy": content for name, content in replaced.items()})


def _patched(change: Callable[[bytearray], Any], **options: Any) -> Callable[[Members], bytes]:
    """Return an attack on the bytes of the archive."""

    def attack(members: Members) -> bytes:
        content = bytearray(_zip(members, **options))
        change(content)
        return bytes(content)

    return attack


def _spoil_stream(content: bytearray) -> None:
    start = content.index(b"source.npy") + 200
    content[start : start + 40] = b"\xff" * 40


def _claim_size(content: bytearray) -> None:
    """Let the central directory claim 3 GB for one member."""
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 3_000_000_000)


def _encrypt(content: bytearray) -> None:
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = content.index(mark)
        content[place + offset] |= 1


def _endless_members(members: Members) -> bytes:
    """An archive whose directory repeats one entry without end: a million are 50 MB and a gigabyte of objects."""
    content = bytearray(_zip({"a": b""}))
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry, tail = bytes(content[start:end]), content[end:]
    count = 100_000
    tail[8:12] = struct.pack("<HH", 4, 4)  # it says four
    tail[12:16] = struct.pack("<I", len(entry) * count)
    return bytes(content[:start]) + entry * count + bytes(tail)


class _Evil:
    """Would leave a file behind if anything unpickled it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/trailcam-was-unpickled"),))


_U1 = "{{'descr': '|u1', 'fortran_order': False, 'shape': {}, }}\n"
_PICKLED = _npy(np.array([_Evil()], object), allow_pickle=True)
_BOMB = _header(_U1.format("(64, 4096, 4096, 3)"), bytes(20 * _MEGABYTE))
_ZEROS = np.zeros((6, 32, 32, 3), np.uint8)

ATTACKS: dict[str, tuple[Callable[[Members], bytes], str]] = {
    "no archive": (lambda _: b"hello" * 100, "damaged (it does not end as a plain zip archive does)"),
    "a short file": (lambda _: b"PK", "damaged"),
    "a bare array": (lambda members: members["images.npy"], "damaged"),
    "the archive cut off": (lambda members: _zip(members)[:-100], "damaged"),
    "only an end": (lambda members: _zip(members)[-22:], "damaged"),
    "a comment at the end": (
        _patched(lambda it: it.extend(b"evil") or it.__setitem__(slice(-6, -4), b"\x04\0")),
        "damaged",
    ),
    "bytes after the end": (lambda members: _zip(members) + b"evil", "damaged"),
    "a spoilt stream": (_patched(_spoil_stream), "damaged"),
    "a wrong checksum": (_patched(lambda it: it.__setitem__(it.rindex(b"PK\x01\x02") + 16, 0x55)), "damaged"),
    "encrypted": (_patched(_encrypt), "damaged"),
    "a member less": (lambda members: _zip({"images.npy": members["images.npy"]}), "lists 1 members, expected fitted"),
    "a member more": (lambda members: _zip(members | {"evil.npy": b""}), "lists 5 members"),
    "a member twice": (
        lambda members: _zip(members).replace(b"fitted.npy", b"images.npy"),
        "holds ['images.npy', 'images.npy', 'logits.npy', 'source.npy']",
    ),
    "other names": (
        lambda members: _zip({name.replace("source", "../evil"): data for name, data in members.items()}),
        "holds ['../evil.npy'",
    ),
    "members without end": (_endless_members, "members, expected fitted"),
    "a zip of death": (_with(images=_BOMB), "images unpacks to 20,000,"),
    "a zip of death in the picture": (_with(source=_BOMB), "source unpacks to 20,000,"),
    "a false size in the directory": (_patched(_claim_size), "unpacks to 3,000,000,000 bytes, expected at most"),
    "packed by bzip2": (lambda members: _zip(members, zipfile.ZIP_BZIP2), "is packed by method 12"),
    "packed by LZMA": (lambda members: _zip(members, zipfile.ZIP_LZMA), "is packed by method 14"),
    "pickled": (_with(images=_PICKLED), "images is no uint8 or float32 array"),
    "a bare pickle": (_with(images=pickle.dumps(_Evil())), "images is no uint8 or float32 array"),
    "an empty member": (_with(images=b""), "images is no uint8 or float32 array"),
    "no array": (_with(images=b"hello" * 50), "images is no uint8 or float32 array"),
    "format 2.0": (_with(images=_npy(_ZEROS, version=(2, 0))), "images is no uint8 or float32 array"),
    "Fortran order": (_with(images=_npy(np.asfortranarray(_ZEROS))), "in NPY format 1.0 and C order"),
    "big-endian numbers": (_with(logits=_npy(np.zeros((6, 4), ">f4"))), "logits is no uint8 or float32 array"),
    "double precision": (_with(logits=_npy(np.zeros((6, 4)))), "logits is no uint8 or float32 array"),
    "a header of another size": (
        _with(images=_header(_U1.format("(6, 32, 32, 4)"), _ZEROS.tobytes())),
        "images claims 24,576 bytes, holds 18,432",
    ),
    "a header of terabytes": (
        _with(images=_header(_U1.format("(999999999, 999999999, 999999999, 3)"))),
        "images claims 2,999,999,991,000,000,008,999,999,997 bytes, holds 0",
    ),
    "a negative size": (_with(images=_header(_U1.format("(-6, 32, 32, 3)"))), "images is no uint8"),
    "a header that ends in the middle": (_with(images=b"\x93NUMPY\x01\x00\xff\xff{'descr'"), "images is no uint8"),
    "a header that computes": (
        _with(images=_header("{'descr': '|u1', 'shape': " + "-" * 800 + "1}")),
        "images is no uint8",
    ),
    "a header that calls": (_with(images=_header("__import__('os').abort()")), "images is no uint8"),
    "a header of brackets": (_with(images=_header("(" * 900)), "images is no uint8"),
    "no vector": (_with(images=_npy(_ZEROS[:0]), logits=_npy(np.zeros((0, 4), np.float32))), "0 vectors, expected 1"),
    "65 vectors": (
        _with(images=_npy(np.zeros((65, 1, 1, 3), np.uint8)), logits=_npy(np.zeros((65, 1), np.float32))),
        "65 vectors, expected 1 to 64",
    ),
    "fewer logits than images": (
        _with(logits=_npy(np.zeros((5, 4), np.float32))),
        "logits is (5, 4) float32, expected (6, 4) float32",
    ),
    "logits of other labels": (
        _with(logits=_npy(np.zeros((6, 3), np.float32))),
        "logits is (6, 3) float32, expected (6, 4)",
    ),
    "images of another size": (
        _with(images=_npy(np.zeros((6, 16, 16, 3), np.uint8))),
        "images is (6, 16, 16, 3) uint8, expected (6, 32, 32, 3)",
    ),
    "float images": (_with(fitted=_npy(np.zeros((32, 8, 3), np.float32))), "fitted is (32, 8, 3) float32, expected"),
    "a grey source": (_with(source=_npy(np.zeros((40, 40), np.uint8))), "source is (40, 40) uint8, expected (h, w, 3)"),
    "a source without pixels": (_with(source=_npy(np.zeros((0, 40, 3), np.uint8))), "source is (0, 40, 3) uint8"),
    "NaN for logits": (_with(logits=_npy(np.full((6, 4), np.nan, np.float32))), "logits hold NaN or infinity"),
    "infinite logits": (_with(logits=_npy(np.full((6, 4), np.inf, np.float32))), "logits hold NaN or infinity"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_golden_vectors_are_refused_with_their_own_message(
    tiny_bundle: Path, golden: GoldenVectors, replace_file: ReplaceFile, name: str
) -> None:
    attack, message = ATTACKS[name]
    members = {f"{part}.npy": _npy(getattr(golden, part)) for part in ("fitted", "images", "logits", "source")}
    replace_file(tiny_bundle, "golden", attack(members))
    bundle = open_bundle(tiny_bundle)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError) as caught:
            bundle.read_golden()
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message in str(caught.value)
    assert str(tiny_bundle / "golden.npz") in str(caught.value)
    assert peak_bytes < 5 * _MEGABYTE + 2 * bundle.manifest.golden.size_bytes
    assert not Path("/tmp/trailcam-was-unpickled").exists()


def test_the_same_archive_is_read_without_an_attack(
    tiny_bundle: Path, golden: GoldenVectors, replace_file: ReplaceFile
) -> None:
    members = {f"{part}.npy": _npy(getattr(golden, part)) for part in ("fitted", "images", "logits", "source")}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        replace_file(tiny_bundle, "golden", _zip(members, method))
        assert np.array_equal(open_bundle(tiny_bundle).read_golden().images, golden.images)
