"""Send files to a device: resumed after a lost connection, and each file complete or absent."""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trailcam_core.network.ssh.errors import HostError
from trailcam_deploy.ssh.connection import Connection
from trailcam_deploy.ssh.root_scripts import PRELUDE

# Words: path and size of each file. Prints how many bytes of each are there already.
_PREPARE = f"""{PRELUDE}
checked=
while [ $# -gt 0 ]; do
    path=$1 size=$2
    shift 2
    folder=$(dirname "$path")
    [ "$folder" = "$checked" ] || check_folder "$folder"
    checked=$folder
    mkdir -p "$folder"
    # Root alone can have made a link here; the bytes do not go where it leads.
    [ ! -L "$path.part" ] || rm "$path.part"
    have=$(stat -c %s "$path.part" 2>/dev/null || echo 0)
    [ "$have" -le "$size" ] || {{ rm "$path.part"; have=0; }}
    free=$(df -Pk "$folder" | awk 'NR == 2 {{ print $4 * 1024 }}')
    # 8 MB stay for everything else.
    awk -v free="$free" -v need="$((size - have))" 'BEGIN {{ exit !(free > need + 8000000) }}' || {{
        echo "$path: no space left for $size bytes. Free some space." >&2; exit 1; }}
    echo "$have"
done
"""
# Words: path and count of each file; its bytes come one after the other. "head -c" reads no byte more.
_APPEND = 'umask 077; while [ $# -gt 0 ]; do head -c "$2" >> "$1.part"; shift 2; done'
# Words: path, digest and mode of each file, which appear in this order. Prints the first that arrived damaged.
_FINISH = """
while [ $# -gt 0 ]; do
    path=$1 sha256=$2 mode=$3
    shift 3
    [ -e "$path.part" ] || : > "$path.part"
    if [ "$(sha256sum "$path.part" | cut -d ' ' -f 1)" != "$sha256" ]; then rm "$path.part"; echo "$path"; exit; fi
    chmod "$mode" "$path.part"
    sync "$path.part"
    mv -fT "$path.part" "$path"
    sync "$(dirname "$path")"
done
"""
_ATTEMPTS = 3
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Upload:
    """A file for a device: its content, as a path or bytes, and its path there, owned by root."""

    content: Path | bytes
    path: str
    mode: int = 0o644

    @property
    def size_bytes(self) -> int:
        """Return the size of the content."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @property
    def sha256(self) -> str:
        """Return the digest of the content."""
        with self.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any file

    def open(self) -> BinaryIO:
        """Open the content for reading."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else open(self.content, "rb")


def send_files(connection: Connection, uploads: Sequence[Upload], moved: Callable[[int], None]) -> int:
    """Send files, continuing where an earlier attempt was interrupted; return the number of bytes sent.

    They appear in their order, after all have arrived. Three commands serve any number of files: over LTE every
    command costs a quarter of a second.

    Args:
        connection: to the device.
        uploads: what to send.
        moved: called with the number of bytes that arrived; negative when they have to be sent again.

    Raises:
        HostError: there is no room, or the files arrive damaged.
    """
    sent, left = 0, list(uploads)
    for _ in range(_ATTEMPTS):
        if not left:
            break
        sizes = [word for upload in left for word in (upload.path, str(upload.size_bytes))]
        haves = [int(line) for line in connection.run(_PREPARE, *sizes).split()]
        moved(sum(haves))
        rests = [(upload, have) for upload, have in zip(left, haves, strict=True) if have < upload.size_bytes]
        if rests:
            counts = [word for upload, have in rests for word in (upload.path, str(upload.size_bytes - have))]
            connection.send(_APPEND, counts, _contents(rests), moved)
            sent += sum(upload.size_bytes - have for upload, have in rests)
        ends = [word for upload in left for word in (upload.path, upload.sha256, f"{upload.mode:o}")]
        damaged = connection.run(_FINISH, *ends, timeout_s=600).strip()
        # A damaged file ends the list: no file may appear before the files that it refers to.
        left = left[[upload.path for upload in left].index(damaged) :] if damaged else []
        moved(-sum(upload.size_bytes for upload in left))
    if left:
        raise HostError(f"{left[0].path}: arrived damaged {_ATTEMPTS} times. Check its disk and its memory.")
    return sent


def _contents(rests: Sequence[tuple[Upload, int]]) -> Iterator[bytes]:
    for upload, have in rests:
        with upload.open() as file:
            file.seek(have)
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
