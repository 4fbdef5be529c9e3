"""How long jobs tell what they are doing, without knowing who listens."""

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called often, from the thread that works."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Say that ``done`` of ``total`` steps of ``stage`` are finished; ``note`` is a short figure to go with it."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Tell nobody."""
