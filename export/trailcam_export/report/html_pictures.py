"""The pictures on which answers differ, for ``report.html``: a glance shows whether they are hard ones."""

import numpy as np
import numpy.typing as npt

from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.decision import probabilities
from trailcam_core.report.markup import Html, paragraph
from trailcam_core.report.pictures import picture, pictures
from trailcam_core.spec import InputSpec
from trailcam_export.report.findings import Findings

MOST_PICTURES = 60  # embedded, about 6 kB each
_THUMBNAIL = InputSpec(144, 144, "letterbox")


def show_pictures(findings: Findings) -> Html:
    """Return the pictures that a variant answers otherwise than the trained model, those that lost most first.

    Raises:
        SourceError: one can no longer be read.
    """
    reference = findings.reference.logits.argmax(axis=1)
    differ = np.zeros(len(reference), int)
    lost = np.zeros(len(reference), int)
    for variant in findings.variants:
        changed = variant.answers.logits.argmax(axis=1) != reference
        differ += changed
        lost += changed & (reference == findings.class_ids)
    places = np.flatnonzero(differ)
    if not len(places):
        return paragraph("None: every variant gives the trained model's answer to every test picture.")
    shown = places[np.lexsort((places, -differ[places], -lost[places]))][:MOST_PICTURES]
    text = (
        f"{len(places):,} of {len(reference):,} test pictures, {len(shown)} of them shown: first those on which the "
        "trained model was right."
    )
    return paragraph(text) + pictures(_figure(findings, int(place)) for place in shown)


def _figure(findings: Findings, place: int) -> Html:
    row, truth = findings.rows[place], int(findings.class_ids[place])
    ours = findings.reference
    lines = [
        ("truth", f"shows {row.label}"),
        _answer("trained", ours.logits[place], ours.output.temperature, findings, truth),
    ]
    for variant in findings.variants:
        answers = variant.answers
        if answers.logits[place].argmax() != ours.logits[place].argmax():
            lines.append(_answer(variant.name, answers.logits[place], answers.output.temperature, findings, truth))
    lines.append(("file", row.file))
    path = findings.data / row.file
    return picture(fit_image(read_image(path, _THUMBNAIL), _THUMBNAIL), lines)


def _answer(
    name: str, logits: npt.NDArray[np.float32], temperature: float, findings: Findings, truth: int
) -> tuple[str, str]:
    shares = probabilities(np.nan_to_num(logits), temperature)
    answer = int(shares.argmax())
    kind, mark = ("right", "✓") if answer == truth else ("wrong", "✗")
    return kind, f"{name}: {findings.labels[answer]} {shares[answer]:.0%}\N{NO-BREAK SPACE}{mark}"
