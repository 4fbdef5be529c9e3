"""The next step in the message of a release that was not accepted."""

import pytest
from tuf.api.exceptions import (
    BadVersionNumberError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.serialization import DeserializationError

from trailcam_edge.update.fetch.advice import explain_not_fetched, explain_refused


@pytest.mark.parametrize(
    ("error", "of_a_folder", "of_a_host"),
    [
        (DeserializationError(), "was not copied to its end", "login page of a network"),
        (LengthOrHashMismatchError(), "was not copied to its end", "login page of a network"),
        (UnsignedMetadataError(), "repository of other keys", "repository of other keys"),
        (BadVersionNumberError(), "use the newest copy", "use the newest copy"),
        (ExpiredMetadataError(), "trailcam release renew", "trailcam release renew"),
        (RepositoryError(), "Check the repository", "Check the repository"),
    ],
)
def test_what_to_do_depends_on_the_error_and_on_the_source(
    error: RepositoryError, of_a_folder: str, of_a_host: str
) -> None:
    assert of_a_folder in explain_refused(error, is_folder=True)
    assert of_a_host in explain_refused(error, is_folder=False)


def test_a_stick_is_not_tried_again_later() -> None:
    assert "stick is still plugged in" in explain_not_fetched(is_folder=True)
    assert explain_not_fetched(is_folder=False) == "Try again later."
