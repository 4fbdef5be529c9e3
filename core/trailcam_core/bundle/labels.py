"""Label lists: the ordered names of a model's classes."""

import re
from collections.abc import Iterable
from pathlib import Path

from trailcam_core.errors import BundleError

MAX_LABELS = 100_000
MAX_LABEL_CHARACTERS = 200
_MAX_FILE_BYTES = 16_000_000
_JOINER = re.compile(r"(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f\u200c\u200d])")
_NUMBERED = re.compile(r"([0-9]{1,6})(?:\s*[:,]\s*|\s+)(\S.*)")


def case_twins(labels: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two labels that differ in upper and lower case only, None if there are none."""
    spellings: dict[str, str] = {}
    for label in labels:
        other = spellings.setdefault(label.casefold(), label)
        if other != label:
            return other, label
    return None


def check_labels(labels: tuple[str, ...], source: str) -> None:
    """Refuse a label list with an empty, overlong or unprintable name.

    A name may occur twice: ImageNet's own list has two cranes. A bundle is stricter, see ``check_unique``.

    Args:
        labels: in the order of the model's outputs.
        source: what the message calls the list.

    Raises:
        BundleError: naming the line and the name.
    """
    if not labels:
        raise BundleError(f"{source}: holds no label, expected one name per line in the order of the model's outputs.")
    if len(labels) > MAX_LABELS:
        raise BundleError(f"{source}: {len(labels):,} labels, expected at most {MAX_LABELS:,}.")
    for line, label in enumerate(labels, start=1):
        if not label or len(label) > MAX_LABEL_CHARACTERS or not is_printable(label):
            raise BundleError(
                f"{source}: line {line} is {label[:60]!r}, expected a printable name of 1 to "
                f"{MAX_LABEL_CHARACTERS} characters."
            )


def is_printable(text: str) -> bool:
    """Return whether a text has only printable characters, and joiners only where spelling needs them.

    Persian, Sinhala and other languages join or separate letters with U+200C and U+200D inside a word.
    """
    return _JOINER.sub("", text).isprintable()


def check_unique(labels: tuple[str, ...], source: str) -> None:
    """Refuse a label list with a duplicate name.

    Raises:
        BundleError: naming the label and both its lines.
    """
    first_line: dict[str, int] = {}
    for line, label in enumerate(labels, start=1):
        if label in first_line:
            raise BundleError(
                f"{source}: {label!r} is on lines {first_line[label]} and {line}, expected each label once."
            )
        first_line[label] = line


def read_labels(path: Path) -> tuple[str, ...]:
    """Read a label file: UTF-8, one name per line in the order of the model's outputs, blank lines at the end dropped.

    Where every line begins with its number, from 0, as Teachable Machine and Coral write it, the numbers are dropped,
    and names are in the order of their numbers.

    Raises:
        BundleError: missing, unreadable, too large, or a name is not acceptable.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise BundleError(f"{path}: {path.stat().st_size:,} bytes, expected a label file of at most 16 MB.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not a UTF-8 text file; expected one label per line.") from error
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be read ({error.strerror}); expected a text file, one label per line."
        ) from error
    labels = _without_numbers(tuple(line.strip() for line in text.rstrip().splitlines()))
    check_labels(labels, str(path))
    return labels


def match_labels(labels: tuple[str, ...], class_count: int, background: int | None, path: Path) -> tuple[str, ...]:
    """Return the label of each score of a bare model, with one for a background class that the file leaves out.

    Args:
        labels: of the label file.
        class_count: scores of the model.
        background: class that means "nothing there", if any.
        path: of the label file, for messages.

    Raises:
        BundleError: the two disagree.
    """
    if background is not None and not 0 <= background < class_count:
        raise BundleError(f"--background is {background}, expected a class of this model, 0 to {class_count - 1}.")
    if len(labels) == class_count:
        return labels
    if background is not None and len(labels) == class_count - 1:
        return (*labels[:background], "background", *labels[background:])
    hint = ""
    if len(labels) == class_count - 1:
        hint = ' If one class means "nothing there" and is not in the file, add its number: "--background 0".'
    raise BundleError(f"{path}: {len(labels)} labels, but the model gives {class_count} scores.{hint}")


def _without_numbers(labels: tuple[str, ...]) -> tuple[str, ...]:
    numbered = [found for found in map(_NUMBERED.fullmatch, labels) if found is not None]
    names = {int(found[1]): found[2] for found in numbered}
    if len(numbered) != len(labels) or names.keys() != set(range(len(labels))):
        return labels
    return tuple(names[number] for number in range(len(labels)))
