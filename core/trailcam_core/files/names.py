"""Names of files and labels from untrusted places, made safe for a terminal."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a cell that begins so for a formula
_MAX_NAME_BYTES = 200  # a file system takes 255; the rest is for a number or a suffix
_JOINERS = "\u200c\u200d"  # of Persian words and of emoji; they steer nothing


def folder_name(text: str, longest: int = 100) -> str:
    """Return a text, for example a label, as the name of one folder: no separators, not hidden, printable."""
    name = printable(text).replace("/", "_").replace("\\", "_").strip()[:longest]
    name = name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")  # a letter has up to four bytes
    return f"_{name[1:]}" if not name or name.startswith(".") else name


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one: "1 frame", "2,000 frames"."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def printable(text: str, keep: str = "") -> str:
    """Return ``text`` with an escape for every character that a terminal would not print.

    These are control characters, marks that turn the direction of a text, and bytes of a file name that are not UTF-8.
    Characters in ``keep`` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep or each in _JOINERS else _escape(each) for each in text)


def _escape(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that os.fsdecode could not decode
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
