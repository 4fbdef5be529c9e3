"""Files of the card that make a camera of the board: the steps of a deployment as one script that may be repeated.

BOOT/trailcam/hook.sh          run once by the first start: installs a unit that runs the next one
BOOT/trailcam/first-boot.sh    the steps; removes itself at the end
BOOT/trailcam/files/N          their files, named by numbers: the partition is FAT
"""

import shlex
from dataclasses import dataclass, field, replace

from trailcam_deploy.device.facts import INBOX, Facts
from trailcam_deploy.device.provision import PACKAGES, DeviceSpec, ProvisionStep, plan_provision
from trailcam_deploy.device.release_diff import Published, builtin_digests, plan_push
from trailcam_deploy.sdcard.card import FOLDER, System
from trailcam_deploy.ssh.root_scripts import PRELUDE
from trailcam_deploy.ssh.transfer import Upload

_BOOT = f"/boot/firmware/{FOLDER}"
_UNIT = "trailcam-first-boot.service"
# Raspberry Pi OS 13 and 12, 64-bit, with Picamera2, which depends on apt's numpy.
_FRESH = {
    "cloud-init": Facts(bits=64, machine="aarch64", python=(3, 13), numpy=(2, 2), apt=True, missing_packages=PACKAGES),
    "custom.toml": Facts(
        bits=64, machine="aarch64", python=(3, 11), numpy=(1, 24), apt=True, missing_packages=PACKAGES
    ),
}
_HOOK_SCRIPT = f"""#!/bin/sh
# Written by "trailcam deploy sdcard". The network comes up later, so a unit does the work.
set -eu
cat > /etc/systemd/system/{_UNIT} <<'UNIT'
[Unit]
Description=Make a Trailcam camera of this machine
Wants=network-online.target
After=network-online.target
ConditionPathExists={_BOOT}/first-boot.sh

[Service]
Type=oneshot
ExecStart=/bin/sh {_BOOT}/first-boot.sh
# Without internet, or before the camera is plugged in: retry without end.
Restart=on-failure
RestartSec=60s

[Install]
WantedBy=multi-user.target
UNIT
sed -i 's| systemd\\.run=.*||' /boot/firmware/cmdline.txt
systemctl daemon-reload || true
systemctl enable {_UNIT}
# Under cloud-init the machine is up; at a start for the hook alone it is started again right after this.
if [ -d /run/cloud-init ]; then systemctl start --no-block {_UNIT}; fi
"""
_HEAD = f"""#!/bin/sh
# Written by "trailcam deploy sdcard": makes a camera of this machine. Each step may be repeated. Its log:
# journalctl -u {_UNIT}
set -eu
[ "$(getconf LONG_BIT)" = 64 ] || {{ echo "a 32-bit system: write the card anew with the 64-bit one" >&2; exit 1; }}
{PRELUDE}
bring() {{
    check_folder "$(dirname "$3")"
    mkdir -p "$(dirname "$3")"
    rm -f "$3.part"
    cp "{_BOOT}/files/$1" "$3.part"
    chmod "$2" "$3.part"
    sync "$3.part"
    mv -fT "$3.part" "$3"
}}
"""
_TAIL = f"""
echo "--- done"
systemctl enable trailcam
systemctl start --no-block trailcam
systemctl disable {_UNIT}
rm -r {_BOOT}
sync
"""
# Unattended: the built-in bundle is better than none, and the update timer tries again.
_REFUSED = "--- the release was not activated: the built-in bundle runs"
_MISSING = """
missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
set -- $missing
"""


@dataclass(frozen=True)
class CardFiles:
    """The files below ``trailcam/`` of the boot partition."""

    texts: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(len(text.encode()) for text in self.texts.values()) + sum(
            upload.size_bytes for upload in self.uploads.values()
        )


def fresh_facts(system: System, source: str) -> Facts:
    """Return the facts of a fresh system that the steps depend on; apt installs numpy only with Picamera2."""
    return _FRESH[system] if source.startswith("picamera2") else replace(_FRESH[system], numpy=())


def card_files(system: System, spec: DeviceSpec, published: Published) -> CardFiles:
    """Return the files that make a camera of a fresh system.

    Args:
        system: on the card.
        spec: of the device; with wheels the board needs no package index.
        published: the releases; the newest of the channel is on the card.
    """
    steps = plan_provision(fresh_facts(system, spec.source), spec)
    release = plan_push(published, published.files(spec.channel, builtin_digests()), {})
    update = ProvisionStep(
        "release",
        "release: verify, self-test, activate",
        f'as_service /opt/trailcam/bin/trailcam update {INBOX} --channel "$1"',
        (spec.channel,),
        tuple(release),
    )
    lines = [_HEAD]
    uploads: dict[str, Upload] = {}
    for number, step in enumerate([*steps, update]):
        lines.append(f"echo {shlex.quote('--- ' + step.name)}")
        for upload in step.uploads:
            name = str(len(uploads))
            uploads[f"files/{name}"] = upload
            lines.append(f"bring {name} {upload.mode:o} {shlex.quote(upload.path)}")
        body = step.script
        if step.kind == "packages":
            body = f"{_MISSING}\nif [ $# -gt 0 ]; then\n{step.script}\nfi"
        words = " ".join(shlex.quote(word) for word in step.words)
        or_else = f" || echo {shlex.quote(_REFUSED)}" if step.kind == "release" else ""
        lines.append(f"step{number}() {{\n{body}\n}}\n(step{number} {words}) </dev/null{or_else}")
    texts = {"hook.sh": _HOOK_SCRIPT, "first-boot.sh": "\n".join([*lines, _TAIL])}
    return CardFiles(texts, uploads)
