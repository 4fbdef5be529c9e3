"""Access rules of the live page: addresses, tokens, cookies and host names. Pure functions.

On a loopback address every user of this machine has access. Any other address needs a token: from a link, from a form,
or in an Authorization header. The cookie is derived from the token and does not reveal it.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.cookies import CookieError, SimpleCookie
from typing import Literal

from trailcam_core.errors import ConfigError
from trailcam_core.network.hosts import is_host, is_ip
from trailcam_core.records import FieldError, shown

COOKIE = "trailcam"
DEFAULT_PORT = 8080
_MIN_TOKEN = 16
_MIN_DIFFERENT = 8  # characters of a token: a random one of 16 hexadecimal digits has 10
_PORT = re.compile(r"[0-9]{1,5}")
Verdict = Literal["right", "wrong", "missing"]


@dataclass(frozen=True)
class Address:
    """The address to listen on."""

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
        """The address for a browser, without the scheme."""
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read "HOST:PORT", "HOST", "PORT" or "[IPV6]:PORT".

    Raises:
        FieldError: none of these.
    """
    if _PORT.fullmatch(text):
        host, port = "127.0.0.1", text
    elif found := re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::([0-9]{1,5}))?", text):
        host, port = found[1], found[2] or str(DEFAULT_PORT)
    else:
        host, _, port = text.partition(":")
        port = port or str(DEFAULT_PORT)
    if not is_host(host) or not _PORT.fullmatch(port) or int(port) > 65_535:
        raise FieldError("address", f'address is {shown(text)}, expected HOST:PORT such as "127.0.0.1:8080"')
    return Address(host, int(port))


def new_token() -> str:
    """Return a random token."""
    return secrets.token_urlsafe(24)


class Access:
    """Decide on requests by their headers."""

    def __init__(self, address: Address, token: str | None, hosts: tuple[str, ...] = ()) -> None:
        """Set the rules.

        Args:
            address: of the server.
            token: required of every client; None allows all, which needs a loopback address.
            hosts: accepted names besides those of this machine.

        Raises:
            ConfigError: a missing token, or one that is easily guessed.
        """
        if token is None and not address.is_loopback:
            raise ConfigError(
                f"{address.shown}: other machines can reach this address, so the live page needs a token. "
                "Set token_file."
            )
        if token is not None and len(token) < _MIN_TOKEN:
            raise ConfigError(f"The live page's token has {len(token)} characters, expected {_MIN_TOKEN} or more.")
        if token is not None and len({*token}) < _MIN_DIFFERENT:
            raise ConfigError(
                f"The live page's token has {len({*token})} different characters, expected {_MIN_DIFFERENT} or more. "
                'Make another one: "openssl rand -hex 24".'
            )
        self.token = token
        self._names = {"localhost", *(name.lower() for name in hosts)}
        if not address.is_loopback:
            own = socket.gethostname().lower()
            self._names |= {own, f"{own}.local", own.partition(".")[0], f"{own.partition('.')[0]}.local"}
        self._loopback_only = address.is_loopback
        # A fixed text signed with the token: it proves knowledge of the token, and stays valid after a restart.
        key = (token or "").encode()
        self.cookie_name = f"{COOKIE}_{address.port}" if address.port else COOKIE  # browsers share them between ports
        self.cookie = hmac.new(key, b"trailcam live page", hashlib.sha256).hexdigest()

    @property
    def needs_token(self) -> bool:
        """True if a token is required."""
        return self.token is not None

    def knows_host(self, host: str | None) -> bool:
        """Return True if a Host header names this machine; another name may be an attack by DNS rebinding.

        Source: "DNS rebinding", OWASP; the defence is the one that browser vendors recommend for local servers.
        """
        if host is None:
            return False
        name = re.sub(r":[0-9]{1,5}$", "", host).strip("[]").lower()
        if is_ip(name):
            return not self._loopback_only or ipaddress.ip_address(name).is_loopback
        return name in self._names

    def is_token(self, text: str) -> bool:
        """Compare a token in constant time."""
        return self.token is not None and hmac.compare_digest(text.encode(), self.token.encode())

    def verdict(self, cookies: str | None, authorization: str | None) -> Verdict:
        """Return whether the token in these headers is right, wrong, or missing; right for all if none is required."""
        if self.token is None:
            return "right"
        if authorization is not None and authorization.startswith("Bearer "):
            return "right" if self.is_token(authorization.removeprefix("Bearer ")) else "wrong"
        try:
            found = SimpleCookie(cookies or "").get(self.cookie_name)
        except CookieError:
            found = None
        if found is None:
            return "missing"
        return "right" if hmac.compare_digest(found.value.encode(), self.cookie.encode()) else "wrong"

    def may_write(self, headers: "Mapping[str, str] | Message") -> bool:
        """Return True if a request with these headers may change something.

        It needs the token, also on loopback. With a cookie it must come from a page of this very host: browsers send
        the cookie along with what other pages ask for, but name the origin of the page.
        """
        if self.token is None or self.verdict(headers.get("Cookie"), headers.get("Authorization")) != "right":
            return False
        origin, host = headers.get("Origin"), headers.get("Host", "")
        if origin is None:
            return headers.get("Authorization") is not None  # a program, and no browser
        scheme, _, place = origin.partition("://")
        is_own = scheme in ("http", "https") and place.lower() == host.lower()
        return is_own and headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
