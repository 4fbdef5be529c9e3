"""Options that ``trailcam deploy`` and ``trailcam deploy sdcard`` share: the release and the software for devices."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam import __version__
from trailcam.model_options import usage_error
from trailcam.source_option import add_source_file_argument

if TYPE_CHECKING:
    from trailcam_deploy.device.job import Payload
    from trailcam_deploy.operator_folder import OperatorFolder


def add_release_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the release and the software, as groups."""
    release = parser.add_argument_group("release")
    release.add_argument("--channel", metavar="NAME", help="channel of the devices (default: the bundle's name)")
    release.add_argument("--i-know", metavar="REASON", help="release against the drift gate; the reason is signed")
    camera = parser.add_argument_group("a new configuration")
    camera.add_argument("--source", metavar="SOURCE", help="camera, for a new configuration (picamera2)")
    add_source_file_argument(camera)
    camera.add_argument(
        "--live", action="store_true", help="the live page of a new configuration listens on the network, with a token"
    )
    software = parser.add_argument_group("software of the device")
    dependencies = software.add_mutually_exclusive_group()
    dependencies.add_argument(
        "--wheels", type=Path, metavar="DIR", help="install from these wheels: the device needs no package index"
    )
    dependencies.add_argument(
        "--newest",
        action="store_true",
        help="install the newest dependencies of the package index, instead of pinned versions with digests",
    )


def prepare_payload(
    arguments: argparse.Namespace, folder: "OperatorFolder", channels: Sequence[str | None] = ()
) -> "Payload":
    """Create keys and repository on first use, release the bundle, and return everything that devices get.

    ``channels`` are those of the devices. A dry run comes with a copy of the operator's folder.
    """
    from trailcam_core.bundle.folder import open_bundle
    from trailcam_deploy.device.job import Payload
    from trailcam_deploy.device.release_diff import read_published
    from trailcam_deploy.device.wheels import list_wheels, this_software

    bundle = None if arguments.bundle is None else open_bundle(arguments.bundle)
    first = next((name for name in channels if name), "")
    channel = arguments.channel or (bundle.manifest.name if bundle else first)
    if not channel:
        usage_error("name a bundle, or with --channel the channel whose newest release is to be installed")
    if folder.create_if_missing() and not getattr(arguments, "dry_run", False):
        print(
            f"trailcam: made a release repository and its keys in {folder.folder}.\n"
            f"  {folder.folder}/keys/root.pem and root-passphrase control the fleet: copy both to two places that do\n"
            "  not burn together, then delete them here. They are needed again only to exchange keys.",
            file=sys.stderr,
        )
    if bundle is not None and (released := folder.release(bundle, channel, arguments.i_know)) is not None:
        print(f"trailcam: {released}", file=sys.stderr)
    if folder.renew_if_due():
        print("trailcam: the releases were signed again before their signatures expire.", file=sys.stderr)
    published = read_published(folder.folder / "release")
    for each in {arguments.channel or name or channel for name in channels}:
        published.index(each)  # refuse a channel without a release before any device is changed
    software = this_software(__version__, folder.folder / "wheels")
    wheels = list_wheels(arguments.wheels) if arguments.wheels else ()
    return Payload(published, channel, folder.roots(), software, wheels, arguments.newest)
