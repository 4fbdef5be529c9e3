"""The command lines of Trailcam that messages print, in a form that a shell reads."""

import shlex
from pathlib import Path


def command_line(*words: str | Path) -> str:
    """Return ``trailcam`` and the words, quoted where a shell would divide or change one."""
    return shlex.join(["trailcam", *map(str, words)])
