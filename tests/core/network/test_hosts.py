"""Names and addresses of hosts."""

import pytest

from trailcam_core.network.hosts import is_host, is_ip


@pytest.mark.parametrize(("text", "expected"), [("10.0.0.7", True), ("fe80::1", True), ("oak", False)])
def test_an_address_is_no_name(text: str, expected: bool) -> None:
    assert is_ip(text) is expected


@pytest.mark.parametrize("text", ["oak", "oak.local", "a.b.", "10.0.0.7", "::1", "a" * 63])
def test_hosts(text: str) -> None:
    assert is_host(text)


@pytest.mark.parametrize("text", ["", "a..b", "-a", "a-", "a b", "mqtt://b", "a" * 64, ".".join(["a" * 63] * 4), "a\n"])
def test_what_is_no_host(text: str) -> None:
    assert not is_host(text)
