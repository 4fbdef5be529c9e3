"""A source around another one: what wraps a source changes its frames, and leaves the rest to it."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from trailcam_edge.sources.frame import Delivery, Frame, Source


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
