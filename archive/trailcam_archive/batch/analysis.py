"""From one file to its record: decode, classify the picture, its boxes, or frames of a clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_archive.batch.clips import sample_clip
from trailcam_archive.batch.model_choice import NO_RULE_SCORE
from trailcam_archive.batch.photograph_formats import decode_photograph
from trailcam_archive.batch.references import is_address, read_reference, shown
from trailcam_archive.batch.tasks import AnalysisSettings, Task
from trailcam_archive.rows.record import NOTHING, Answer, AnswerKind, ClipFacts, Detection, PictureRecord, failed
from trailcam_archive.times.recorded import recorded_time
from trailcam_core.classifier import Classifier
from trailcam_core.errors import DeviceError, SourceError
from trailcam_core.images.boxes import Box, square_crop
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.inference.decision import confidence_score

_ANIMAL = "animal"  # the category of a detector that the model is asked about


class Analyser:
    """Makes records with one classifier.

    Args:
        classifier: with the number of threads that one worker may use.
        settings: see there.
    """

    def __init__(self, classifier: Classifier, settings: AnalysisSettings) -> None:
        self._classifier = classifier
        self._settings = settings
        rule = classifier.output.reject
        self._score = NO_RULE_SCORE if rule is None else rule.score

    def analyse(self, task: Task) -> PictureRecord:
        """Return the record of a file; one that cannot be read gives a record with an error.

        Raises:
            BundleError: the model fails while it runs.
        """
        try:
            return self._clip(task) if task.kind == "clip" else self._photograph(task)
        except (SourceError, DeviceError) as error:
            return failed(str(error))
        except MemoryError:
            return failed(f"{shown(task.reference)}: memory is not sufficient for this file.")

    def _photograph(self, task: Task) -> PictureRecord:
        content = read_reference(task.reference)
        stated = recorded_time(content, "photograph")
        taken = None if stated is None else stated.time.isoformat(timespec="seconds")
        name = shown(task.reference)
        if task.detections is None:
            if self._settings.zoom:
                return PictureRecord((self._look_twice(decode_photograph(content, name)),), taken)
            image = decode_photograph(content, name, self._classifier.input)
            return PictureRecord((self._answer(image),), taken)
        wanted = [item for item in task.detections if item.confidence >= self._settings.box_confidence]
        if not any(item.category == _ANIMAL for item in wanted):
            return PictureRecord(tuple(_detected(item) for item in wanted) or (_empty(task.detections),), taken)
        image = decode_photograph(content, name)
        return PictureRecord(tuple(self._answer_box(image, item) for item in wanted), taken)

    def _clip(self, task: Task) -> PictureRecord:
        if is_address(task.reference):
            raise SourceError(f"{shown(task.reference)}: a clip; copy it to a disk first.")
        path = Path(task.reference)
        try:
            stated = recorded_time(path, "clip")
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error
        sampled = sample_clip(path, self._settings.clip_interval_s, self._settings.max_clip_frames)
        answers = [self._answer(item.image, frame=item.number, at_s=item.at_s) for item in sampled.frames()]
        taken = None if stated is None else stated.time.isoformat(timespec="seconds")
        facts = ClipFacts(sampled.rate_hz, tuple(item.frame or 0 for item in answers))
        return PictureRecord((_best_of(answers),), taken, facts, note=sampled.problem)

    def _answer_box(self, image: Image, detection: Detection) -> Answer:
        if detection.category != _ANIMAL:
            return _detected(detection)
        smallest = min(self._classifier.input.height, self._classifier.input.width) // 4
        crop = square_crop(Box(*detection.box), image.shape[:2], self._settings.box_margin, smallest)
        part = image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        return self._answer(np.ascontiguousarray(part), detection)

    def _look_twice(self, image: Image) -> Answer:
        """Answer as ``Classifier.look_twice`` does: the box is that of the second look."""
        size = image.shape[0], image.shape[1]
        logits, box = self._classifier.logits_and_box(fit_image(image, self._classifier.input), size)
        whole = self._answer_logits(logits)
        if self._is_named(whole):
            return whole
        crop = square_crop(box, size, 1.0, 1)
        closer = self._answer(image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width])
        if not self._is_named(closer):
            return whole
        found = Detection(_ANIMAL, closer.confidence, (box.x, box.y, box.width, box.height))
        return replace(closer, detection=found)

    def _is_named(self, answer: Answer) -> bool:
        rule = self._classifier.output.reject
        limit = None if rule is None else rule.threshold
        return answer.kind == "label" and answer.species(limit) == answer.best

    def _answer(
        self, image: Image, detection: Detection | None = None, frame: int | None = None, at_s: float | None = None
    ) -> Answer:
        answer = self._answer_logits(self._classifier.logits(image))
        return replace(answer, detection=detection, frame=frame, at_s=None if at_s is None else round(at_s, 3))

    def _answer_logits(self, logits: npt.NDArray[np.float32]) -> Answer:
        found = self._classifier.answer(logits, self._settings.candidates)
        best = found.top[0]
        return Answer(
            best.label,
            best.probability,
            self._kind(logits, best.label),
            float(confidence_score(logits, self._score)),
            tuple((item.label, round(item.probability, 6)) for item in found.top),
        )

    def _kind(self, logits: npt.NDArray[np.float32], best: str) -> AnswerKind:
        output = self._classifier.output
        if best in output.blank_labels:
            return "nothing"
        is_background = int(logits.argmax()) == self._classifier.background
        return "unknown" if is_background or best in output.unknown_labels else "label"


def _detected(detection: Detection) -> Answer:
    return Answer(detection.category, detection.confidence, "detected", None, detection=detection)


def _empty(detections: tuple[Detection, ...]) -> Answer:
    """Return the answer for a picture in which the detector found nothing above the limit."""
    return Answer(NOTHING, 1 - max((item.confidence for item in detections), default=0.0), "nothing", None)


def _best_of(answers: list[Answer]) -> Answer:
    """Return the answer of a clip: the frame in which a label is most familiar, else the first frame."""
    named = [answer for answer in answers if answer.kind == "label"]
    return max(named or answers[:1], key=lambda answer: answer.score or 0.0)
