"""Passwords and tokens in addresses: hide them wherever an address is printed, logged, stored or sent.

    mask_address("rtsp://admin:SEC#RET@cam/live?key=K")     "rtsp://admin:***@cam/live?***"
    mask_text("http://u:p@cam/: no frame for 8 s.")          "http://u:***@cam/: no frame for 8 s."

Users write passwords as they are, with # / ? @ in them, although RFC 3986 ends the host at the first of # / ?. Where an
address can be read in two ways, all of it but its scheme is hidden: to show a password is worse than to hide a host.
"""

import re

MASK = "***"
_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z0-9][A-Za-z0-9+.-]*:[/\\]+")
_WORD = re.compile(r"\S+")
_BEFORE, _AFTER = "\"'`(<[{", "\"'`)>]}.,;:!"  # around an address in a sentence
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]*)?(?=[/?#]|\Z)|\*\*\*")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(:[0-9]*)?")
_USER = re.compile(r"[A-Za-z0-9._~+-]{1,16}")  # a longer one may be a token
_RANDOM_SEGMENT = re.compile(r"(?<=/)(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_~-]{16,}(?=/|\Z)")
_ENDS_HOST = re.compile(r"[/?#\\]")
_MUST_BE_ENCODED = re.compile(r"[/?#@\[\]\s\"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})")


def mask_address(address: str) -> str:
    """Return a whole address without its secrets: password, query, fragment, and values in its path.

    A text without a scheme is an address if it has the form ``user:password@host``; any other text stays as it is.
    """
    scheme, userinfo, rest = _parts(address)
    if userinfo is None:
        return scheme + _mask_path(rest) if scheme else address
    if _is_ambiguous(userinfo, rest):
        return scheme + MASK
    return scheme + _mask_userinfo(userinfo) + _mask_path(rest)


def mask_text(text: str) -> str:
    """Return a message with every address in it masked; an address in a text ends at white space."""
    return _WORD.sub(lambda found: _mask_word(found[0]), text)


def mask_webhook(address: str) -> str:
    """Return a text with the address of a webhook without its secrets, such as long random segments of its path."""
    return _RANDOM_SEGMENT.sub(MASK, mask_text(address)) if "://" in address else address


def has_secret(address: str) -> bool:
    """Return True if ``mask_address`` hides a part of an address."""
    return mask_address(address) != address


def is_cut_short(address: str) -> bool:
    """Return True if a password ends the host for every program: it would resolve a part of the password as a host."""
    _, userinfo, rest = _parts(address)
    return userinfo is not None and bool(_ENDS_HOST.search(userinfo)) and not _is_ambiguous(userinfo, rest)


def encoding_hint(address: str) -> str:
    """Return how to write a password with special characters, or nothing if an address has none of them."""
    _, userinfo, _ = _parts(address)
    if userinfo is None or not _MUST_BE_ENCODED.search(userinfo):
        return ""
    return (
        " Special characters of a user or password must be percent-encoded: # is %23, / is %2F, ? is %3F, @ is %40, "
        "[ is %5B, ] is %5D, % is %25, a space is %20."
    )


def _parts(address: str) -> tuple[str, str | None, str]:
    """Return the scheme with its slashes, the user and password, and the rest."""
    found = _SCHEME.match(address)
    scheme = "" if found is None else found[0]
    userinfo, at, rest = address[len(scheme) :].rpartition("@")
    if not at or (not scheme and ":" not in userinfo):
        return scheme, None, address[len(scheme) :]
    return scheme, userinfo, rest


def _is_ambiguous(userinfo: str, rest: str) -> bool:
    """Return True if the last @ may belong to path or query, or if nothing that can be a host follows it."""
    end = _ENDS_HOST.search(userinfo)
    if not _HOST.match(rest):
        return True
    return end is not None and ("@" in userinfo or _AUTHORITY.fullmatch(userinfo, 0, end.start()) is not None)


def _mask_userinfo(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    shown = f"{user}:" if password and _USER.fullmatch(user) else ""
    return f"{shown}{MASK}@"


def _mask_path(rest: str) -> str:
    """Hide query and fragment, and what follows a "=" in the path: some cameras have the password there."""
    for mark in "?#=;":
        before, found, after = rest.partition(mark)
        if found:
            rest = before + found + (MASK if after else "")
    return rest


def _mask_word(word: str) -> str:
    if ":" not in word:
        return word
    scheme = _SCHEME.search(word)
    start = len(word) - len(word.lstrip(_BEFORE)) if scheme is None else scheme.start()
    end = max(start, len(word.rstrip(_AFTER)))
    before = word[:start] if scheme is None else _mask_word(word[:start])
    return before + mask_address(word[start:end]) + word[end:]
