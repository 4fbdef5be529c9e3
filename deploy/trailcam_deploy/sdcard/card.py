"""The Raspberry Pi OS on a card, detected from its boot partition, and the settings for its first start."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trailcam_core.errors import DeployError

System = Literal["cloud-init", "custom.toml"]
FOLDER = "trailcam"  # on the boot partition
_FIRST_START = "init=/usr/lib/raspberrypi-sys-mods/firstboot"  # in cmdline.txt of 12 until it was started once
_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_USER = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\n\r]*)?")
_SHORTEST_PASSWORD, _LONGEST_PASSWORD, _LONGEST_SSID = 8, 63, 32  # IEEE 802.11, WPA2-Personal


@dataclass(frozen=True)
class Wifi:
    """A network; ``psk`` is 64 hexadecimal digits derived from name and password; the password is stored nowhere."""

    ssid: str
    psk: str
    country: str
    hidden: bool = False

    @staticmethod
    def of(ssid: str, password: str, country: str, hidden: bool = False) -> "Wifi":
        """Derive the key. Source: IEEE 802.11i, "Passphrase to PSK mapping": PBKDF2 with SHA-1, 4096 rounds, 32 bytes.

        Raises:
            DeployError: name, password or country is invalid.
        """
        if not 1 <= len(ssid.encode()) <= _LONGEST_SSID or not ssid.isprintable():
            raise DeployError(f"--wifi {ssid!r}: a network's name has 1 to {_LONGEST_SSID} bytes.")
        if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD or not (
            password.isascii() and password.isprintable()
        ):
            raise DeployError(
                f"the Wi-Fi password has {len(password)} characters, expected {_SHORTEST_PASSWORD} to "
                f"{_LONGEST_PASSWORD} of ASCII."
            )
        if not re.fullmatch(r"[A-Z]{2}", country):
            raise DeployError(
                f'--wifi-country {country!r}: expected two letters such as "DE"; the radio stays off without.'
            )
        psk = hashlib.pbkdf2_hmac("sha1", password.encode(), ssid.encode(), 4096, 32).hex()
        return Wifi(ssid, psk, country, hidden)


@dataclass(frozen=True)
class CardSettings:
    """Host name, login and network; SSH with these keys is the only way in, there is no password."""

    hostname: str
    user: str
    authorized_keys: tuple[str, ...]
    wifi: Wifi | None = None


def check_settings(settings: CardSettings) -> None:
    """Check the settings, before an unattended first start fails.

    Raises:
        DeployError: a name or key is invalid.
    """
    if not _HOSTNAME.fullmatch(settings.hostname):
        raise DeployError(f"--hostname {settings.hostname!r}: expected 1 to 63 of a-z 0-9 -, not at the ends.")
    if not _USER.fullmatch(settings.user) or settings.user in ("root", "trailcam"):
        raise DeployError(f"--user {settings.user!r}: expected a name such as pi; root and trailcam are taken.")
    if not settings.authorized_keys:
        raise DeployError(
            "no public key, so no login would be possible. Make one with ssh-keygen, or name it: --authorized-key."
        )
    for key in settings.authorized_keys:
        if not _KEY.fullmatch(key):
            raise DeployError(
                f"--authorized-key: {key[:40]!r} is no public key, expected a line such as ssh-ed25519 AAAA..."
            )


def read_system(mount: Path) -> System:
    """Return how the system on a card is configured at its first start.

    Raises:
        DeployError: this is no boot partition of Raspberry Pi OS 12 or 13, or the card was started already.
    """
    if not (mount / "cmdline.txt").is_file() or not (mount / "config.txt").is_file():
        raise DeployError(
            f"{mount}: holds no cmdline.txt and config.txt, so this is no boot partition of Raspberry Pi OS. Name the "
            'folder where the small partition of the card is mounted ("bootfs").'
        )
    # Raspberry Pi OS 13 ships templates of these; source: pi-gen, stage2/04-cloud-init.
    if (mount / "user-data").exists() and (mount / "meta-data").exists():
        return "cloud-init"
    if _FIRST_START in (mount / "cmdline.txt").read_text(encoding="utf-8"):
        return "custom.toml"
    raise DeployError(
        f"{mount}: neither cloud-init's user-data (Raspberry Pi OS 13) nor a first start that is still to come (12). "
        'Was the card started already? Write it anew, or use "trailcam deploy --to" over the network.'
    )
