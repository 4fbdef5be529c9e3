"""Bring files to a device: a cut line costs only what had not arrived, and a file is there whole or not at all."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trailcam_deploy.ssh import Connection
from trailcam_deploy.ssh_errors import HostError

__all__ = ["Upload", "send_file"]

_PREPARE = """
path=$1 size=$2
mkdir -p "$(dirname "$path")"
have=$(stat -c %s "$path.part" 2>/dev/null || echo 0)
[ "$have" -le "$size" ] || { rm "$path.part"; have=0; }
free=$(df -Pk "$(dirname "$path")" | awk 'NR == 2 { print $4 * 1024 }')
# awk, because the shell of a 32-bit tool may count to 2 GB only; 8 MB stay for everything else.
awk -v free="$free" -v need="$((size - have))" 'BEGIN { exit !(free > need + 8000000) }' || {
    echo "$path: no space left for $size bytes. Free some space." >&2; exit 1; }
echo "$have"
"""
_FINISH = """
path=$1 sha256=$2 mode=$3
[ -e "$path.part" ] || : > "$path.part"
if [ "$(sha256sum "$path.part" | cut -d ' ' -f 1)" != "$sha256" ]; then rm "$path.part"; echo damaged; exit; fi
chmod "$mode" "$path.part"
sync "$path.part"
mv "$path.part" "$path"
sync "$(dirname "$path")"
"""
_ATTEMPTS = 2


@dataclass(frozen=True)
class Upload:
    """A file for a device: its content here, a path or bytes, and its place there, owned by root."""

    content: Path | bytes
    path: str
    mode: int = 0o644

    @property
    def size_bytes(self) -> int:
        """How much it is."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @property
    def sha256(self) -> str:
        """Its digest."""
        with self.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any file

    def open(self) -> BinaryIO:
        """Return it for reading."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else open(self.content, "rb")


def send_file(connection: Connection, upload: Upload, moved: Callable[[int], None]) -> int:
    """Send a file, going on where an earlier attempt was cut off; return the bytes that went over the line.

    Raises:
        HostError: there is no room, or what arrives is not what was sent.
    """
    sent = 0

    def count(size: int) -> None:
        nonlocal sent
        sent += size
        moved(size)

    for _ in range(_ATTEMPTS):
        have = int(connection.run(_PREPARE, upload.path, str(upload.size_bytes)).strip())
        with upload.open() as file:
            file.seek(have)
            moved(have)
            if have < upload.size_bytes:
                connection.send(file, upload.path + ".part", count)
        said = connection.run(_FINISH, upload.path, upload.sha256, f"{upload.mode:o}", timeout_s=300)
        if not said.strip():
            return sent
        moved(-upload.size_bytes)
    raise HostError(f"{upload.path}: what arrives is not what was sent, twice. Is its disk or its memory dying?")
