"""``--fix``: run the search for a mixed int8 file on the files and images of an export."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from trailcam_core.inference.tflite import TFLiteModel
from trailcam_export.calibration.calibration_set import CalibrationSet
from trailcam_export.convert.variants import FIX_NEEDS, MIXED_INT8
from trailcam_export.gate.gate import GateResult, evaluate_gate
from trailcam_export.gate.presets import Preset
from trailcam_export.gate.statistics import ModelOutputs, measure_drift
from trailcam_export.inference.batches import Images, Logits
from trailcam_export.inference.predict import FilePredictor, predict_files
from trailcam_export.mixed_int8.search import (
    RANKING_COUNT,
    Trial,
    measure_latency_ms,
    rank_operators,
    satisfies,
    search_fix,
)
from trailcam_export.mixed_int8.selective_quantiser import SelectiveQuantiser
from trailcam_export.report.findings import FixFindings
from trailcam_export.run.output_rule import fit_output
from trailcam_export.run.session import ConvertedVariants, ExportSession
from trailcam_export.tflite.feature_map import without_feature_map

_BROKEN = "int8"
_NAME = MIXED_INT8.name


def run_fix(
    converted: ConvertedVariants, calibration: CalibrationSet, session: ExportSession, preset: Preset
) -> FixFindings | None:
    """Search for a mixed int8 file if int8 does not satisfy the gate on validation images.

    Args:
        converted: with ``float32`` and ``int8``; files that are tried are written beside them temporarily.
        calibration: the images that set the ranges, at least one.
        session: its cache keeps the logits of every file that was tried, so an interrupted search can resume.
        preset: the criteria.

    Returns:
        The trials and the file that was found, None if int8 needs no fix.

    Raises:
        SourceError: a picture cannot be read.
        BundleError: a file from the quantiser cannot be run.
        OSError: the disk is full or read-only.
    """
    search = _Search(converted, session, preset)
    if search.good(search.evaluate(search.validation[_BROKEN]).gate):
        return None
    plan, progress, float_file = session.plan, session.progress, search.files["float32"]
    quantiser = SelectiveQuantiser(
        without_feature_map(float_file.read_bytes()),
        calibration.stream(plan.data, plan.run.input, progress, f"calibrating {_NAME}"),
    )
    images = np.stack(list(islice(calibration.stream(plan.data, plan.run.input), RANKING_COUNT)))
    reference = FilePredictor(float_file).logits(images)
    try:
        ranking = rank_operators(quantiser, search.predict, reference, images, progress)
        fix = search_fix(
            quantiser, ranking, search.try_file, lambda content: search.time_file(content, images), search.good
        )
        timed = dict(search.files)
        if fix.content is not None:
            search.trial.write_bytes(fix.content)
            timed[_NAME] = search.trial
        return FixFindings(_BROKEN, fix, _time(timed, images))
    finally:
        search.trial.unlink(missing_ok=True)


class _Search:
    """Runs and evaluates the files that the search tries; ``trial`` is where each is written."""

    def __init__(self, converted: ConvertedVariants, session: ExportSession, preset: Preset) -> None:
        needed = {variant.name: variant for variant in converted.files if variant.name in FIX_NEEDS}
        self.files = {name: converted.files[variant].path for name, variant in needed.items()}
        self.validation = {name: converted.logits[variant]["validation"] for name, variant in needed.items()}
        self.trial = self.files["float32"].with_name(f"{_NAME}.trial.tflite")
        self._session, self._preset = session, preset
        self._class_ids = session.class_ids("validation")
        self._reference = self._outputs(self.validation["float32"])
        perfect = measure_drift(self._reference, self._reference, self._class_ids)
        self._perfect = evaluate_gate(perfect, preset, session.plan.run.labels)

    def good(self, result: GateResult) -> bool:
        return satisfies(result, self._perfect)

    def evaluate(self, logits: Logits) -> Trial:
        drift = measure_drift(self._reference, self._outputs(logits), self._class_ids)
        result = evaluate_gate(drift, self._preset, self._session.plan.run.labels)
        return Trial(result, drift.variant.top1, drift.right.delta, drift.agreement, float(drift.kl.mean()))

    def predict(self, content: bytes, images: Images) -> Logits:
        return self._cached(content, "calibration", lambda file: file.logits(images))

    def try_file(self, content: bytes) -> Trial:
        plan, progress = self._session.plan, self._session.progress

        def measure(file: FilePredictor) -> Logits:
            paths = plan.files("validation")
            return predict_files(paths, plan.run.input, {_NAME: file}, "trying mixed int8", progress)[_NAME]

        return self.evaluate(self._cached(content, "validation", measure))

    def time_file(self, content: bytes, images: Images) -> float:
        self.trial.write_bytes(content)
        times = _time({"float32": self.files["float32"], _NAME: self.trial}, images)
        return times[_NAME] / times["float32"]

    def _cached(self, content: bytes, shown: str, measure: Callable[[FilePredictor], Logits]) -> Logits:
        digest, cache = hashlib.sha256(content).hexdigest(), self._session.cache
        kept = cache.load_logits(f"{_NAME}-{digest}", digest)
        if kept is None or shown not in kept:
            self.trial.write_bytes(content)
            kept = {**(kept or {}), shown: measure(FilePredictor(self.trial))}
            cache.save_logits(f"{_NAME}-{digest}", digest, kept)
        return kept[shown]

    def _outputs(self, logits: Logits) -> ModelOutputs:
        """Fit the output rule on the same validation images, because every variant has its own rule."""
        plan = self._session.plan
        both = (logits, self._class_ids)
        return ModelOutputs(logits, fit_output(plan.draft.output, plan.score_name, both, both, None))


def _time(files: Mapping[str, Path], images: Images) -> dict[str, float]:
    names: Sequence[str] = list(files)
    times = measure_latency_ms([TFLiteModel(files[name], num_threads=1) for name in names], images[0])
    return dict(zip(names, times, strict=True))
