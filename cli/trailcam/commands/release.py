"""``trailcam release``: make a signed repository, add bundles to it, exchange its keys."""

import argparse
import getpass
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

from trailcam_edge.bundle import open_bundle
from trailcam_edge.errors import DeployError

__all__ = ["add_arguments", "run"]

_REPOSITORY, _KEYS = Path("release"), Path("release-keys")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``trailcam release``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    made = {
        name: actions.add_parser(name, help=meaning, description=f"{meaning.capitalize()}.", allow_abbrev=False)
        for name, meaning in (
            ("init", "make the keys and an empty repository"),
            ("add", "sign a bundle and make it the newest release"),
            ("renew", "sign the same releases again before their dates run out"),
            ("expire", "withdraw a version; the newest of the others takes its place"),
            ("rotate-keys", "exchange keys that sign releases, for example after a theft"),
        )
    }
    made["add"].add_argument("bundle", type=Path, metavar="BUNDLE")
    made["add"].add_argument("--channel", metavar="NAME", help="who gets it (default: the bundle's name)")
    made["add"].add_argument("--i-know", metavar="REASON", help="release it whatever the drift gate says; signed")
    made["expire"].add_argument("channel", metavar="CHANNEL")
    made["expire"].add_argument("version", metavar="VERSION")
    made["rotate-keys"].add_argument(
        "roles", nargs="*", metavar="ROLE", help="targets, snapshot, timestamp (default: all three)"
    )
    for name, action in made.items():
        action.add_argument("--repository", type=Path, default=_REPOSITORY, metavar="DIR", help="default: release")
        action.add_argument("--keys", type=Path, default=_KEYS, metavar="DIR", help="default: release-keys")
        if name in ("init", "rotate-keys"):
            action.add_argument(
                "--passphrase-file", type=Path, metavar="FILE", help="of the root key (default: asked for)"
            )


def run(arguments: argparse.Namespace) -> int:
    """Carry out one action."""
    from trailcam_deploy.release.drift_verdict import approve
    from trailcam_deploy.release.keys import KeyFolder
    from trailcam_deploy.release.repository import ONLINE_ROLES, ReleaseRepository

    repository = ReleaseRepository(arguments.repository, KeyFolder(arguments.keys), datetime.now(UTC))
    if arguments.action == "init":
        repository.init(_passphrase(arguments.passphrase_file, twice=True))
        print(f"{arguments.repository}: an empty repository. Devices are provisioned with metadata/1.root.json of it.")
        print(
            f"Copy {arguments.keys}/root.pem to two places that do not burn together, then delete it here. Without it, "
            "or without its passphrase, a stolen key cannot be shut out and every camera has to be visited.",
            file=sys.stderr,
        )
    elif arguments.action == "add":
        bundle = open_bundle(arguments.bundle)
        approval = approve(bundle, arguments.i_know)
        index = repository.add(bundle, arguments.channel or bundle.manifest.name, approval)
        print(f"{index.channel} {index.version}: release {index.number}, drift gate: {approval.verdict}")
        if approval.verdict == "inconclusive":
            print("trailcam: the test pictures were too few for the drift gate to decide.", file=sys.stderr)
    elif arguments.action == "expire":
        index = repository.expire(arguments.channel, arguments.version)
        print(f"{index.channel} {index.version}: release {index.number}")
    elif arguments.action == "renew":
        repository.renew()
        print(f"{arguments.repository}: signed again")
    else:
        roles = tuple(arguments.roles) or ONLINE_ROLES
        repository.rotate_keys(_passphrase(arguments.passphrase_file, twice=False), roles)
        print(f"{arguments.repository}: new keys for {', '.join(roles)}")
    return 0


def _passphrase(file: Path | None, twice: bool) -> str:
    """Ask for the root key's passphrase, or read it from a file that nobody else can read; never from arguments."""
    if file is not None:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise DeployError(f"{file}: others may read it. Run: chmod 600 {file}")
        return file.read_text(encoding="utf-8").rstrip("\n")
    text = getpass.getpass("Passphrase of the root key: ")
    if twice and text != getpass.getpass("Once more: "):
        raise DeployError("the two passphrases differ. Begin again.")
    return text
