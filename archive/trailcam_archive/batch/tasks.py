"""What a worker is given, as JSON lines: the settings first, then one task per file."""

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated

from trailcam_archive.batch.model_choice import ModelChoice
from trailcam_archive.media_files import MediaKind
from trailcam_archive.rows.record import Detection
from trailcam_core.records import Range

ROWS_VERSION = 2  # of what a record holds: a journal of another version starts anew


@dataclass(frozen=True)
class AnalysisSettings:
    """How files are analysed.

    Attributes:
        model: what is opened.
        clip_interval_s: time between two frames of a clip that the model sees.
        max_clip_frames: of one clip; of a longer one they are spread over its stated length.
        box_confidence: boxes of a detector below it are left out.
        box_margin: side of the crop in longer sides of the box.
        candidates: labels that are kept per answer.
        zoom: a photograph that names nothing is classified a second time, at its most conspicuous part.
    """

    model: ModelChoice = field(default_factory=ModelChoice)
    clip_interval_s: Annotated[float, Range(0.04, 3600.0)] = 1.0
    max_clip_frames: Annotated[int, Range(1, 1_000)] = 30
    box_confidence: Annotated[float, Range(0.0, 1.0)] = 0.2
    box_margin: Annotated[float, Range(1.0, 3.0)] = 1.2
    candidates: Annotated[int, Range(1, 100)] = 3
    zoom: bool = False

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "AnalysisSettings":
        """Read what ``to_json`` wrote."""
        fields = json.loads(text)
        model = fields.pop("model")
        if model["value_range"] is not None:
            model["value_range"] = tuple(model["value_range"])
        return cls(model=ModelChoice(**model), **fields)


@dataclass(frozen=True)
class Task:
    """One file: what opens it, what it is, and the boxes of a detector, None where the whole picture is classified."""

    reference: str
    kind: MediaKind
    detections: tuple[Detection, ...] | None = None

    def to_json(self) -> str:
        """Return one line of JSON in ASCII; bytes of a name that are not UTF-8 survive."""
        return json.dumps(vars(self), default=vars)

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Read what ``to_json`` wrote."""
        fields = json.loads(text)
        found = fields["detections"]
        boxes = None if found is None else tuple(Detection(**{**item, "box": tuple(item["box"])}) for item in found)
        return cls(fields["reference"], fields["kind"], boxes)
