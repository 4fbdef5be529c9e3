"""The progress callback of long jobs."""

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a job; called often, in the thread of the job."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Report ``done`` of ``total`` finished steps of ``stage``; ``note`` is a short figure beside them."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Discard the report."""
