"""Read the members of a large JSON object one by one, and the elements of some of its arrays one by one."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

_CHUNK_BYTES = 1 << 16
_MOST_CHARACTERS = 64 << 20  # of one value: an image with 10,000 boxes has 1 MB
_SPACE = " \t\r\n"
_IN_NUMBERS = "0123456789.eE+-"


class JsonStreamError(ValueError):
    """The text is not the JSON that was expected."""


def read_members(file: BinaryIO, arrays: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield key and value of each member of the object; a member of ``arrays`` is yielded once per element.

    Raises:
        JsonStreamError: not a JSON object in UTF-8, or cut off.
    """
    text = _Text(file)
    text.expect("{")
    if text.accept("}"):
        return
    while True:
        key = text.value()
        if not isinstance(key, str):
            raise JsonStreamError("a key is no text")
        text.expect(":")
        if key in arrays and text.accept("["):
            yield from ((key, element) for element in _elements(text))
        else:
            yield key, text.value()
        if not text.accept(","):
            text.expect("}")
            return


def _elements(text: "_Text") -> Iterator[Any]:
    if text.accept("]"):
        return
    while True:
        yield text.value()
        if not text.accept(","):
            text.expect("]")
            return


class _Text:
    """The part of the file that is not used yet; more of it is read when a value does not end in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._position = 0
        self._rest = b""  # of a character that is split between two chunks
        self._ended = False
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)

    def accept(self, mark: str) -> bool:
        """Pass over ``mark`` if it is next."""
        found = self._next() == mark
        self._position += found
        return found

    def expect(self, mark: str) -> None:
        """Pass over ``mark``.

        Raises:
            JsonStreamError: something else is next.
        """
        if not self.accept(mark):
            raise JsonStreamError(f"not JSON as expected: {self._next()!r} in place of {mark!r}")

    def value(self) -> Any:
        """Read the next value."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
            except (ValueError, RecursionError) as error:  # also of a number with thousands of digits
                if not self._read_more():
                    raise JsonStreamError(f"not JSON, or cut off ({error})") from error
                continue
            may_go_on = end == len(self._text) or self._text[end] in _IN_NUMBERS
            if not may_go_on or not self._read_more():
                self._position = end
                return value

    def _next(self) -> str:
        while True:
            while self._position < len(self._text) and self._text[self._position] in _SPACE:
                self._position += 1
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._read_more():
                return ""

    def _read_more(self) -> bool:
        """Double what is in memory, so that a long value is not parsed at every chunk."""
        if self._ended:
            return False
        wanted = max(_CHUNK_BYTES, len(self._text) - self._position)
        if wanted > _MOST_CHARACTERS:
            raise JsonStreamError("a value of more than 64 MB")
        read = self._file.read(wanted)
        self._ended = len(read) < wanted
        chunk = self._rest + read
        try:
            text = chunk.decode()
            self._rest = b""
        except UnicodeDecodeError as error:
            if self._ended or len(chunk) - error.start > 3:
                raise JsonStreamError("not UTF-8") from error
            text, self._rest = chunk[: error.start].decode(), chunk[error.start :]
        self._text = self._text[self._position :] + text
        self._position = 0
        return True
