"""State the figures of a field test where people and programs look: in a bundle, in a run, on a page."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from trailcam_benchmarks.field.stills import StillResult
from trailcam_benchmarks.field.summary import FieldRow as ClipRow
from trailcam_core.bundle.folder import MANIFEST_FILE, open_bundle
from trailcam_core.bundle.manifest import manifest_to_bytes
from trailcam_core.datasets.run_directory import read_run
from trailcam_core.errors import TrainError, reason_of
from trailcam_core.field.views import PICTURE_ROWS
from trailcam_core.files.atomic import write_file
from trailcam_core.records import Document, encode
from trailcam_core.report.field_section import HEADING, field_section, put_field_part
from trailcam_core.report.markup import paragraph
from trailcam_core.report.page import render_page
from trailcam_core.spec import FieldFigures, FieldRow, schema_version_of
from trailcam_core.statistics.clustered import cluster_rate

_EMPTY = "empty"


def to_figures(rows: Sequence[ClipRow], stills: Iterable[StillResult]) -> FieldFigures:
    """Return the figures of a field test in the form of manifests and reports."""
    found = [
        FieldRow(row.condition, "clips", row.clips, row.scenes, row.clips_right, row.clips_wrong)
        for row in rows
        if row.condition != _EMPTY
    ]
    hours = next((row.false_visits_per_hour for row in rows if row.condition == _EMPTY), None)
    by_kind: dict[str, list[StillResult]] = {}
    for still in stills:
        by_kind.setdefault(still.kind, []).append(still)
    for kind, results in by_kind.items():
        wrong = cluster_rate((item.scene, float(item.is_named), 1.0) for item in results)
        found.append(FieldRow(kind, "pictures", len(results), len({item.scene for item in results}), None, wrong))
    return FieldFigures(tuple(found), hours)


def write_to(folder: Path, figures: FieldFigures) -> None:
    """Write the figures into a bundle or a run; rows of the test split that are there already stay.

    Args:
        folder: a bundle, whose manifest states them from now on, or a finished run: ``metrics.json`` and
            ``report.html``.
        figures: of ``to_figures``.

    Raises:
        BundleError, TrainError: neither of both, or damaged.
        OSError: it cannot be written; the old file stays.
    """
    if (folder / MANIFEST_FILE).exists() or folder.suffix == ".bundle":
        manifest = open_bundle(folder).manifest
        merged = _merge(manifest.field_figures, figures)
        changed = replace(manifest, field_figures=merged, schema_version=schema_version_of(manifest.output, merged))
        write_file(folder / MANIFEST_FILE, manifest_to_bytes(changed))
        return
    run = read_run(folder)
    report = folder / "report.html"
    try:
        page = report.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainError(
            f"{report}: cannot be read ({reason_of(error)}). Train again, or write to a bundle."
        ) from error
    kept = run.metrics.get("field")
    rows = kept.get("rows", []) if isinstance(kept, dict) else []
    merged = _merge(FieldFigures(tuple(_read_rows(rows, folder))), figures)
    metrics = run.metrics | {"field": encode(merged)}
    write_file(folder / "metrics.json", f"{json.dumps(metrics, indent=2, sort_keys=True)}\n".encode())
    write_file(report, put_field_part(page, merged).encode("utf-8"))


def render_field_page(bundle: str, figures: FieldFigures) -> str:
    """Return a page of the figures as HTML text."""
    lead = paragraph("Measured with trailcam benchmark --field.")
    return render_page("Field test", bundle, [lead], [(HEADING, field_section(figures))])


def _merge(kept: FieldFigures | None, new: FieldFigures) -> FieldFigures:
    """Return the rows of the test split that were kept, and the new ones."""
    names = {row.name for row in new.rows}
    rows = [
        row for row in (kept.rows if kept is not None else ()) if row.name in PICTURE_ROWS and row.name not in names
    ]
    return FieldFigures((*new.rows, *rows), new.false_visits_per_hour)


def _read_rows(rows: object, folder: Path) -> Iterable[FieldRow]:
    document = Document(str(folder / "metrics.json"), TrainError)
    return document.decode(FieldFigures, {"rows": rows}).rows
