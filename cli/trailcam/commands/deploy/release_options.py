"""What ``trailcam deploy`` and ``trailcam deploy sdcard`` share: the release that is brought, and the software."""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam import __version__
from trailcam.commands.model_options import usage_error

if TYPE_CHECKING:
    from trailcam_deploy.device.release_diff import Published
    from trailcam_deploy.device.wheels import Software
    from trailcam_deploy.operator_folder import Home

__all__ = ["add_release_arguments", "builtin_digests", "chosen_software", "prepare_release"]


def add_release_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a device gets."""
    parser.add_argument("--channel", metavar="NAME", help="what the devices follow (default: the bundle's name)")
    parser.add_argument("--source", metavar="SOURCE", help="camera, for a new configuration (picamera2)")
    parser.add_argument(
        "--live", action="store_true", help="the live page of a new configuration listens on the network, with a token"
    )
    parser.add_argument("--i-know", metavar="REASON", help="release it whatever the drift gate says; signed")
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="install from these wheels: the device needs no index"
    )


def chosen_software(arguments: argparse.Namespace, home: "Home") -> "tuple[Software, tuple[Path, ...]]":
    """Return the Trailcam that devices get, and the wheels that are brought along."""
    from trailcam_deploy.device.wheels import list_wheels, this_software

    software = this_software(__version__, home.folder / "wheels")
    return software, list_wheels(arguments.wheels) if arguments.wheels else ()


def prepare_release(
    arguments: argparse.Namespace, home: "Home", named: Sequence[str | None]
) -> "tuple[Published, str]":
    """Make keys and repository on first use, add the bundle, and return what is offered and the channel.

    ``named`` are the channels that the inventory gives to the devices. A dry run comes with a home that is a copy.
    """
    from trailcam_core.bundle.folder import open_bundle
    from trailcam_deploy.device.release_diff import read_published

    bundle = None if arguments.bundle is None else open_bundle(arguments.bundle)
    others = next((name for name in named if name), "")
    channel = arguments.channel or (bundle.manifest.name if bundle else others)
    if not channel:
        usage_error("without BUNDLE, name the --channel whose newest release should be brought")
    if home.ensure() and not getattr(arguments, "dry_run", False):
        print(
            f"trailcam: made a release repository and its keys in {home.folder}.\n"
            f"  {home.folder}/keys/root.pem and root-passphrase are the fleet: copy both to two places that do not\n"
            "  burn together, then delete them here. They are needed again only to exchange keys.",
            file=sys.stderr,
        )
    if bundle is not None and (added := home.release(bundle, channel, arguments.i_know)) is not None:
        print(f"trailcam: {added}", file=sys.stderr)
    if home.keep_fresh():
        print("trailcam: the releases were signed again, their dates were running out.", file=sys.stderr)
    published = read_published(home.folder / "release")
    for each in {arguments.channel or name or channel for name in named}:
        published.index(each)
    return published, channel


def builtin_digests() -> frozenset[str]:
    """Return the digests of the files of the built-in bundle, which every device has."""
    from trailcam_core.classifier import BUILTIN_BUNDLE

    files = [path for path in BUILTIN_BUNDLE.iterdir() if path.is_file()]
    return frozenset(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
