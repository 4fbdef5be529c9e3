"""The addresses for reviews: what to review first, one visit after the other, and the forms that store answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from trailcam_core.records import FieldError
from trailcam_edge.live.pages.filters import VisitFilter
from trailcam_edge.live.pages.library import Library, OneVisit
from trailcam_edge.live.pages.markup import Child, Html, tag
from trailcam_edge.live.pages.overviews import accuracy_table, week_table
from trailcam_edge.live.pages.queues import samples
from trailcam_edge.live.pages.queues.order import QUEUES, is_drawn, next_in, waiting
from trailcam_edge.live.pages.review import (
    Form,
    Step,
    Visitor,
    answer_panel,
    done_note,
    parse_after,
    parse_reviews,
    parse_rows,
    queues_page,
    spell_like,
    with_result,
)
from trailcam_edge.live.pages.visits import visit_page
from trailcam_edge.store.reviews.accuracy import measure_accuracy
from trailcam_edge.store.reviews.records import MAX_NAME, NewReview
from trailcam_edge.store.reviews.samples import quiet_moments
from trailcam_edge.store.reviews.tables import Saved, known_labels, random_sample
from trailcam_edge.store.reviews.weeks import by_week, find_drift

_MAX_ID = 100

Query = Mapping[str, str]
Children = Sequence[Child]


class Writer(Protocol):
    """Where answers are stored; called by many threads, waits for the disk."""

    def labels(self) -> Sequence[str]:
        """Return the labels that the model knows."""

    def save(self, reviews: Sequence[NewReview]) -> Saved:
        """Store answers, all or none."""

    def undo(self, review_ids: Sequence[int], reviewer: str, place: str) -> int:
        """Take answers back; return how many."""


class Desk:
    """Pages and forms of reviews. Its methods return the content of a page, or the address to go to."""

    def __init__(self, library: Callable[[], Library], writer: Callable[[], Writer]) -> None:
        self._library = library
        self._writer = writer

    def overview(self, visitor: Visitor) -> Children:
        """Return the content of the page with all queues."""
        with self._library().reading() as reader:
            counts = {name: waiting(reader, queue) if visitor.may_write else 0 for name, queue in QUEUES.items()}
            quiet = samples.waiting_samples(reader) if visitor.may_write else dict.fromkeys(samples.NAMES, 0)
        found = [(name, queue.words, queue.why, counts[name]) for name, queue in QUEUES.items()]
        found[1:1] = [(name, *samples.NAMES[name][1:], number) for name, number in quiet.items()]
        return queues_page(found, visitor)

    def accuracy(self) -> Children:
        """Return the content of the page that states how often the camera was right."""
        with self._library().reading() as reader:
            sample, moments = random_sample(reader.connection, reader.timeline), quiet_moments(reader)
        weeks = by_week(sample, moments)
        return [accuracy_table(measure_accuracy(sample, moments)), week_table(weeks, find_drift(weeks))]

    def first(self, name: str) -> str | None:
        """Return the address of the first visit of a queue, None if nothing is left."""
        with self._library().reading() as reader:
            if name in samples.NAMES:
                sample = samples.next_sample(reader, name)
                return None if sample is None else f"/review/{name}/{sample.sample_id}"
            found = next_in(reader, QUEUES[name])
        return None if found is None else f"/review/{name}/{found.visit_id}"

    def visit(self, name: str, visit_id: str, query: Query, visitor: Visitor) -> Children | None:
        """Return the content of the page of one visit or sample of a queue, None if it is gone."""
        if name in samples.NAMES:
            return self._sample(name, visit_id, query, visitor)
        library = self._library()
        one = library.visit(visit_id, VisitFilter())
        if one is None:
            return None
        with library.reading() as reader:
            found = next_in(reader, QUEUES[name], one.event)
            labels = known_labels(reader.connection, self._writer().labels())
        after = f"/review/{name}/{found.visit_id}?from={visit_id}" if found is not None else f"/review?from={visit_id}"
        before = _former(query, f"/review/{name}")
        steps = _steps(QUEUES[name].words, before, after)
        panel = answer_panel(one.event, labels, Step(name, after), visitor) if visitor.may_write else None
        ahead = None if found is None else tag("div", hidden=True, data_ahead=f"/views/{found.visit_id}.jpg")
        return [*visit_page(one, VisitFilter(), panel, done_note(*_done(query), before or after), steps), ahead]

    def _sample(self, name: str, sample_id: str, query: Query, visitor: Visitor) -> Children | None:
        with self._library().reading() as reader:
            sample = samples.find_sample(reader, sample_id)
            if sample is None:
                return None
            found = samples.next_sample(reader, name, sample_id) or samples.next_sample(reader, name)
            labels = known_labels(reader.connection, self._writer().labels())
        is_last = found is None or found.sample_id == sample_id
        after = (
            f"/review?from={sample_id}"
            if found is None or is_last
            else f"/review/{name}/{found.sample_id}?from={sample_id}"
        )
        before = _former(query, f"/review/{name}")
        step = Step(samples.CHOSEN[name], after)
        panel = samples.sample_panel(sample, labels, step, visitor) if visitor.may_write else None
        steps = _steps(samples.NAMES[name][1], before, after)
        return samples.sample_page(name, sample, done_note(*_done(query), before or after), steps, panel)

    def panel(self, one: OneVisit, chosen: VisitFilter, visitor: Visitor) -> Html | None:
        """Return the buttons for a visit that was found in a list."""
        if not visitor.may_write:
            return None
        with self._library().reading() as reader:
            labels = known_labels(reader.connection, self._writer().labels())
        here = one.event.visit_id
        after = f"/visits/{(one.older or (one.event,))[0].visit_id}{chosen.query(**{'from': here})}"
        return answer_panel(one.event, labels, Step("list", after), visitor)

    def labels(self) -> list[str]:
        """Return all labels in use, the likeliest first."""
        with self._library().reading() as reader:
            return known_labels(reader.connection, self._writer().labels())

    def save(self, form: Form, visitor: Visitor) -> str:
        """Store the answers of a form; return the address to go to.

        Raises:
            FieldError: the form is not one of these pages.
            DeviceError: the disk does not take them.
        """
        with self._library().reading() as reader:
            reviews = parse_reviews(form, known_labels(reader.connection, self._writer().labels()), visitor)
            reviews = [
                NewReview(one.visit_id, one.reviewer, one.verdict, one.label, "list", one.origin)
                if one.chosen == "random" and not is_drawn(reader, one.visit_id)
                else one
                for one in reviews
            ]
        return with_result(parse_after(form), self._writer().save(reviews))

    def undo(self, form: Form, visitor: Visitor) -> str:
        """Take the answers that a form names back; return the address to go to."""
        self._writer().undo(parse_rows(form), visitor.name, visitor.place)
        return parse_after(form)


def words_of(name: str) -> str:
    """Return the words for a queue."""
    return samples.NAMES[name][1] if name in samples.NAMES else QUEUES[name].words


def _steps(words: str, before: str | None, after: str) -> Html:
    return tag(
        "nav",
        tag("a", "Back", href=before, class_="newer") if before else tag("span", "Back", class_="newer off"),
        tag("b", words),
        tag("a", "Skip", href=after, class_="older"),
        class_="steps",
        aria_label="Visits to review",
    )


def parse_name(form: Form) -> str:
    """Return the name of a reviewer.

    Raises:
        FieldError: it is empty, too long, or not printable.
    """
    name = spell_like((form.get("reviewer") or [""])[0], ())
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise FieldError("reviewer", f"a name has 1 to {MAX_NAME} printable characters")
    return name


def note_of(query: Query, path: str) -> Html | None:
    """Return what was saved on the page before, for the page at ``path``."""
    return done_note(*_done(query), _former(query, path) or path)


def _done(query: Query) -> tuple[str, str]:
    return query.get("done", ""), query.get("gone", "")


def _former(query: Query, path: str) -> str | None:
    former = query.get("from", "")
    return f"{path}/{former}" if former.isalnum() and len(former) <= _MAX_ID else None
