"""Runs on a camera, as the user of its service: write what a computer at home lacks of a store to standard output.

Arguments: the folder of the store, and the most bytes of pictures and clips. Standard input: the names of those that
are known, one per line. Output: for each file a line of JSON with "name" and "size", then its bytes; at last a line
with "left", the number of pictures and clips that did not fit.
"""

import json
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile
from typing import BinaryIO

store, budget = pathlib.Path(sys.argv[1]), int(sys.argv[2])
known = {line.strip() for line in sys.stdin}
out: BinaryIO = sys.stdout.buffer


def put(name: str, file: BinaryIO) -> int:
    """Write one file and return its size."""
    size = os.fstat(file.fileno()).st_size
    out.write(json.dumps({"name": name, "size": size}).encode() + b"\n")
    rest = size
    while rest:
        chunk = file.read(min(rest, 1 << 16))
        if not chunk:  # it was shortened meanwhile: the receiver must not take it for whole
            sys.exit(f"{name}: changed while it was read. Run the command again.")
        out.write(chunk)
        rest -= len(chunk)
    return size


database = store / "events.db"
if not database.is_file():
    sys.exit(f"{database}: no such file. This camera has no store there; --store names its folder.")
if shutil.disk_usage(store).free < 2 * database.stat().st_size + 8_000_000:
    sys.exit(f"{store}: no space left for a copy of the database. Free some space.")
with tempfile.NamedTemporaryFile(dir=store, prefix=".collect-") as copy:
    live = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    frozen = sqlite3.connect(copy.name)
    live.backup(frozen)  # consistent, while the camera goes on
    rows = frozen.execute("SELECT visit_id FROM visits WHERE picture_bytes > 0 ORDER BY event_id DESC").fetchall()
    if frozen.execute("SELECT 1 FROM sqlite_master WHERE name = 'samples'").fetchone():  # first: they are few
        rows[:0] = frozen.execute(
            "SELECT sample_id FROM samples WHERE picture_bytes > 0 ORDER BY number DESC"
        ).fetchall()
    names = [f"pictures/{name}.jpg" for (name,) in rows]
    if frozen.execute("SELECT 1 FROM sqlite_master WHERE name = 'clips'").fetchone():  # a former Trailcam has none
        clips = frozen.execute("SELECT visit_id FROM clips JOIN visits USING (visit_id) ORDER BY event_id DESC")
        names += [f"clips/{visit_id}.mp4" for (visit_id,) in clips]  # after the pictures, which are worth more
    frozen.close()
    live.close()
    with open(copy.name, "rb") as content:
        put("events.db", content)
left = 0
for name in names:
    if name in known:
        continue
    try:
        with open(store / name, "rb") as content:
            if left or os.fstat(content.fileno()).st_size > budget:
                left += 1
                continue
            budget -= put(name, content)
    except FileNotFoundError:  # deleted for room meanwhile
        continue
out.write(json.dumps({"left": left}).encode() + b"\n")
out.flush()
