"""Steps that make a device a camera of the fleet, computed from its facts. Every step may be repeated.

    packages    from apt, only those that are missing
    install     an environment at /opt/trailcam with this Trailcam, exchanged by one rename
    service     user, unit and configuration ("trailcam service install")
    trust       the root of this fleet's release repository, and the device's id

A device keeps everything that it has, its configuration above all.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trailcam_core.network.ssh.errors import HostError
from trailcam_deploy.device.facts import INBOX, OLD_INBOX, TRUST_FOLDER, UPDATE_FOLDER, Facts
from trailcam_deploy.device.host import host_id
from trailcam_deploy.device.pins import pinned_requirements
from trailcam_deploy.device.wheels import Software, download_command, fitting_wheels, missing_projects
from trailcam_deploy.ssh.root_scripts import PRELUDE
from trailcam_deploy.ssh.transfer import Upload

_DATA = Path(__file__).parents[1] / "data"
_STATE = "/var/lib/trailcam"  # of the service's user
_WHEELS = "/var/cache/trailcam-wheels"
_FROM_WHEELS = " wheels"  # ends the name of an installation whose dependencies were brought
_CAMERA_PACKAGE = "python3-picamera2"
PACKAGES = ("python3-venv", "ca-certificates", "libgomp1", _CAMERA_PACKAGE)
_PACKAGES_SCRIPT = """
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >&2
apt-get install -q -y --no-install-recommends "$@" >&2
"""
_SOURCE = f"{TRUST_FOLDER}/source"  # a camera's address may have a password, so no argument list may show it
# Words: camera ("": its address is in a file), release source, channel, and the token of a live page on the network, ""
# without one.
_SERVICE_SCRIPT = f"""{PRELUDE}
token=$4
if [ -n "$token" ] && [ ! -e "$token" ]; then
    folder=$(dirname "$token")
    check_folder "$folder"
    mkdir -p "$folder"
    (umask 077; head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \\n' > "$token.new"; mv -fT "$token.new" "$token")
fi
camera=--source
[ -n "$1" ] || camera=--source-file
/opt/trailcam/bin/trailcam service install "$camera" "${{1:-{_SOURCE}}}" --update-source "$2" --update-channel "$3" \\
    ${{token:+--live-token-file "$token"}}
if [ -n "$token" ]; then chgrp -h trailcam "$token"; chmod 640 "$token"; fi
"""
_TOKEN = f"{TRUST_FOLDER}/token"
# Word: the device's id. What earlier versions had in the service's folder is taken out of it; the line of the
# configuration comes last, because facts.sh takes it for the sign of the old layout.
_TRUST_SCRIPT = f"""{PRELUDE}
for folder in {TRUST_FOLDER} {INBOX} /var/lib; do check_folder "$folder"; done
mkdir -p {TRUST_FOLDER} {INBOX}
if [ ! -e {TRUST_FOLDER}/device-id ]; then
    rm -f {TRUST_FOLDER}/device-id {TRUST_FOLDER}/device-id.new
    printf '%s\\n' "$1" > {TRUST_FOLDER}/device-id.new
    sync {TRUST_FOLDER}/device-id.new
    mv -fT {TRUST_FOLDER}/device-id.new {TRUST_FOLDER}/device-id
fi
[ -e {_STATE} ] || install -d -o trailcam -g trailcam -m 750 {_STATE}
as_service mkdir -p -m 755 {UPDATE_FOLDER}
as_service rm -f {UPDATE_FOLDER}/root.json {UPDATE_FOLDER}/device-id
# The files of the old inbox are root's. "rm" follows no link, and only the service's own names can be exchanged.
rm -rf --one-file-system {OLD_INBOX}
config=$(readlink -f {TRUST_FOLDER}/trailcam.toml || true)
if grep -q '^source *= *"{OLD_INBOX}/*"' "$config" 2>/dev/null; then
    check_folder "$(dirname "$config")"
    rm -f "$config.new"
    cp -p "$config" "$config.new"
    sed 's|^\\(source *= *"\\){OLD_INBOX}/*"|\\1{INBOX}"|' "$config" > "$config.new"
    sync "$config.new"
    mv -fT "$config.new" "$config"
fi
sync -f {TRUST_FOLDER}
"""


@dataclass(frozen=True)
class DeviceSpec:
    """Target state of a device.

    Args:
        software: Trailcam as a wheel or by version.
        roots: root metadata of the repository, oldest first; a device has any of them.
        device_id: "" for the host name of the device.
        channel: of its bundle.
        source: camera of a new configuration.
        live: the live page of a new configuration listens on the network, behind a token.
        wheels: to install from without a package index.
        newest: take dependencies from the index without pinned versions and digests.
    """

    software: Software
    roots: tuple[bytes, ...]
    device_id: str
    channel: str
    source: str = "picamera2"
    live: bool = False
    wheels: tuple[Path, ...] = ()
    newest: bool = False

    @property
    def root_sha256s(self) -> frozenset[str]:
        """Digests of the root metadata."""
        return frozenset(hashlib.sha256(root).hexdigest() for root in self.roots)


@dataclass(frozen=True)
class ProvisionStep:
    """One step on a device, as root: the files are sent, then the script is run."""

    kind: Literal["packages", "install", "service", "trust", "release"]
    name: str
    script: str
    words: tuple[str, ...] = ()
    uploads: tuple[Upload, ...] = ()
    timeout_s: float = 120.0

    @property
    def size_bytes(self) -> int:
        """Bytes to send at most."""
        return sum(upload.size_bytes for upload in self.uploads)


def plan_provision(facts: Facts, spec: DeviceSpec) -> list[ProvisionStep]:
    """Return the steps in order; none for a complete device.

    Raises:
        HostError: the device belongs to another fleet, or cannot get a package or a wheel.
    """
    if facts.root_sha256 and facts.root_sha256 not in spec.root_sha256s:
        raise HostError(
            f"{TRUST_FOLDER}/root.json is of another release repository: this camera belongs to another fleet. If it "
            f'is to change hands: "sudo rm -rf {TRUST_FOLDER}/root.json {TRUST_FOLDER}/device-id {UPDATE_FOLDER} '
            f'{INBOX}" there, then try again.'
        )
    steps = []
    source = facts.source if facts.has_config else spec.source  # the user's configuration is kept
    missing = [each for each in facts.missing_packages if each != _CAMERA_PACKAGE or source.startswith("picamera2")]
    if missing:
        names = ", ".join(missing)
        if not facts.apt:
            raise HostError(f"it lacks {names}, and has no apt-get to install them.")
        steps.append(ProvisionStep("packages", f"packages: {names}", _PACKAGES_SCRIPT, tuple(missing), timeout_s=1800))
    # What came from wheels of this machine is kept by a later deployment that names none.
    if facts.installed not in (installed_name(facts, spec), spec.software.identity(facts.numpy) + _FROM_WHEELS):
        steps.append(_install(facts, spec))
    if steps or not facts.enabled or not facts.has_config:
        token = _TOKEN if spec.live and not facts.has_config else ""
        name = "service: user, unit, configuration" + (", live page on the network behind a token" if token else "")
        camera, address = ("picamera2", ()) if facts.has_config else _camera(spec.source)
        steps.append(ProvisionStep("service", name, _SERVICE_SCRIPT, (camera, INBOX, spec.channel, token), address))
    if facts.old_layout or not facts.root_sha256 or not facts.device_id:
        name = facts.device_id or spec.device_id or host_id(facts.hostname)
        known = facts.root_sha256 and not facts.old_layout
        uploads = () if known else (Upload(spec.roots[-1], f"{TRUST_FOLDER}/root.json"),)
        title = f"trust: root of the releases, device id {name}"
        steps.append(ProvisionStep("trust", title, _TRUST_SCRIPT, (name,), uploads))
    return steps


def _camera(source: str) -> tuple[str, tuple[Upload, ...]]:
    """Return a camera as a word of a script; an address becomes a file, and the word is empty."""
    if ":/" in source or "@" in source:
        return "", (Upload(f"{source}\n".encode(), _SOURCE, 0o600),)
    return source, ()


def installed_name(facts: Facts, spec: DeviceSpec) -> str:
    """Return the text by which a device records its installation; a different one causes a new installation.

    Raises:
        HostError: no dependencies are pinned for its Python.
    """
    pins = _pins(facts, spec)
    digest = f" pins {hashlib.sha256(pins.encode()).hexdigest()[:16]}" if pins else ""
    return spec.software.identity(facts.numpy) + (_FROM_WHEELS if spec.wheels else digest)


def _pins(facts: Facts, spec: DeviceSpec) -> str:
    return "" if spec.newest or spec.wheels else pinned_requirements(facts)


def _install(facts: Facts, spec: DeviceSpec) -> ProvisionStep:
    if missing := missing_projects(spec.wheels, facts):
        command = download_command(spec.wheels[0].parent, facts.machine, facts.python)
        raise HostError(
            f"the wheels of {', '.join(missing)} are for another machine or Python, expected {facts.machine} and "
            f'{".".join(map(str, facts.python))}. Fetch them with "{command}".'
        )
    uploads = [Upload(path, f"{_WHEELS}/{path.name}") for path in fitting_wheels(spec.wheels, facts)]
    requirement = spec.software.requirement.replace("trailcam", "trailcam[opencv]", 1)
    if spec.software.wheel is not None:
        place = f"{_WHEELS}/{spec.software.wheel.name}"
        uploads.append(Upload(spec.software.wheel, place))
        requirement = f"{place}[opencv]"
    offline = ("--no-index", "--find-links", _WHEELS) if spec.wheels else ()
    if pins := _pins(facts, spec):
        uploads.append(Upload(pins.encode(), f"{_WHEELS}/pins.txt"))
    pinned = f"{_WHEELS}/pins.txt" if pins else ""
    constraints = () if pins else spec.software.constraints(facts.numpy)
    words = (installed_name(facts, spec), _WHEELS, pinned, *offline, *constraints, requirement)
    script = PRELUDE + (_DATA / "install.sh").read_text(encoding="utf-8")
    return ProvisionStep("install", "install Trailcam in /opt/trailcam", script, words, tuple(uploads), timeout_s=3600)
