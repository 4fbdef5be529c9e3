"""What a source delivers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Literal, Protocol, Self

from trailcam_core.errors import SourceError
from trailcam_core.images.resize import Image
from trailcam_core.spec import InputSpec
from trailcam_edge.sources.pixels import Pixels

__all__ = ["Delivery", "Frame", "OnBadFrame", "Source"]

OnBadFrame = Callable[[SourceError], None]

Delivery = Literal["stills", "recording", "live"]
"""How frames come. ``stills``: pictures that wait, with no time between them. ``recording``: frames that wait, with the
timestamps of the recording. ``live``: frames that do not wait, so only the newest one counts."""


def _nothing() -> None:
    """Frames of files hold nothing that must be given back."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture from a source, not converted before somebody looks.

    ``timestamp_s`` is monotonic seconds at exposure where the camera says, else at arrival; ``sequence`` counts from 0
    since the source was opened first; ``name`` is what a person would call it. ``pixels`` is what is classified;
    ``large_pixels`` is a larger picture of the same moment, where the camera gives one. ``give_back`` returns the
    buffers to the camera: call it once, after which only arrays that were taken before may be used.
    """

    pixels: Pixels
    timestamp_s: float
    sequence: int
    name: str
    large_pixels: Pixels | None = None
    give_back: Callable[[], None] = _nothing

    @cached_property
    def image(self) -> Image:
        """(H, W, 3) uint8 RGB, upright, converted on first use; it outlives ``give_back``."""
        return self.pixels.image()

    def fitted(self, spec: InputSpec) -> Image:
        """Return ``image`` as ``fit_image`` brings it to a model's input, bit for bit; it outlives ``give_back``."""
        return self.pixels.fitted(spec)

    def picture(self) -> Image:
        """Return the largest picture of this moment, (H, W, 3) uint8 RGB, upright; it outlives ``give_back``."""
        return self.image if self.large_pixels is None else self.large_pixels.image()


class Source(Protocol):
    """Something that delivers frames until it ends."""

    @property
    def delivery(self) -> Delivery:
        """How frames come."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames in order, and return when there will be no more.

        Raises:
            SourceError: the source cannot deliver, or was lost.
        """

    def __enter__(self) -> Self:
        """Take hold of the source."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the source."""
