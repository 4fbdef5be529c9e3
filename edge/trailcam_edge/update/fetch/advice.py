"""What to do about a release that was not fetched or not accepted: the last sentence of the message."""

from tuf.api.exceptions import (
    BadVersionNumberError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.serialization import DeserializationError

_COPY = "Copy metadata/ and targets/ of the release repository there again, and eject the stick before you pull it out."


def explain_not_fetched(is_folder: bool) -> str:
    """Return the next step after a file that could not be fetched; ``is_folder`` is a stick or an inbox."""
    if not is_folder:
        return "Try again later."
    return (
        "Check that the stick is still plugged in, and that SOURCE is the folder with metadata/ and targets/ of the "
        "whole release repository."
    )


def explain_refused(error: RepositoryError, is_folder: bool) -> str:
    """Return the next step after metadata or a file that was not accepted."""
    if isinstance(error, DeserializationError | LengthOrHashMismatchError):
        if is_folder:
            return f"The file is damaged, or was not copied to its end. {_COPY}"
        return (
            "The host sends something else than the signed file, as the login page of a network does. Check the "
            "address and the network, then try again."
        )
    if isinstance(error, UnsignedMetadataError):
        return (
            "It is the repository of other keys, or lacks a metadata/N.root.json that leads to its keys. Check SOURCE, "
            "and that all of metadata/ was copied."
        )
    if isinstance(error, BadVersionNumberError):
        return "This camera has seen a newer state of the repository: use the newest copy."
    if isinstance(error, ExpiredMetadataError):
        return 'Sign it again with "trailcam release renew", and copy it.'
    return "Check the repository."
