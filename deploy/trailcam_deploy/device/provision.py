"""What is missing on a device until it is a camera of the fleet: pure steps from facts, each of which may be repeated.

    packages    from apt, only those that are missing
    install     an environment at /opt/trailcam with this Trailcam, exchanged by one rename
    service     user, unit and configuration ("trailcam service install")
    trust       the root of this fleet's release repository, and the device's own name

What is there already is left alone; a configuration above all.
"""

from dataclasses import dataclass
from pathlib import Path

from trailcam_deploy.device.facts import INBOX, UPDATE_FOLDER, Facts
from trailcam_deploy.device.wheels import Software, fitting_wheels, lacking_projects
from trailcam_deploy.fleet.inventory import host_id
from trailcam_deploy.ssh.errors import HostError
from trailcam_deploy.ssh.transfer import Upload

__all__ = ["PACKAGES", "Step", "Wanted", "plan_provision"]

_DATA = Path(__file__).parents[1] / "data"
_WHEELS = "/var/cache/trailcam-wheels"
_CAMERA_PACKAGE = "python3-picamera2"
PACKAGES = ("python3-venv", "ca-certificates", "libgomp1", _CAMERA_PACKAGE)
_PACKAGES_SCRIPT = """
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >&2
apt-get install -q -y --no-install-recommends "$@" >&2
"""
_SERVICE_SCRIPT = """
/opt/trailcam/bin/trailcam service install --source "$1" --update-source "$2" --update-channel "$3"
"""
_LIVE_SCRIPT = """
# A page for the local network, behind a token; only the lines as they were shipped are changed.
if [ ! -e /etc/trailcam/token ]; then
    (umask 077; head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \\n' > /etc/trailcam/token)
    chgrp trailcam /etc/trailcam/token
    chmod 640 /etc/trailcam/token
fi
sed -i -e 's|^address = "127.0.0.1:8080"|address = "0.0.0.0:8080"|' \\
    -e 's|^# token_file = "/etc/trailcam/token"|token_file = "/etc/trailcam/token"|' /etc/trailcam/trailcam.toml
"""
_TRUST_SCRIPT = f"""
install -d -o trailcam -g trailcam -m 750 /var/lib/trailcam
install -d -o trailcam -g trailcam -m 755 {UPDATE_FOLDER}
install -d -o root -g root -m 755 {INBOX}
if [ ! -e {UPDATE_FOLDER}/device-id ]; then
    printf '%s\\n' "$1" > {UPDATE_FOLDER}/device-id.new
    chmod 644 {UPDATE_FOLDER}/device-id.new
    chown trailcam:trailcam {UPDATE_FOLDER}/device-id.new
    mv {UPDATE_FOLDER}/device-id.new {UPDATE_FOLDER}/device-id
fi
chown trailcam:trailcam {UPDATE_FOLDER}/root.json
sync -f {UPDATE_FOLDER}
"""


@dataclass(frozen=True)
class Wanted:
    """What a device should be. ``roots`` are the repository's root metadata, oldest first; a device has any of them.

    ``device_id`` "" is the device's own host name.
    """

    software: Software
    roots: tuple[bytes, ...]
    root_sha256s: tuple[str, ...]
    device_id: str
    channel: str
    source: str = "picamera2"
    live: bool = False
    wheels: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Step:
    """One thing to do on a device as root: first the files are brought, then the script is run."""

    name: str
    script: str
    words: tuple[str, ...] = ()
    uploads: tuple[Upload, ...] = ()
    timeout_s: float = 120.0

    @property
    def size_bytes(self) -> int:
        """What goes over the line at most."""
        return sum(upload.size_bytes for upload in self.uploads)


def plan_provision(facts: Facts, wanted: Wanted) -> list[Step]:
    """Return what has to be done, in order; nothing for a device that has everything.

    Raises:
        HostError: the device belongs to another fleet, or cannot get what it lacks.
    """
    if facts.root_sha256 and facts.root_sha256 not in wanted.root_sha256s:
        raise HostError(
            f"{UPDATE_FOLDER}/root.json is of another release repository: this camera belongs to another fleet. If it "
            f'is to change hands: "sudo rm -r {UPDATE_FOLDER} {INBOX}" there, then try again.'
        )
    steps = []
    source = facts.source if facts.has_config else wanted.source  # a configuration that is there is the person's
    lacking = [each for each in facts.missing_packages if each != _CAMERA_PACKAGE or source.startswith("picamera2")]
    if lacking:
        named = ", ".join(lacking)
        if not facts.apt:
            raise HostError(f"it lacks {named}, and has no apt-get to install them.")
        steps.append(Step(f"packages: {named}", _PACKAGES_SCRIPT, tuple(lacking), timeout_s=1800))
    install = wanted.software.identity(facts.numpy)
    if facts.installed != install:
        steps.append(_install(facts, wanted, install))
    if steps or not facts.enabled or not facts.has_config:
        words = (wanted.source, INBOX, wanted.channel)
        steps.append(Step("service: user, unit, configuration", _SERVICE_SCRIPT, words))
    if wanted.live and not facts.has_config:
        steps.append(Step("live page on the local network, behind a token", _LIVE_SCRIPT))
    if not facts.root_sha256 or not facts.device_id:
        name = facts.device_id or wanted.device_id or host_id(facts.hostname)
        uploads = () if facts.root_sha256 else (Upload(wanted.roots[-1], f"{UPDATE_FOLDER}/root.json"),)
        steps.append(Step(f"trust: root of the releases, device id {name}", _TRUST_SCRIPT, (name,), uploads))
    return steps


def _install(facts: Facts, wanted: Wanted, install: str) -> Step:
    if lacking := lacking_projects(wanted.wheels, facts):
        version = ".".join(map(str, facts.python))
        raise HostError(
            f"the wheels of {', '.join(lacking)} are for another machine or Python, expected {facts.machine} and "
            f'{version}. Fetch them with "pip download --only-binary=:all: --platform manylinux_2_28_{facts.machine} '
            f'--python-version {version} --dest {wanted.wheels[0].parent} trailcam".'
        )
    uploads = [Upload(path, f"{_WHEELS}/{path.name}") for path in fitting_wheels(wanted.wheels, facts)]
    requirement = wanted.software.requirement
    if wanted.software.wheel is not None:
        requirement = f"{_WHEELS}/{wanted.software.wheel.name}"
        uploads.append(Upload(wanted.software.wheel, requirement))
    offline = ("--no-index", "--find-links", _WHEELS) if wanted.wheels else ()
    words = (install, _WHEELS, *offline, *wanted.software.constraints(facts.numpy), requirement)
    script = (_DATA / "install.sh").read_text(encoding="utf-8")
    return Step("install Trailcam in /opt/trailcam", script, words, tuple(uploads), timeout_s=3600)
