"""Who may look at the live page: pure rules about addresses, tokens, cookies and host names.

On a loopback address everybody on this machine may look. On any other address a token is needed: from a link that is
opened once, from a form, or in an Authorization header. The cookie is made of the token, and does not give it away.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from trailcam_core.errors import ConfigError
from trailcam_core.records import FieldError

__all__ = ["COOKIE", "Access", "Address", "new_token", "parse_address"]

COOKIE = "trailcam"
DEFAULT_PORT = 8080
_SHORTEST_TOKEN = 16
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """True if only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def shown(self) -> str:
        """What a person types into a browser for it, without the scheme."""
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read "HOST:PORT", "HOST", "PORT" or "[IPV6]:PORT".

    Raises:
        FieldError: none of these.
    """
    if text.isdecimal():
        host, port = "127.0.0.1", text
    elif found := re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::([0-9]{1,5}))?", text):
        host, port = found[1], found[2] or str(DEFAULT_PORT)
    else:
        host, _, port = text.partition(":")
        port = port or str(DEFAULT_PORT)
    if not (_is_ip(host) or _NAME.fullmatch(host)) or not port.isdecimal() or int(port) > 65_535:
        raise FieldError("address", f'address is {text!r}, expected HOST:PORT such as "127.0.0.1:8080"')
    return Address(host, int(port))


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)


class Access:
    """Decides from headers alone."""

    def __init__(self, address: Address, token: str | None, hosts: tuple[str, ...] = ()) -> None:
        """Set the rules.

        Args:
            address: where the server listens.
            token: needed by everybody; None lets everybody in, which only a loopback address may.
            hosts: names by which it may be called, besides this machine's own.

        Raises:
            ConfigError: no token where one is needed, or one that can be guessed.
        """
        if token is None and not address.is_loopback:
            raise ConfigError(f"{address.shown}: others can reach this address, so the live page needs a token.")
        if token is not None and len(token) < _SHORTEST_TOKEN:
            raise ConfigError(f"The live page's token has {len(token)} characters, expected {_SHORTEST_TOKEN} or more.")
        self.token = token
        self._names = {"localhost", *(name.lower() for name in hosts)}
        if not address.is_loopback:
            own = socket.gethostname().lower()
            self._names |= {own, f"{own}.local", own.partition(".")[0], f"{own.partition('.')[0]}.local"}
        self._loopback_only = address.is_loopback
        # A fixed text signed with the token: whoever has it proves to have had the token, and it outlives a restart.
        key = (token or "").encode()
        self.cookie = hmac.new(key, b"trailcam live page", hashlib.sha256).hexdigest()

    @property
    def needs_token(self) -> bool:
        """True if not everybody may look."""
        return self.token is not None

    def knows_host(self, host: str | None) -> bool:
        """Say whether a Host header names this machine; another name may be a page that had its own name moved here.

        Source: "DNS rebinding", OWASP; the defence is the one that browsers' vendors advise for local servers.
        """
        if host is None:
            return False
        name = re.sub(r":[0-9]{1,5}$", "", host).strip("[]").lower()
        if _is_ip(name):
            return not self._loopback_only or ipaddress.ip_address(name).is_loopback
        return name in self._names

    def is_token(self, text: str) -> bool:
        """Compare in a time that does not tell how much was right."""
        return self.token is not None and hmac.compare_digest(text.encode(), self.token.encode())

    def allows(self, cookies: str | None, authorization: str | None) -> bool:
        """Say whether a request with these headers may look."""
        if self.token is None:
            return True
        if authorization is not None and authorization.startswith("Bearer "):
            return self.is_token(authorization.removeprefix("Bearer "))
        try:
            found = SimpleCookie(cookies or "").get(COOKIE)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self.cookie.encode())


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
