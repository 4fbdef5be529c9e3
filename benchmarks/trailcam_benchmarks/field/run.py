"""Make a field report: plan clips, watch them with a bundle, and write truth, results and rows."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trailcam_benchmarks.field.cut_outs.files import read_cut_outs
from trailcam_benchmarks.field.journal import Journal
from trailcam_benchmarks.field.measure import ClipResult, measure_clip
from trailcam_benchmarks.field.plan import PlannedClip, plan_clips, standard_conditions
from trailcam_benchmarks.field.scenes import list_scenes, read_scene
from trailcam_benchmarks.field.stills import StillResult, measure_empty, measure_others
from trailcam_benchmarks.field.summary import FieldRow, rows_json, summarise
from trailcam_benchmarks.field.write import render_field_page, to_figures
from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_core.files.atomic import write_file
from trailcam_core.jobs.progress import Progress
from trailcam_core.records import encode
from trailcam_core.spec import FieldFigures
from trailcam_edge.recognition.settings import LoopSettings, VisitSettings
from trailcam_edge.regions import RegionSettings

FIELD_RESULT = "field.json"
FIELD_REPORT = "report.html"


@dataclass(frozen=True)
class FieldPlan:
    """A field test: folders of scenes and cut-outs that the model has not learned from.

    ``clips`` of each condition; ``empty_s`` is the duration of each empty scene; ``conditions`` empty is all of them;
    ``motion`` False classifies every frame as a whole. ``others`` are cut-outs of animals that are none of the labels.
    """

    scenes: Path
    cut_outs: Path
    clips: int = 32
    empty_s: float = 60.0
    seed: int = 0
    motion: bool = True
    conditions: tuple[str, ...] = ()
    frame_size_px: tuple[int, int] = (1920, 1080)
    others: Path | None = None

    def planned(self) -> tuple[PlannedClip, ...]:
        """Return all clips.

        Raises:
            SourceError: no scene, no cut-out, or an unknown condition.
        """
        known = standard_conditions(self.empty_s)
        for name in self.conditions:
            if name not in known:
                raise SourceError(f"{name!r} is no condition of a field test, expected one of: {'; '.join(known)}.")
        chosen = {
            name: replace(settings, frame_size_px=self.frame_size_px)
            for name, settings in known.items()
            if not self.conditions or name in self.conditions
        }
        scenes, cut_outs = list_scenes(self.scenes), read_cut_outs(self.cut_outs)
        return tuple(plan_clips(scenes, cut_outs, chosen, self.clips, self.seed))


@dataclass(frozen=True)
class FieldResult:
    """Results of a field test, and its rows by condition."""

    bundle: str
    plan: FieldPlan
    clips: tuple[ClipResult, ...] = field(default=())
    stills: tuple[StillResult, ...] = field(default=())

    @property
    def rows(self) -> tuple[FieldRow, ...]:
        """One row for each condition."""
        return summarise(self.clips, self.plan.seed)

    @property
    def figures(self) -> FieldFigures:
        """The figures in the form of manifests and reports."""
        return to_figures(self.rows, self.stills)


def measure_field(
    classifier: Classifier, plan: FieldPlan, progress: Progress, folder: Path | None = None
) -> FieldResult:
    """Watch all clips, one after the other, in this thread.

    Args:
        classifier: the bundle.
        plan: the clips.
        progress: called for each of them.
        folder: of the journal of clips that are done, which a second run does not measure again; None keeps none.

    Raises:
        SourceError: a scene or cut-out cannot be used, a cut-out has an unknown label, or an unknown condition.
        BundleError: the model fails.
    """
    planned = plan.planned()
    _check_labels(classifier, planned)
    cv2.setNumThreads(1)
    journal = None if folder is None else Journal(folder, _digest(classifier, plan))
    clips = tuple(_measure(classifier, plan, planned, progress, journal))
    return FieldResult(classifier.name, plan, clips, tuple(_measure_stills(classifier, plan, progress)))


def result_json(result: FieldResult) -> dict[str, Any]:
    """Return the JSON form of a field test."""
    plan = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(result.plan).items()}
    clips = [asdict(clip) for clip in result.clips]
    figures = encode(result.figures)
    return {"bundle": result.bundle, "plan": plan, "rows": rows_json(result.rows), "clips": clips, "figures": figures}


def write_field(result: FieldResult, folder: Path) -> Path:
    """Write ``field.json`` and ``report.html``; return the path of the former."""
    write_file(folder / FIELD_REPORT, render_field_page(result.bundle, result.figures).encode("utf-8"))
    path = folder / FIELD_RESULT
    write_file(path, f"{json.dumps(result_json(result), sort_keys=True, indent=1, ensure_ascii=False)}\n".encode())
    return path


def _digest(classifier: Classifier, plan: FieldPlan) -> str:
    """Return what decides the results beside the clips: the file of the model, its rule, and whether motion counts."""
    path = classifier.model.path
    model = path.read_bytes() if path.is_file() else str(path).encode()
    return f"{hashlib.sha256(model).hexdigest()} {classifier.output} {plan.motion}"


def _measure(
    classifier: Classifier,
    plan: FieldPlan,
    planned: Sequence[PlannedClip],
    progress: Progress,
    journal: Journal | None,
) -> Iterator[ClipResult]:
    settings = LoopSettings(motion=RegionSettings(enabled=plan.motion), visits=VisitSettings())
    for number, clip in enumerate(planned):
        progress("field", number, len(planned), clip.condition)
        result = None if journal is None else journal.find(clip)
        if result is None:
            scene = clip.scene.stem, read_scene(clip.scene)
            result = measure_clip(clip.condition, scene, clip.cut_outs, clip.settings, clip.seed, classifier, settings)
            if journal is not None:
                journal.add(clip, result)
        yield result
    progress("field", len(planned), len(planned))


def _measure_stills(classifier: Classifier, plan: FieldPlan, progress: Progress) -> Iterator[StillResult]:
    """Yield the results of empty scenes and other animals; none if only some conditions were asked for."""
    if plan.conditions:
        return
    scenes = []
    paths = list_scenes(plan.scenes)
    for number, path in enumerate(paths):
        progress("field", number, len(paths), "empty scenes")
        picture = cv2.resize(read_scene(path), plan.frame_size_px, interpolation=cv2.INTER_AREA)
        scenes.append((path.stem, np.asarray(picture, np.uint8)))
        yield from measure_empty(classifier, scenes[-1], plan.seed + number)
    if plan.others is not None:
        progress("field", 0, 1, "other animals")
        yield from measure_others(classifier, scenes, read_cut_outs(plan.others), plan.seed)


def _check_labels(classifier: Classifier, planned: Iterable[PlannedClip]) -> None:
    shown = {cut_out.label for clip in planned for cut_out in clip.cut_outs}
    unknown = sorted(shown - set(classifier.output.labels))
    if unknown:
        raise SourceError(
            f"cut-outs are labelled {', '.join(unknown)}, but {classifier.name} knows "
            f"{', '.join(classifier.output.labels)}. Name the folders of the cut-outs by its labels."
        )
