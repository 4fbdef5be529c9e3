"""What the drift gate said of a bundle: read from the ``drift.json`` that ``trailcam export`` writes beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trailcam_core.bundle.folder import Bundle
from trailcam_core.errors import DeployError

__all__ = ["Approval", "approve"]

_MAX_BYTES = 64_000_000
_SAME = 1e-9  # both are written by repr of the same doubles
_LONGEST_REASON = 500


@dataclass(frozen=True)
class Approval:
    """Why a bundle may be released: the gate's verdict, or a person's word with the gate's objection."""

    verdict: str
    i_know: str | None = None

    def record(self) -> dict[str, str]:
        """Return what stands in the signed metadata."""
        return {"drift_gate": self.verdict} | ({"i_know": self.i_know} if self.i_know else {})


def approve(bundle: Bundle, i_know: str | None = None) -> Approval:
    """Say whether a bundle may be released.

    Args:
        bundle: ``drift.json`` is looked for beside its folder.
        i_know: a person's reason to release it whatever the gate says; it is signed and can be read by everyone.

    Raises:
        DeployError: the verdict is missing, failed, or belongs to another file, and ``i_know`` is None.
    """
    if i_know is not None and not (1 <= len(i_know) <= _LONGEST_REASON and i_know.isprintable()):
        raise DeployError(f"--i-know: give a reason of 1 to {_LONGEST_REASON} characters in one line.")
    path = bundle.path.absolute().parent / "drift.json"
    try:
        verdict = _verdict(bundle, path)
    except DeployError as error:
        if i_know is None:
            raise DeployError(
                f'{error} Run "trailcam export" again, or say why you know better: --i-know REASON.'
            ) from error
        return Approval("missing", i_know)
    if verdict == "fail" and i_know is None:
        raise DeployError(
            f"{path}: {bundle.path.name} failed the drift gate: it answers differently from its float model. "
            "See report.html beside it. Repair it with --fix, or say why you know better: --i-know REASON."
        )
    return Approval(verdict, i_know)


def _verdict(bundle: Bundle, path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DeployError(f"{path}: larger than {_MAX_BYTES:,} bytes.")
        record = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DeployError(f"{path}: missing, so nobody knows whether {bundle.path.name} is any good.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DeployError(f"{path}: cannot be read ({str(error)[:120]}).") from error
    try:
        rows = [row for row in record["variants"] if _belongs(bundle, record, row)]
        verdicts = [row["verdict"] for row in rows]
    except (KeyError, TypeError) as error:
        raise DeployError(f"{path}: is not what the drift gate writes ({error!r}).") from error
    if len(verdicts) != 1 or verdicts[0] not in ("pass", "fail", "inconclusive"):
        raise DeployError(f"{path}: holds no verdict on this very bundle, {bundle.path.name}.")
    return str(verdicts[0])


def _belongs(bundle: Bundle, record: dict[str, Any], row: dict[str, Any]) -> bool:
    """Compare what the gate measured with what the manifest states; the record itself knows no digest."""
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
