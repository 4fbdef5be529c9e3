"""The clips of a field test that are done, so that a test of hours goes on after a stop."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from trailcam_benchmarks.field.measure import ClipResult
from trailcam_benchmarks.field.plan import PlannedClip
from trailcam_core.errors import SourceError, reason_of

JOURNAL = "clips.jsonl"


class Journal:
    """Results of clips by everything that decides them: model, scene, cut-outs, settings, seed.

    A record is one line of ``clips.jsonl``: ``key`` and ``result``. A line that was cut off by a kill is left out, and
    that of another model or plan is never found.
    """

    def __init__(self, folder: Path, model: str) -> None:
        """Read the journal of ``folder``, if there is one.

        Args:
            folder: of the results.
            model: digest of the model and of the settings that it runs with.

        Raises:
            SourceError: it cannot be read.
        """
        self._path = folder / JOURNAL
        self._model = model
        self._results = dict(self._read())

    def find(self, clip: PlannedClip) -> ClipResult | None:
        """Return the result of a clip, or None."""
        return self._results.get(self._key(clip))

    def add(self, clip: PlannedClip, result: ClipResult) -> None:
        """Append a result.

        Raises:
            OSError: the disk is full or read-only.
        """
        record = {"key": self._key(clip), "result": asdict(result)}
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(f"{json.dumps(record, ensure_ascii=False)}\n")

    def _key(self, clip: PlannedClip) -> str:
        scene = clip.scene.stat()
        digest = hashlib.sha256(f"{self._model} {clip.condition} {clip.seed} {clip.settings}".encode())
        digest.update(f"{clip.scene} {scene.st_size} {scene.st_mtime_ns}".encode())
        for cut_out in clip.cut_outs:
            digest.update(f"{cut_out.label} {cut_out.rgba.shape}".encode())
            digest.update(cut_out.rgba.tobytes())
        return digest.hexdigest()

    def _read(self) -> Iterator[tuple[str, ClipResult]]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(
                f"{self._path}: cannot be read ({reason_of(error)}). Name another folder for --out."
            ) from error
        for line in text.splitlines():
            try:
                record = json.loads(line)
                result = record["result"]
                yield (
                    str(record["key"]),
                    ClipResult(**result | {name: tuple(result[name]) for name in ("labels", "visits")}),
                )
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # cut off, or of an earlier Trailcam with other fields: that clip is measured again
        if text and not text.endswith("\n"):
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write("\n")
