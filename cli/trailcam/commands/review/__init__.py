"""``trailcam review``: review the visits of a store on this computer, on the pages that a camera serves."""

import argparse
import getpass
import logging
import webbrowser
from pathlib import Path

from trailcam.logs import add_logging_arguments, configure_logging
from trailcam.process.signals import stop_on_signals
from trailcam_core.files.secret_file import read_secret
from trailcam_edge.live.access import Access, new_token, parse_address
from trailcam_edge.live.latest_picture import LiveView
from trailcam_edge.live.pages.computer import StoreReports
from trailcam_edge.live.server import serve_live
from trailcam_edge.live.settings import LiveSettings

_log = logging.getLogger(__name__)
_VIEWERS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam review``."""
    parser.add_argument("store", type=Path, metavar="STORE", help="the folder of an event store, or a copy of it")
    parser.add_argument(
        "--serve",
        nargs="?",
        const=LiveSettings().address,
        metavar="HOST:PORT",
        help=f"serve the pages to other browsers too, and open none here ({LiveSettings().address})",
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="the token, instead of a new one each time")
    parser.add_argument("--reviewer", metavar="NAME", help="name for reviews (default: your user name)")
    add_logging_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve the pages until Ctrl-C."""
    configure_logging(arguments)
    address = parse_address(arguments.serve or "127.0.0.1:0")
    token = new_token() if arguments.token_file is None else read_secret(arguments.token_file, "token")
    with StoreReports(arguments.store, arguments.reviewer or _user()) as reports, stop_on_signals() as stop:
        server = serve_live(address, Access(address, token), _VIEWERS, LiveView(), reports)
        try:
            shown = address.shown if address.port else f"{address.host}:{server.port}"
            link = f"http://{shown}/" + (f"?token={token}" if arguments.token_file is None else "")
            print(f"Review at {link}\nCtrl-C ends it.", flush=True)
            if arguments.serve is None:
                webbrowser.open(link)
            stop.event.wait()
        finally:
            server.stop()
    return 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        return "reviewer"
