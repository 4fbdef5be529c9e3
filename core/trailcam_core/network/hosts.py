"""Names and addresses of hosts, as settings may hold them."""

import ipaddress
import re

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_NAME = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?"


def is_ip(text: str) -> bool:
    """Return True if a text is an IPv4 or IPv6 address, without brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_host(text: str) -> bool:
    """Return True if a text is an address, or a valid name: labels of 1 to 63 characters."""
    return is_ip(text) or re.fullmatch(HOST_NAME, text) is not None
