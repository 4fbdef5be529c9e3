"""The cache folder of the user."""

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """Return the folder of everything that can be made or fetched again; None for a user without a home folder.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not root.is_absolute():
        try:
            root = Path.home() / ".cache"
        except RuntimeError:
            return None
    return root / "trailcam"
