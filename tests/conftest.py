"""Fixtures for all tests: the profile of Hypothesis, shared photographs, tiny real models and bundles made of them."""

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from trailcam_core.bundle.folder import MANIFEST_FILE, Bundle, describe_file, write_bundle
from trailcam_core.bundle.golden_file import GoldenVectors, golden_to_bytes
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import GoldenEntry, InputSpec, Manifest, ModelEntry, OutputSpec
from trailcam_core.strict_json import canonical_json

# No deadline and few examples: test machines are small and shared. Derandomised: a change is judged by the same
# examples everywhere.
settings.register_profile("trailcam", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("trailcam")

# A shell starts what runs in its background with Ctrl-C ignored, and so do its children. Tests press it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and models, which is not part of the project; the test is skipped without it."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TRAILCAM_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("needs photographs that are not part of the project: name their folder in TRAILCAM_TEST_DATA")
    return folder


Image = npt.NDArray[np.uint8]

LABELS = ("red", "green", "blue", "grey")
SPEC = InputSpec(32, 32, "crop")
_COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230), "grey": (128, 128, 128)}


class WriteBundle(Protocol):
    """Writes a bundle around one of the tiny models."""

    def __call__(self, path: Path, model: str = "uint8_logits", **changes: Any) -> Bundle:
        """Write at ``path``; ``changes`` replace fields of the manifest."""


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of tiny TFLite files; ``make_models.py`` in it says what each is."""
    return Path(__file__).parent / "core" / "fixtures"


@pytest.fixture(scope="session")
def colours() -> dict[str, Image]:
    """A 48x40 picture for each label of the tiny models."""
    return {label: np.full((40, 48, 3), colour, np.uint8) for label, colour in _COLOURS.items()}


@pytest.fixture(scope="session")
def golden(models: Path) -> GoldenVectors:
    """Golden vectors of the model ``uint8_logits``: plain colours and noise, none of them grey."""
    random = np.random.default_rng(0)
    plain = np.stack([np.full((32, 32, 3), colour, np.uint8) for colour in _COLOURS.values()])
    tint = np.array([[[1.0, 0.6, 0.2]], [[0.3, 0.9, 0.5]]])[:, :, None]
    images = np.concatenate([plain, np.uint8(random.integers(0, 256, (2, 32, 32, 3)) * tint)])
    model = TFLiteModel(models / "uint8_logits.tflite")
    source = random.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    logits = np.stack([model.invoke(image[None]) for image in images])
    return GoldenVectors(images, logits, source, fit_image(source, SPEC))


@pytest.fixture(scope="session")
def write_tiny_bundle(models: Path, golden: GoldenVectors, tmp_path_factory: pytest.TempPathFactory) -> WriteBundle:
    """Return a function that writes bundles."""

    def write(path: Path, model: str = "uint8_logits", **changes: Any) -> Bundle:
        content = golden_to_bytes(golden)
        golden_path = tmp_path_factory.mktemp("golden") / "golden.npz"
        golden_path.write_bytes(content)
        model_path = models / f"{model}.tflite"
        model_entry = describe_file(model_path, "model.tflite")
        golden_entry = describe_file(golden_path, "golden.npz")
        manifest = Manifest(
            name="tiny",
            version="1.0.0",
            model=ModelEntry(**vars(model_entry), format="tflite", scheme="int8"),
            golden=GoldenEntry(**vars(golden_entry), tolerance=0.2),
            input=SPEC,
            output=OutputSpec(LABELS, temperature=1.0, reject=None),
            metrics=None,
            drift=None,
            provenance={"made_by": "tests"},
        )
        return write_bundle(path, replace(manifest, **changes), model_path, content)

    return write


@pytest.fixture(scope="session")
def pristine_bundle(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: WriteBundle) -> Path:
    """A valid bundle that no test may touch."""
    return write_tiny_bundle(tmp_path_factory.mktemp("pristine") / "tiny.bundle").path


@pytest.fixture
def tiny_bundle(tmp_path: Path, pristine_bundle: Path) -> Path:
    """A valid bundle that a test may spoil."""
    return Path(shutil.copytree(pristine_bundle, tmp_path / "tiny.bundle"))


@pytest.fixture(scope="session")
def change_manifest() -> Callable[[Path, Callable[[dict[str, Any]], Any]], None]:
    """Return a function that changes the manifest of a bundle on disk and keeps its form canonical."""

    def change(bundle: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
        path = bundle / MANIFEST_FILE
        fields = json.loads(path.read_bytes())
        edit(fields)
        path.write_bytes(canonical_json(fields))

    return change


@pytest.fixture(scope="session")
def replace_file() -> Callable[[Path, str, bytes], None]:
    """Return a function that replaces a bundle's ``model`` or ``golden`` file, with digest and size to match."""

    def exchange(bundle: Path, part: str, content: bytes) -> None:
        path = bundle / MANIFEST_FILE
        fields = json.loads(path.read_bytes())
        fields[part] |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        (bundle / fields[part]["file"]).write_bytes(content)
        path.write_bytes(canonical_json(fields))

    return exchange
