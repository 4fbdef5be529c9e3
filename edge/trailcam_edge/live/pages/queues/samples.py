"""Pictures of times without a visit, one after the other, with the answers for them.

Random quiet moments come in the order of their random identifiers, so those that have been reviewed are a random part
of them at any time. Pictures of what got no label come after them: they are not a part of the random sample.
"""

from collections.abc import Mapping, Sequence

from trailcam_core.files.names import counted
from trailcam_edge.events import NOTHING, UNKNOWN
from trailcam_edge.live.pages.markup import Child, Html, tag
from trailcam_edge.live.pages.review import Step, Visitor, answer_forms
from trailcam_edge.live.pages.tiles import day_and_time, facts, marks
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.reviews.samples import SampleRecord, count_waiting, read_samples

NAMES: Mapping[str, tuple[str, str, str]] = {  # name of the queue: kind, words, why
    "quiet": (
        "quiet",
        "Random quiet times",
        "Moments without a visit. Only these measure which animals the camera misses.",
    ),
    "unlabelled": (
        "unknown",
        "Without a label",
        "Something moved here, and the camera made no visit of it.",
    ),
}
CHOSEN = {"quiet": "quiet", "unlabelled": "unknown"}
_MAX_COUNT = 100
_WAITING = "kind = ? AND reviewed = 0 AND picture_bytes > 0"


def next_sample(reader: StoreReader, name: str, after: str = "") -> SampleRecord | None:
    """Return the first sample of a queue after an identifier."""
    found = read_samples(reader, f"{_WAITING} AND sample_id > ?", (NAMES[name][0], after), 1)
    return found[0] if found else None


def waiting_samples(reader: StoreReader) -> dict[str, int]:
    """Return the number of samples in each queue, counted up to a hundred."""
    return {name: count_waiting(reader.connection, kind, _MAX_COUNT) for name, (kind, *_) in NAMES.items()}


def find_sample(reader: StoreReader, sample_id: str) -> SampleRecord | None:
    """Return one sample, None if it is gone."""
    found = read_samples(reader, "sample_id = ?", (sample_id,), 1)
    return found[0] if found else None


def sample_page(name: str, sample: SampleRecord, message: Child, steps: Html, panel: Html | None) -> list[Child]:
    """Return the content of the page of one sample of the queue ``name``."""
    words = NAMES[name][1]
    alt = f"{words}, {day_and_time(sample.taken)}"
    picture: Child = tag("span", "picture deleted")
    if sample.picture is not None:
        picture = tag("img", src=f"/views/{sample.sample_id}.jpg", alt=alt, width=320, height=180, decoding="async")
    figure = tag(
        "figure",
        tag("span", picture, None if sample.box is None else marks(sample.box), class_="shot"),
        tag("figcaption", tag("h1", "No visit here" if name == "quiet" else "Not recognised")),
        class_="large",
    )
    whole = tag("a", "whole picture", href=f"/pictures/{sample.sample_id}.jpg") if sample.picture else None
    rows: list[tuple[str, Child]] = [
        ("Time", day_and_time(sample.taken)),
        ("Drawn", f"at random, {counted(round(sample.per_day), 'moment')} a day"),
        ("Answer then", sample.outcome or "nothing moved"),
        ("Bundle", sample.bundle),
        ("Picture", whole),
    ]
    return [
        steps,
        message,
        tag("div", figure, panel, class_="stage"),
        tag("section", tag("h2", "This moment"), facts(rows), class_="card"),
    ]


def sample_panel(sample: SampleRecord, labels: Sequence[str], step: Step, visitor: Visitor) -> Html:
    """Return the buttons for one sample; ``labels`` are the known ones, the likeliest first."""
    first = ("nothing", "Nothing there", "n", "primary wide")
    others = (
        ("wrong", "An animal, not known which", "w", None),
        ("label:person", "People: delete the picture", "p", None),
        ("deleted", "Delete, with its picture", "d", None),
    )
    names = [label for label in labels if label not in (UNKNOWN, NOTHING)]
    return answer_forms(sample.sample_id, first, names, others, labels, step, visitor)
