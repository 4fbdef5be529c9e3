"""Facts of a device, read by one script, and the check whether Trailcam can run there."""

from dataclasses import dataclass, field
from pathlib import Path

from trailcam_core.network.ssh.errors import HostError
from trailcam_deploy.ssh.connection import Connection
from trailcam_deploy.ssh.root_scripts import PRELUDE

# What root writes is outside of the service's folder: a name in there can be exchanged by the service's user.
TRUST_FOLDER = "/etc/trailcam"  # root.json and device-id, beside the configuration
INBOX = "/var/lib/trailcam-inbox"
UPDATE_FOLDER = "/var/lib/trailcam/update"
OLD_INBOX = "/var/lib/trailcam/inbox"
_SCRIPT = (Path(__file__).parents[1] / "data" / "facts.sh").read_text(encoding="utf-8")
_MACHINES = ("aarch64", "x86_64")  # what LiteRT and OpenCV have wheels for
_OLDEST_PYTHON = (3, 11)
_ENVIRONMENT_MB = 600  # the base install takes 450 MB on x86-64, and pip unpacks beside it
_INBOX_MB = 100


@dataclass(frozen=True)
class Facts:
    """State of one device. Sizes are in MB of 10**6 bytes.

    ``source`` is the camera of its configuration, "" without one. ``inbox`` maps the files there to their SHA-256,
    ``held`` has the digests of the files of its bundles. ``old_layout``: root.json or the inbox are still in the
    service's own folder.
    """

    bits: int = 0
    machine: str = ""
    hostname: str = ""
    system: str = ""
    systemd: bool = False
    apt: bool = False
    python: tuple[int, ...] = ()
    numpy: tuple[int, ...] = ()
    missing_packages: tuple[str, ...] = ()
    opt_free_mb: int = 0
    var_free_mb: int = 0
    read_only: tuple[str, ...] = ()
    installed: str = ""
    enabled: bool = False
    active: bool = False
    has_config: bool = False
    source: str = ""
    root_sha256: str = ""
    device_id: str = ""
    inbox: dict[str, str] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    old_layout: bool = False


def read_facts(connection: Connection, packages: tuple[str, ...]) -> Facts:
    """Read the facts of a device; ``packages`` are the Debian packages that it needs.

    Raises:
        HostError: the output is not that of the script.
    """
    return parse_facts(connection.run(PRELUDE + _SCRIPT, " ".join(packages)))


def parse_facts(text: str) -> Facts:
    """Parse the output of ``data/facts.sh``.

    Raises:
        HostError: a value is missing or is none.
    """
    rows = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    one = {row[0]: row[1] for row in rows}
    many = {name: [row[1] for row in rows if row[0] == name] for name in ("missing", "read_only", "inbox", "held")}
    try:
        return Facts(
            bits=int(one["bits"]),
            machine=one["machine"],
            hostname=one["hostname"],
            system=one["system"],
            systemd=one["systemd"] == "yes",
            apt=one["apt"] == "yes",
            python=_version(one["python"]),
            numpy=_version(one["numpy"]),
            missing_packages=tuple(many["missing"]),
            opt_free_mb=int(one["opt_free_mb"] or 0),
            var_free_mb=int(one["var_free_mb"] or 0),
            read_only=tuple(many["read_only"]),
            installed=one["installed"],
            enabled=one["enabled"] == "enabled",
            active=one["active"] == "active",
            has_config=one["config"] == "yes",
            source=one["source"],
            root_sha256=one["root"] or one.get("old_root", ""),
            device_id=one["device_id"] or one.get("old_device_id", ""),
            inbox={path: digest for digest, _, path in (row.partition(" ") for row in many["inbox"])},
            held=frozenset(many["held"]),
            old_layout=one.get("old_inbox") == "yes" or ("old_root" in one and not one["root"]),
        )
    except (KeyError, ValueError) as error:
        raise HostError(f"its facts cannot be read ({error!r}): {text[:100]!r}.") from error


def check_facts(facts: Facts) -> None:
    """Check that Trailcam can run on a device.

    Raises:
        HostError: it cannot; the message has the reason.
    """
    if facts.bits != 64:
        raise HostError(
            f"its system is a {facts.bits}-bit one ({facts.system}), expected 64-bit: LiteRT is not made for it. "
            "Write the card anew with the 64-bit Raspberry Pi OS."
        )
    if facts.machine not in _MACHINES:
        raise HostError(f"its processor is {facts.machine}, expected {' or '.join(_MACHINES)}.")
    if facts.python < _OLDEST_PYTHON:
        found = ".".join(map(str, facts.python)) or "none"
        raise HostError(
            f"its Python is {found} ({facts.system}), expected 3.11 or newer. Write the card anew with Raspberry Pi OS "
            "12 or 13."
        )
    if facts.read_only:
        raise HostError(
            f"{', '.join(facts.read_only)}: not writable; the disk is read-only or full. Check "
            '"dmesg" (a dying card is mounted read-only) or turn its overlay file system off.'
        )
    if not facts.installed and facts.opt_free_mb < _ENVIRONMENT_MB:
        raise HostError(
            f"/opt: {facts.opt_free_mb} MB free, the base install needs {_ENVIRONMENT_MB}. Free some space."
        )
    if facts.var_free_mb < _INBOX_MB:
        raise HostError(f"/var/lib: {facts.var_free_mb} MB free, a release needs {_INBOX_MB}. Free some space.")
    if not facts.systemd:
        raise HostError("it was not started by systemd, and Trailcam needs its service.")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
