"""The drift gate's verdict on a bundle, from the ``drift.json`` that ``trailcam export`` writes beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trailcam_core.bundle.folder import Bundle
from trailcam_core.errors import DeployError

_MAX_BYTES = 64_000_000
_SAME = 1e-9  # both are written by repr of the same doubles
_MAX_REASON = 500


@dataclass(frozen=True)
class Approval:
    """Grounds for a release: the gate's verdict, and the operator's reason where the gate objects."""

    verdict: str
    i_know: str | None = None

    def record(self) -> dict[str, str]:
        """Return the entry of the signed metadata."""
        return {"drift_gate": self.verdict} | ({"i_know": self.i_know} if self.i_know else {})


def approve(bundle: Bundle, i_know: str | None = None) -> Approval:
    """Check whether a bundle may be released.

    Args:
        bundle: with ``drift.json`` beside its folder.
        i_know: the operator's reason to release it against the gate; it is signed and public.

    Raises:
        DeployError: the verdict is missing, failed, or belongs to another file, and ``i_know`` is None.
    """
    if i_know is not None and not (1 <= len(i_know) <= _MAX_REASON and i_know.isprintable()):
        raise DeployError(f"--i-know: give a reason of 1 to {_MAX_REASON} characters in one line.")
    path = bundle.path.absolute().parent / "drift.json"
    try:
        verdict = _verdict(bundle, path)
    except DeployError as error:
        if i_know is None:
            raise DeployError(
                f'{error} Run "trailcam export" again, or give a reason to release it: --i-know REASON.'
            ) from error
        return Approval("missing", i_know)
    if verdict == "fail" and i_know is None:
        raise DeployError(
            f"{path}: {bundle.path.name} failed the drift gate: its answers differ from its float model's. "
            "See report.html beside it. Repair it with --fix, or give a reason to release it: --i-know REASON."
        )
    return Approval(verdict, i_know)


def _verdict(bundle: Bundle, path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DeployError(f"{path}: larger than {_MAX_BYTES:,} bytes.")
        record = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DeployError(f"{path}: missing, expected the drift gate's verdict on {bundle.path.name}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DeployError(f"{path}: cannot be read ({str(error)[:120]}).") from error
    try:
        rows = [row for row in record["variants"] if _belongs(bundle, record, row)]
        verdicts = [row["verdict"] for row in rows]
    except (KeyError, TypeError) as error:
        raise DeployError(f"{path}: is no record of the drift gate ({error!r}).") from error
    if len(verdicts) != 1 or verdicts[0] not in ("pass", "fail", "inconclusive"):
        raise DeployError(f"{path}: has no verdict on this bundle, {bundle.path.name}.")
    return str(verdicts[0])


def _belongs(bundle: Bundle, record: dict[str, Any], row: dict[str, Any]) -> bool:
    """Compare the gate's figures with the manifest's; the record has no digest."""
    manifest = bundle.manifest
    same = bool(
        record["name"] == manifest.name
        and record["version"] == manifest.version
        and row["size_bytes"] == manifest.model.size_bytes
        and tuple(record["labels"]) == manifest.output.labels
    )
    if not same or manifest.drift is None:
        return same
    return bool(
        abs(row["top1_delta"]["value"] - manifest.drift.top1_delta) <= _SAME
        and abs(row["agreement"]["value"] - manifest.drift.top1_agreement) <= _SAME
    )
