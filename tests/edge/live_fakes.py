"""Sources, a model and a clock that do exactly what a test says."""

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_core.spec import InputSpec, OutputSpec
from trailcam_edge.events import Moment
from trailcam_edge.sources import Delivery, Frame
from trailcam_edge.sources.pixels import PackedPixels

Image = npt.NDArray[np.uint8]
COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "person": (20, 20, 230), "grey": (128, 128, 128)}


class ColourModel:
    """Says which of ``COLOURS`` fills the picture; ``delay_s`` is how long it thinks."""

    input_size = (16, 16)
    class_count = len(COLOURS)
    path = None
    gives_probabilities = False

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.calls = 0

    def invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.calls += 1
        if self.delay_s:
            time.sleep(self.delay_s)
        mean = input_tensor.reshape(-1, 3).mean(axis=0)
        distance = [np.abs(mean - colour).sum() for colour in COLOURS.values()]
        return np.float32(-np.array(distance) / 10)


class ColourClassifier(Classifier):
    """A classifier around ``ColourModel``; "grey" is the background."""

    name = "colours 1"

    def __init__(self, delay_s: float = 0.0) -> None:
        self.fake = ColourModel(delay_s)
        output = OutputSpec(tuple(COLOURS), temperature=1.0, reject=None)
        super().__init__(self.fake, InputSpec(16, 16, "stretch"), output, background=3)  # type: ignore[arg-type]


class SteadyClock:
    """The real monotonic clock, without a date."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def moment(self, monotonic_s: float) -> Moment:
        return Moment(monotonic_s, None, "boot")


def picture(colour: str, size: tuple[int, int] = (24, 32)) -> Image:
    return np.full((*size, 3), COLOURS[colour], np.uint8)


class ScriptedSource:
    """Delivers colours; a number is a pause in seconds, an exception is raised.

    Frames lent and not given back are counted in ``lent``; closing while any is lent is noted in ``closed_early``.
    """

    def __init__(
        self,
        script: Callable[[], Iterator[str | float | Exception]],
        delivery: Delivery = "live",
        step_s: float | None = None,
    ) -> None:
        self.delivery = delivery
        self.lent = 0
        self.opened = 0
        self.closed_early = False
        self._script = script
        self._step_s = step_s

    def frames(self) -> Iterator[Frame]:
        sequence = 0
        start_s = time.monotonic()
        for entry in self._script():
            if isinstance(entry, Exception):
                raise entry
            if isinstance(entry, float):
                time.sleep(entry)
                continue
            timestamp_s = time.monotonic() if self._step_s is None else start_s + sequence * self._step_s
            self.lent += 1
            image = self.image(entry, sequence)
            yield Frame(PackedPixels(image, "RGB"), timestamp_s, sequence, entry, give_back=self._back)
            sequence += 1

    def image(self, entry: str, sequence: int) -> Image:
        return picture(entry)

    def _back(self) -> None:
        self.lent -= 1

    def __enter__(self) -> Self:
        self.opened += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed_early = self.closed_early or self.lent > 1  # one may be in the hands of the reader


class StageSource(ScriptedSource):
    """A grey scene of 320x180 px in which coloured blocks are where the script says: "red@40+green@200"."""

    def image(self, entry: str, sequence: int) -> Image:
        image = np.random.default_rng(sequence).integers(124, 133, (180, 320, 3)).astype(np.uint8)
        for block in entry.split("+") if "@" in entry else ():
            colour, left = block.split("@")
            image[60:120, int(left) : int(left) + 60] = COLOURS[colour]
        return image


LOST = SourceError("the cable was pulled.")
