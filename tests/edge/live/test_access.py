"""Who may look at the live page."""

import socket

import pytest

from trailcam_core.errors import ConfigError
from trailcam_core.records import FieldError
from trailcam_edge.live.access import Access, Address, new_token, parse_address

TOKEN = "correct-horse-battery"
HERE = Address("127.0.0.1", 8080)
EVERYWHERE = Address("0.0.0.0", 8080)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("8081", "127.0.0.1", 8081),
        ("camera.local", "camera.local", 8080),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:9000", "::1", 9000),
        ("[::]", "::", 8080),
        ("host:", "host", 8080),
        ("host:65535", "host", 65_535),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text", ["", ":8080", "host:x", "a b:1", "host:99999", "host:65536", "1.2.3.4:80:80", "http://x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match="expected HOST:PORT") as refused:
        parse_address(text)
    assert refused.value.field == "address"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("::", False),
        ("camera.local", False),
    ],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert Address(host, 1).is_loopback is loopback


def test_an_address_is_shown_as_a_browser_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "oak")
    shown = [Address(host, 80).shown for host in ("127.0.0.1", "::1", "0.0.0.0", "::")]
    assert shown == ["127.0.0.1:80", "[::1]:80", "oak:80", "oak:80"]


def test_a_full_host_name_is_known_with_and_without_its_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Oak.example.org")
    access = Access(EVERYWHERE, TOKEN)
    known = ("oak", "oak.local", "oak.example.org", "OAK.example.org.local:80")
    assert all(access.knows_host(host) for host in known)
    assert not any(access.knows_host(host) for host in ("example.org", "example.org.local", ".local", "..local"))


def test_others_need_a_token_and_a_long_one() -> None:
    with pytest.raises(ConfigError, match="needs a token"):
        Access(EVERYWHERE, None)
    with pytest.raises(ConfigError, match="5 characters"):
        Access(EVERYWHERE, "short")
    assert Access(HERE, None).verdict(None, None) == "right"
    assert Access(HERE, TOKEN).verdict(None, None) == "missing"
    assert new_token() != new_token()
    assert len(new_token()) == 32  # 192 random bits
    Access(EVERYWHERE, new_token())


def test_a_token_has_sixteen_characters_at_least() -> None:
    with pytest.raises(ConfigError, match="15 characters, expected 16 or more"):
        Access(EVERYWHERE, "x" * 15)
    with pytest.raises(ConfigError, match="15 characters"):
        Access(HERE, "x" * 15)  # also where none is needed
    assert Access(EVERYWHERE, "abcdefgh" * 2).needs_token
    assert not Access(HERE, None).needs_token


@pytest.mark.parametrize("token", ["a" * 16, "ab" * 40, "1234567" * 5])
def test_a_token_has_eight_different_characters_at_least(token: str) -> None:
    with pytest.raises(ConfigError, match=rf"{len(set(token))} different characters, expected 8 or more"):
        Access(HERE, token)


def test_cookie_and_bearer_let_in_and_nothing_else_does() -> None:
    access = Access(EVERYWHERE, TOKEN)
    assert access.verdict(f"other=1; {access.cookie_name}={access.cookie}", None) == "right"
    assert access.verdict(None, f"Bearer {TOKEN}") == "right"
    assert TOKEN not in access.cookie
    for cookies, authorization, verdict in [
        (None, None, "missing"),
        (f"{access.cookie_name}=", None, "wrong"),
        (f"{access.cookie_name}={TOKEN}", None, "wrong"),
        (f"{access.cookie_name}={Access(EVERYWHERE, TOKEN + 'x').cookie}", None, "wrong"),
        (f"{access.cookie_name}=ü", None, "missing"),  # no legal value
        (";;;=", None, "missing"),
        ("a,b=1", None, "missing"),  # no legal name
        (None, "Bearer ", "wrong"),
        (None, "Bearer ünïcode-token-of-some-length", "wrong"),
        (None, f"Basic {TOKEN}", "missing"),
        (f"{access.cookie_name}={access.cookie}", "Bearer wrong", "wrong"),
    ]:
        assert access.verdict(cookies, authorization) == verdict


@pytest.mark.parametrize(
    ("host", "here", "everywhere"),
    [
        ("127.0.0.1:8080", True, True),
        ("localhost", True, True),
        ("[::1]:8080", True, True),
        ("192.168.1.7:8080", False, True),
        (f"{socket.gethostname()}.local:8080", False, True),
        ("evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("", False, False),
        (None, False, False),
        ("oak.example:443", False, True),
    ],
)
def test_only_names_of_this_machine_are_answered_to(host: str | None, here: bool, everywhere: bool) -> None:
    assert Access(HERE, None).knows_host(host) is here
    assert Access(EVERYWHERE, TOKEN, ("Oak.example",)).knows_host(host) is everywhere
