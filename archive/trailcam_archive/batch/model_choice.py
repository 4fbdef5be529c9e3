"""The model of a job as plain text, so that every worker opens the same one, and its digest."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from trailcam_archive.rows.columns import ModelFacts
from trailcam_core.bundle.folder import MANIFEST_FILE
from trailcam_core.classifier import BUILTIN_BUNDLE, Classifier
from trailcam_core.files.digest import file_sha256
from trailcam_core.records import canonical_json

NO_RULE_SCORE = "max_probability"  # of a model without a reject rule


@dataclass(frozen=True)
class ModelChoice:
    """A bundle, None for the built-in one; or a bare model with what it needs, as for ``Classifier.open_model``."""

    bundle: str | None = None
    model: str | None = None
    labels: str | None = None
    background: int | None = None
    value_range: tuple[float, float] | None = None
    fit: str = "crop"

    def open(self, threads: int | None = 1) -> Classifier:
        """Open the model; ``threads`` of one inference.

        Raises:
            BundleError: it cannot be trusted or loaded.
            DeviceError: no interpreter for it is installed.
        """
        if self.model is None:
            return Classifier.open(self.bundle, threads)
        value_range = None if self.value_range is None else (self.value_range[0], self.value_range[1])
        return Classifier.open_model(
            Path(self.model), Path(self.labels or ""), self.background, value_range, self.fit, threads
        )

    def digest(self) -> str:
        """Return 64 hexadecimal digits that change with the model, its labels and its rules, not with its place."""
        if self.model is None:  # the manifest holds the digest of the model file
            return file_sha256(Path(self.bundle or BUILTIN_BUNDLE) / MANIFEST_FILE)
        files = [file_sha256(Path(name)) for name in (self.model, self.labels or "")]
        rules = asdict(self) | {"bundle": None, "model": files[0], "labels": files[1]}
        return hashlib.sha256(canonical_json(rules)).hexdigest()

    def files(self) -> dict[str, Path]:
        """Return the files that another machine needs, by their names below its copy of the bundle or model."""
        if self.model is not None:
            return {"model" + Path(self.model).suffix: Path(self.model), "labels.txt": Path(self.labels or "")}
        return {path.name: path for path in Path(self.bundle or BUILTIN_BUNDLE).iterdir() if path.is_file()}

    def below(self, folder: Path) -> "ModelChoice":
        """Return the choice of a copy of ``files`` in a folder."""
        if self.model is None:
            return ModelChoice(str(folder))
        names = {"model": str(folder / ("model" + Path(self.model).suffix)), "labels": str(folder / "labels.txt")}
        return ModelChoice(**(asdict(self) | names))


def model_facts(classifier: Classifier, score_limit: float | None = None) -> ModelFacts:
    """Return what the rows repeat of a model; ``score_limit`` replaces the threshold of its reject rule."""
    rule = classifier.output.reject
    limit = score_limit if score_limit is not None else None if rule is None else rule.threshold
    return ModelFacts(classifier.name, NO_RULE_SCORE if rule is None else rule.score, limit)
