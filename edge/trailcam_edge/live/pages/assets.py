"""Style and script files of the pages, and the policy that lets a browser run nothing else."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "data" / "pages"
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self' blob: data:",
        "media-src 'self'",
        "connect-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True)
class Assets:
    """The files by name, and a digest of them all: it is in their addresses, so browsers may keep them."""

    files: dict[str, bytes]
    digest: str

    def path(self, name: str) -> str:
        """Return the address of a file."""
        return f"/assets/{self.digest}/{name}"

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Return media type and content of an address, None if there is no such file."""
        name = path.rpartition("/")[2]
        content = self.files.get(name)
        return None if content is None else (_KINDS[Path(name).suffix], content)


def read_assets(folder: Path = _FOLDER) -> Assets:
    """Read the files."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _KINDS}
    return Assets(files, hashlib.sha256(b"\0".join(files.values())).hexdigest()[:12])
