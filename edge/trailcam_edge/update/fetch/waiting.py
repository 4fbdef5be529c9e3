"""Wait for a call of which nothing limits the time: every byte of a slow host starts a socket's time-out anew."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class LateError(Exception):
    """The call had not returned in time."""


class _Call(Generic[Result]):
    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._results: list[Result] = []
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:  # raised again by the caller's thread
            self._errors.append(error)

    def wait(self, limit_s: float) -> Result:
        self._thread.join(limit_s)
        if self._errors:
            raise self._errors[0]
        if not self._results:
            raise LateError
        return self._results[0]


def within(limit_s: float, function: Callable[[], Result]) -> Result:
    """Return what ``function`` returns, or raise what it raises.

    Args:
        limit_s: how long it may take; it is called by another thread, which is left alone after that.
        function: called once. It must not be needed again if it was late.

    Raises:
        LateError: it has not returned yet.
    """
    return _Call(function).wait(max(0.0, limit_s))
