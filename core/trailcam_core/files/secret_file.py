"""Files with one secret: a password, a token, the address of a camera."""

from pathlib import Path

from trailcam_core.errors import ConfigError, reason_of

_MAX_SECRET_BYTES = 4_096
_OTHERS_MAY_READ = 0o004


def read_secret(path: Path, what: str) -> str:
    """Return the single line of a file that only its owner and group may read.

    Raises:
        ConfigError: unreadable, empty, several lines, or readable by others.
    """
    try:
        mode = path.stat().st_mode
        with open(path, "rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: the {what} cannot be read ({reason_of(error)}). Check the path and the permissions."
        ) from error
    if mode & _OTHERS_MAY_READ:
        raise ConfigError(f'{path}: other users may read the {what}. Restrict it: "chmod o= {path}".')
    return parse_secret(content, str(path), what)


def parse_secret(content: bytes, source: str, what: str) -> str:
    """Return the secret in the content of a file or of standard input.

    Raises:
        ConfigError: empty, several lines, too long, or not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: the {what} is not UTF-8.") from error
    if not text or len(content) > _MAX_SECRET_BYTES or not text.isprintable():
        raise ConfigError(f"{source}: expected the {what} on one line, and nothing else.")
    return text
