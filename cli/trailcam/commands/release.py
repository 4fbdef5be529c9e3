"""``trailcam release``: create a signed repository, add bundles, choose the cameras that get them, exchange keys."""

import argparse
import getpass
import json
import stat
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.terminal import show_note, show_report
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import DeployError

if TYPE_CHECKING:
    from trailcam_core.release.index import Offer, ReleaseIndex
    from trailcam_deploy.release.repository import ReleaseRepository

_REPOSITORY, _KEYS = Path("release"), Path("release-keys")
_BACKUP = (
    "two places that do not burn together, then delete it here. Without it, or without its passphrase, a stolen key "
    "cannot be revoked and every camera has to be visited."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``trailcam release``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    made = {
        name: actions.add_parser(name, help=meaning, description=f"{meaning.capitalize()}.", allow_abbrev=False)
        for name, meaning in (
            ("init", "create the keys and an empty repository"),
            ("add", "sign a bundle and make it the newest release"),
            ("widen", "offer a release to more cameras"),
            ("stop", "offer a release to no more cameras; those that have it keep it"),
            ("expire", "withdraw a version; cameras that have it go to the newest of the others"),
            ("status", "list the releases, their cameras and the expiry of the signatures"),
            ("renew", "sign the same releases again before their dates run out"),
            ("rotate-keys", "exchange keys, for example after a theft"),
        )
    }
    made["add"].add_argument("bundle", type=Path, metavar="BUNDLE")
    made["add"].add_argument("--channel", metavar="NAME", help="channel of the cameras (default: the bundle's name)")
    made["add"].add_argument(
        "--percent",
        type=int,
        default=100,
        metavar="P",
        help="percentage of the cameras, 1 to 100, chosen by their ids (100)",
    )
    made["add"].add_argument("--i-know", metavar="REASON", help="release against the drift gate; the reason is signed")
    made["add"].add_argument("--dry-run", action="store_true", help="print download sizes, change nothing")
    made["widen"].add_argument("channel", metavar="CHANNEL")
    made["widen"].add_argument("percent", type=int, metavar="PERCENT", help="percentage of the cameras, up to 100")
    made["stop"].add_argument("channel", metavar="CHANNEL")
    for name in ("widen", "stop"):
        made[name].add_argument("--release", metavar="VERSION", help="version (default: the newest)")
    made["expire"].add_argument("channel", metavar="CHANNEL")
    made["expire"].add_argument("version", metavar="VERSION")
    made["status"].add_argument("--json", action="store_true", help="as one JSON object")
    made["rotate-keys"].add_argument(
        "roles", nargs="*", metavar="ROLE", help="root, targets, snapshot, timestamp (default: all but root)"
    )
    made["rotate-keys"].add_argument(
        "--new-passphrase-file", type=Path, metavar="FILE", help="of the new root key (default: prompt)"
    )
    for name, action in made.items():
        action.add_argument("--repository", type=Path, default=_REPOSITORY, metavar="DIR", help="default: release")
        action.add_argument("--keys", type=Path, default=_KEYS, metavar="DIR", help="default: release-keys")
        if name in ("init", "rotate-keys"):
            action.add_argument(
                "--passphrase-file", type=Path, metavar="FILE", help="of the root key (default: prompt)"
            )


def run(arguments: argparse.Namespace) -> int:
    """Run one action."""
    from trailcam_deploy.release.keys import KeyFolder
    from trailcam_deploy.release.repository import ReleaseRepository

    repository = ReleaseRepository(arguments.repository, KeyFolder(arguments.keys), datetime.now(UTC))
    actions: dict[str, Callable[[ReleaseRepository, argparse.Namespace], None]] = {
        "init": _init,
        "add": _add,
        "widen": lambda repository, words: _print_offers(repository.widen(words.channel, words.percent, words.release)),
        "stop": lambda repository, words: _print_offers(repository.stop(words.channel, words.release)),
        "expire": lambda repository, words: _print_offers(repository.expire(words.channel, words.version)),
        "status": _status,
        "renew": _renew,
        "rotate-keys": _rotate_keys,
    }
    actions[arguments.action](repository, arguments)
    return 0


def _init(repository: "ReleaseRepository", arguments: argparse.Namespace) -> None:
    repository.init(_passphrase("the root key", arguments.passphrase_file, twice=True))
    show_report(
        [f"{arguments.repository}: an empty repository. Cameras are provisioned with the newest metadata/N.root.json."]
    )
    show_note(f"Copy {arguments.keys}/root.pem to {_BACKUP}", sys.stderr)


def _add(repository: "ReleaseRepository", arguments: argparse.Namespace) -> None:
    from trailcam_deploy.release.drift_verdict import approve

    bundle = open_bundle(arguments.bundle)
    channel = arguments.channel or bundle.manifest.name
    approval = approve(bundle, arguments.i_know)
    plan = repository.plan(bundle, channel)
    for cost in plan.costs:
        share = cost.fetched_bytes / plan.whole_bytes
        print(f"a camera with {cost.who}: fetches {cost.fetched_bytes:,} bytes, {share:.1%} of the whole")
    if approval.verdict == "inconclusive":
        print("trailcam: the test pictures were too few for the drift gate to decide.", file=sys.stderr)
    if arguments.dry_run:
        print(f"{channel} {plan.version}: would be released, drift gate: {approval.verdict}. Nothing was changed.")
        return
    index = repository.add(bundle, channel, approval, arguments.percent)
    print(f"{index.channel} {index.version}: release {index.number}, drift gate: {approval.verdict}")
    _print_offers(index)


def _status(repository: "ReleaseRepository", arguments: argparse.Namespace) -> None:
    status = repository.status()
    if arguments.json:
        releases = [
            {"channel": release.channel, "drift_gate": release.drift_gate, "i_know": release.i_know}
            | asdict(release.offer)
            for release in status.releases
        ]
        expiry = {role: moment.isoformat() for role, moment in status.expiry.items()}
        print(json.dumps({"releases": releases, "expires": expiry}, indent=2))
        return
    for release in status.releases:
        knew = f" ({release.i_know})" if release.i_know else ""
        print(f"{_describe(release.channel, release.offer)}, drift gate: {release.drift_gate}{knew}")
    for role, moment in status.expiry.items():
        print(f"{role}: signed until {moment:%Y-%m-%d}, {(moment - repository.now).days} days")


def _renew(repository: "ReleaseRepository", arguments: argparse.Namespace) -> None:
    repository.renew()
    print(f"{arguments.repository}: signed again")


def _rotate_keys(repository: "ReleaseRepository", arguments: argparse.Namespace) -> None:
    from trailcam_deploy.release.metadata import ONLINE_ROLES

    roles = tuple(arguments.roles) or ONLINE_ROLES
    passphrase = _passphrase("the root key", arguments.passphrase_file, twice=False)
    new = _passphrase("the new root key", arguments.new_passphrase_file, twice=True) if "root" in roles else None
    repository.rotate_keys(passphrase, roles, new)
    print(f"{arguments.repository}: new keys for {', '.join(roles)}")
    if "root" in roles:
        show_note(f"Copy the new {arguments.keys}/root.pem to {_BACKUP} The old one is revoked.", sys.stderr)


def _print_offers(index: "ReleaseIndex") -> None:
    for offer in index.offers:
        print(_describe(index.channel, offer))


def _describe(channel: str, offer: "Offer") -> str:
    state = "stopped, cameras that have it keep it" if offer.stopped else f"for {offer.percent} % of the cameras"
    return f"{channel} {offer.version}: {state}"


def _passphrase(key: str, file: Path | None, twice: bool) -> str:
    """Ask for the passphrase of a key, or read it from a private file; never from arguments."""
    if file is not None:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise DeployError(f"{file}: other users can read it. Run: chmod 600 {file}")
        try:
            return file.read_text(encoding="utf-8-sig").rstrip("\n")
        except UnicodeDecodeError as error:
            raise DeployError(f"{file}: is no text in UTF-8, expected a passphrase in its first line.") from error
    if not sys.stdin.isatty():
        raise DeployError(
            f"the passphrase of {key} is asked for at a terminal, and there is none. Write it to a file of mode "
            "600 and name that with --passphrase-file."
        )
    text = getpass.getpass(f"Passphrase of {key}: ")
    if twice and text != getpass.getpass("Once more: "):
        raise DeployError("the two passphrases differ. Begin again.")
    return text
