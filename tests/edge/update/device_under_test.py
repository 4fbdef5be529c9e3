"""A device with tiny real bundles and a signed repository, for the rehearsals beside this file."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from trailcam.main import main
from trailcam_core.bundle.folder import describe_file, write_bundle
from trailcam_core.bundle.golden_file import GoldenVectors, golden_to_bytes
from trailcam_core.classifier import Classifier
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import GoldenEntry, InputSpec, Manifest, ModelEntry, OutputSpec
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings

MODELS = Path(__file__).parents[2] / "core" / "fixtures"
RULE = UpdateSettings(healthy_s=60, give_up_s=300, most_starts=2)
SPEC = InputSpec(32, 32, "crop")
BAD = "3.0.0"  # gives other answers than its golden vectors
LATEST = "9.0.0"


def make_bundles(folder: Path, tail: Callable[[str], bytes] = lambda version: b"") -> None:
    """Write a good bundle for each version, and one that is bad; ``tail`` goes behind the model."""
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    images[:, :, :, 0] //= 4  # no grey noise: red and blue must differ for the bad bundle to be bad
    source = chance.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    good = TFLiteModel(MODELS / "uint8_logits.tflite")
    logits = np.stack([good.invoke(image[None]) for image in images])
    content = golden_to_bytes(GoldenVectors(images, logits, source, fit_image(source, SPEC)))
    folder.mkdir(parents=True)
    golden_path = folder / "golden.npz"
    golden_path.write_bytes(content)
    model = folder / "model.tflite"
    for version in ("1.0.0", "2.0.0", BAD, "4.0.0", "5.0.0", "6.0.0", LATEST):
        fixture = MODELS / f"{'bgr' if version == BAD else 'uint8_logits'}.tflite"
        model.write_bytes(fixture.read_bytes() + tail(version))
        manifest = Manifest(
            name="tiny",
            version=version,
            model=ModelEntry(**vars(describe_file(model, "model.tflite")), format="tflite", scheme="int8"),
            golden=GoldenEntry(**vars(describe_file(golden_path, "golden.npz")), tolerance=0.2),
            input=SPEC,
            output=OutputSpec(("red", "green", "blue", "grey"), temperature=1.0, reject=None),
            metrics=None,
            drift=None,
        )
        write_bundle(folder / version, manifest, model, content)


def replay(path: Path) -> str | None:
    """Return why a bundle gives other answers, or None."""
    return Classifier.open(path, num_threads=1).replay_golden().culprit


def device(folder: Path, bundles: Path, rule: UpdateSettings = RULE) -> Updater:
    """Return the updater of a device whose built-in bundle is 1.0.0."""
    return Updater(replace(rule, folder=folder), replay, bundles / "1.0.0")


def fresh(origin: Path, folder: Path) -> None:
    """Put a device back to what it was before."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(origin, folder, symlinks=True)


class Operator:
    """Keeps a repository with the real command; its messages go to stderr and nowhere else."""

    def __init__(self, base: Path) -> None:
        self.repository = base / "release"
        self._place = ["--repository", str(self.repository), "--keys", str(base / "keys")]
        passphrase = base / "passphrase"
        passphrase.write_text("correct horse battery staple\n", encoding="ascii")
        passphrase.chmod(0o600)
        assert main(["release", "init", *self._place, "--passphrase-file", str(passphrase)]) == 0

    @property
    def root(self) -> bytes:
        """What a device is provisioned with."""
        return (self.repository / "metadata" / "1.root.json").read_bytes()

    def release(self, bundle: Path) -> None:
        """Sign a bundle."""
        assert main(["release", "add", str(bundle), *self._place, "--i-know", "a rehearsal"]) == 0
