"""The file of the page, and a policy that allows a browser to run only its script and style."""

import base64
import hashlib
import html
import re
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "data"
_MESSAGE = "<!--message-->"


@dataclass(frozen=True)
class Page:
    """The page and the login form, each with its Content-Security-Policy."""

    main: bytes
    policy: str
    login_text: str
    login_policy: str

    def login(self, message: str) -> bytes:
        """Return the form for the token, with a message above it."""
        return self.login_text.replace(_MESSAGE, html.escape(message)).encode("utf-8")


def read_page(folder: Path = _FOLDER) -> Page:
    """Read the files of the page."""
    main = (folder / "live.html").read_text(encoding="utf-8")
    login = (folder / "login.html").read_text(encoding="utf-8")
    return Page(main.encode("utf-8"), _policy(main), login, _policy(login))


def _policy(text: str) -> str:
    """Allow the script and style of the page by their digests, images and data of this server, and nothing else."""
    rules = ["default-src 'none'", "img-src 'self' blob: data:", "connect-src 'self'"]
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        for content in re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
            rules.append(f"{kind} 'sha256-{digest}'")
    return "; ".join([*rules, "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"])
