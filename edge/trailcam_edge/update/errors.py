"""Errors of an update with the ``code`` that ``trailcam update --json`` prints for other programs."""

from trailcam_core.errors import BundleError, UpdateError
from trailcam_core.release.update_result import UpdateCode


class BusyError(UpdateError):
    """Another update is running."""

    code: UpdateCode = "busy"


class NotFetchedError(UpdateError):
    """The repository, or a file of it, cannot be fetched."""

    code: UpdateCode = "not_fetched"


class RefusedError(UpdateError):
    """The release is not acceptable: its signatures, its age, or its history on this device."""

    code: UpdateCode = "refused"


class TrialFailedError(UpdateError):
    """The self-test failed; the bundle before keeps running."""

    code: UpdateCode = "trial_failed"


def error_code(error: Exception) -> UpdateCode:
    """Return the code of an error that ended an update."""
    if isinstance(error, BusyError | NotFetchedError | RefusedError | TrialFailedError):
        return error.code
    return "refused" if isinstance(error, BundleError) else "error"
