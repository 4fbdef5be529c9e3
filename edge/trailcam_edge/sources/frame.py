"""Frames, and the protocol of their sources."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Literal, Protocol, Self

from trailcam_core.errors import SourceError
from trailcam_core.images.boxes import Crop
from trailcam_core.images.resize import Image
from trailcam_core.spec import InputSpec
from trailcam_edge.sources.pixels import KeptPixels, Pixels

OnBadFrame = Callable[[SourceError], None]

Delivery = Literal["stills", "recording", "live"]
"""Delivery of frames. ``stills``: images that wait, without time between them. ``recording``: frames that wait, with
the timestamps of the recording. ``live``: frames that do not wait, so only the newest one is processed."""


def _nothing() -> None:
    """Do nothing: frames of files hold no buffer of a camera."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source, converted on first use.

    ``timestamp_s`` is monotonic seconds at exposure if the camera reports it, else at arrival; ``sequence`` counts from
    0 since the source was first opened; ``name`` is for messages. ``pixels`` is classified; ``large_pixels`` is a
    larger image of the same moment, if the camera delivers one. ``give_back`` returns the buffers to the camera: call
    it once; afterwards only arrays that were taken before are valid.
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
        """Return ``fit_image`` of ``image``, bit for bit; it outlives ``give_back``."""
        return self.pixels.fitted(spec)

    @property
    def picture_size(self) -> tuple[int, int]:
        """Height and width of ``picture``."""
        return (self.large_pixels or self.pixels).size

    def part(self, part: Crop) -> Image:
        """Return a rectangle of ``picture``, converting no more than that; it outlives ``give_back``."""
        return (self.large_pixels or self.pixels).part(part)

    def kept_picture(self) -> KeptPixels:
        """Return ``picture`` in half its memory where possible; it outlives ``give_back``."""
        return (self.large_pixels or self.pixels).keep()

    def picture(self) -> Image:
        """Return the largest image of this moment, (H, W, 3) uint8 RGB, upright; it outlives ``give_back``."""
        return self.image if self.large_pixels is None else self.large_pixels.image()


class Source(Protocol):
    """A source of frames."""

    @property
    def delivery(self) -> Delivery:
        """The kind of delivery."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames in order until the source ends.

        Raises:
            SourceError: the source cannot deliver, or was lost.
        """

    def __enter__(self) -> Self:
        """Acquire the source."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the source."""


class WrappedSource:
    """A source that takes over another one; ``frames`` gives the frames of ``inner`` unless a subclass changes them."""

    def __init__(self, inner: Source) -> None:
        self.inner = inner

    @property
    def delivery(self) -> Delivery:
        """The kind of delivery."""
        return self.inner.delivery

    def frames(self) -> Iterator[Frame]:
        """Yield the frames."""
        return self.inner.frames()

    def __enter__(self) -> Self:
        """Acquire the source."""
        self.inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the source."""
        self.inner.__exit__(kind, error, trace)
