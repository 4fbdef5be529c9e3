"""Resize the photographs of ``trailcam demo`` by one fixed rule and list each with its author and licence.

    python tools/prepare_demo_photographs.py FOLDER

``FOLDER/photos.json`` lists the photographs with name, label, author, licence and origin. Every whole photograph with
one of the licences below is taken: no model is asked, and none is left out for an answer. Crops and cut-outs of the
same photographs are left out. Share-alike photographs go into a folder with their licence.
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2

DEMO = Path(__file__).parents[1] / "edge/trailcam_edge/data/demo"
SHARE_ALIKE = "share_alike"
LONGER_SIDE_PX = 640
WEBP_QUALITY = 75

_CREATIVE_COMMONS = "https://creativecommons.org/"
LICENCES = {
    "Public Domain": _CREATIVE_COMMONS + "publicdomain/mark/1.0/",
    "CC0-1.0": _CREATIVE_COMMONS + "publicdomain/zero/1.0/",
    "CC-BY-2.0": _CREATIVE_COMMONS + "licenses/by/2.0/",
    "CC-BY-4.0": _CREATIVE_COMMONS + "licenses/by/4.0/",
    "CC-BY-SA-2.5": _CREATIVE_COMMONS + "licenses/by-sa/2.5/",
    "CC-BY-SA-3.0": _CREATIVE_COMMONS + "licenses/by-sa/3.0/",
    "CC-BY-SA-4.0": _CREATIVE_COMMONS + "licenses/by-sa/4.0/",
}
_KINDS = ("animal", "other", "empty")
_CHANGES = f"resized to {LONGER_SIDE_PX} px at most, encoded as WebP"
_SHARE_ALIKE_NOTE = """# Share-alike photographs

The photographs in this folder are separate works beside the program. The licence of Trailcam does not cover them.
Each has the Creative Commons Attribution-ShareAlike licence that its line names.
To redistribute one of them, or a picture made from it, name the author and use the same licence.
Changes made here: {changes}.

"""


def main() -> int:
    """Write the photographs, ``frames.json`` and the licence note; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs and their photos.json")
    folder = parser.parse_args().folder
    listed = json.loads((folder / "photos.json").read_text(encoding="utf-8"))
    entries = [(item, describe(item)) for item in listed if is_shippable(item)]
    entries.sort(key=lambda pair: (_KINDS.index(pair[1]["kind"]), pair[1]["shows"], pair[1]["file"]))
    shutil.rmtree(DEMO / SHARE_ALIKE, ignore_errors=True)
    for old in DEMO.glob("*.webp"):
        old.unlink()
    (DEMO / SHARE_ALIKE).mkdir(parents=True)
    for item, entry in entries:
        resize(folder / item["file"], DEMO / entry["file"])
    records = [entry for _, entry in entries]
    (DEMO / "frames.json").write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (DEMO / SHARE_ALIKE / "LICENCE.md").write_text(share_alike_note(records), encoding="utf-8")
    print(f"{len(entries)} of {len(listed)} pictures: {DEMO}")
    return 0


def is_shippable(item: dict[str, Any]) -> bool:
    """Return whether this is a whole photograph under one of the licences."""
    return licence_of(item) in LICENCES and not item["alpha"] and "note" not in item


def licence_of(item: dict[str, Any]) -> str:
    """Return the short name of the licence; CC0 has one version."""
    return "CC0-1.0" if item["licence"] == "CC0" else str(item["licence"])


def describe(item: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of ``frames.json``: what the photograph shows, and to whom it belongs."""
    licence = licence_of(item)
    name = item["name"]
    kind, _, rest = name.partition("_")
    if kind not in ("other", "empty"):
        kind, rest = "animal", item["label"]
    path = re.sub(r"^.*?(?=usr/share/|usr/lib/)|^.*src/activities/", "", item["path"])
    origin = f"Debian package {item['package']}: {path}"
    return {
        "file": f"{SHARE_ALIKE}/{name}.webp" if "-SA-" in licence else f"{name}.webp",
        "kind": kind,
        "shows": re.sub(r"[_-]", " ", rest),
        "expected": item["label"] if kind == "animal" else None,
        "author": item["author"],
        "licence": licence,
        "licence_url": LICENCES[licence],
        "origin": f"{item['source']} ({origin})" if item["source"].startswith("https:") else origin,
        "licence_stated_in": item["where"].partition(";")[0],
        "changes": _CHANGES,
    }


def resize(source: Path, target: Path) -> None:
    """Write ``source`` as WebP with a longer side of at most ``LONGER_SIDE_PX``; smaller pictures keep their size."""
    image = cv2.imread(str(source))
    if image is None:
        sys.exit(f"{source}: cannot be read as a picture.")
    scale = LONGER_SIDE_PX / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])
    target.write_bytes(encoded.tobytes())


def share_alike_note(records: list[dict[str, Any]]) -> str:
    """Return the licence note of the share-alike folder, with a line for each of its photographs."""
    lines = [
        f"- `{Path(record['file']).name}`: {record['author']}, [{record['licence']}]({record['licence_url']}). "
        f"{record['origin']}.\n"
        for record in records
        if record["file"].startswith(f"{SHARE_ALIKE}/")
    ]
    return _SHARE_ALIKE_NOTE.format(changes=_CHANGES) + "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
