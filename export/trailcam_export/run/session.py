"""An export in progress: its plan, its cache of finished parts, and its progress."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trailcam_core.jobs.progress import Progress, silent
from trailcam_export.convert.variants import Variant
from trailcam_export.gate.statistics import ClassIds, to_class_ids
from trailcam_export.inference.batches import Logits
from trailcam_export.inference.predict import FilePredictor, Predictor, predict_files
from trailcam_export.run.plan import ExportPlan
from trailcam_export.run.resume_cache import ConvertedFile, ResumeCache

# (N, K) logits of one model on "validation" and "test", and on "others", the out-of-distribution images, if any
LogitsBySet = Mapping[str, Logits]


@dataclass(frozen=True)
class ExportSession:
    """The plan, cache and progress of an export."""

    plan: ExportPlan
    cache: ResumeCache
    progress: Progress = silent

    def class_ids(self, split: str) -> ClassIds:
        """Return the (N,) true classes of a split, in the order of ``plan.files``."""
        return to_class_ids(self.plan.run.labels, [row.label for row in self.plan.run.pictures(split)])

    def measure_logits(
        self, name: str, sha256: str, title: str, open_predictor: Callable[[], Predictor], without: str | None = None
    ) -> LogitsBySet:
        """Return a model's logits on validation, test and out-of-distribution images, from the cache if it has them.

        Args:
            name: key of the cache.
            sha256: digest of the model file.
            title: name of the model for ``progress``.
            open_predictor: opens the model if it has to be run.
            without: a set to leave out.

        Raises:
            SourceError: a picture cannot be read.
            BundleError: the file cannot be loaded or run.
            OSError: the disk is full or read-only.
        """
        plan = self.plan
        sets = {"validation": plan.files("validation"), "test": plan.files("test"), "others": list(plan.ood_files)}
        sets = {key: paths for key, paths in sets.items() if paths and key != without}
        kept = self.cache.load_logits(name, sha256)
        if kept is not None and sets.keys() <= kept.keys():
            return kept
        predictors = {name: open_predictor()}
        logits = {
            key: predict_files(paths, plan.run.input, predictors, f"measuring {title} on {key}", self.progress)[name]
            for key, paths in sets.items()
        }
        self.cache.save_logits(name, sha256, logits)
        return logits


@dataclass(frozen=True)
class ConvertedVariants:
    """The converted files of an export and the logits of each, in the order of conversion."""

    files: dict[Variant, ConvertedFile] = field(default_factory=dict)
    logits: dict[Variant, LogitsBySet] = field(default_factory=dict)

    def add(self, variant: Variant, file: ConvertedFile, session: ExportSession) -> None:
        """Add a file and measure its logits."""
        self.files[variant] = file
        self.logits[variant] = session.measure_logits(
            variant.name, file.sha256, variant.name, lambda: FilePredictor(file.path)
        )
