"""The name of a file in a job with several sources; ``trailcam_archive.batch.source_prefixes`` makes the prefixes."""

from collections.abc import Mapping

NO_PREFIXES: Mapping[str, str] = {}


def distinct_name(prefixes: Mapping[str, str], folder: str, relative: str) -> str:
    """Return the name of a file that no other file of the job has."""
    prefix = prefixes.get(folder, "")
    return f"{prefix}/{relative}" if prefix else relative
