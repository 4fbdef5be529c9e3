"""Beginning of the scripts that root runs on a device: file modes, safe folders, and the rights of the service."""

from pathlib import Path

PRELUDE = (Path(__file__).parents[1] / "data" / "prelude.sh").read_text(encoding="utf-8")
