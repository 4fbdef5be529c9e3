"""Consecutive frames with one label become one run of the summary."""

from hypothesis import given
from hypothesis import strategies as st

from trailcam.commands.watch.output import LabelRun, extend_runs

answers = st.lists(st.tuples(st.sampled_from([None, "cat", "dog"]), st.floats(0, 1)), max_size=30)


def runs_of(frames: list[tuple[str | None, float]]) -> list[LabelRun]:
    runs: list[LabelRun] = []
    previous = None
    for sequence, (label, confidence) in enumerate(frames):
        before = len(runs)
        assert extend_runs(runs, previous, sequence, label, confidence) is (len(runs) > before)
        previous = label
    return runs


def test_consecutive_frames_with_one_label_are_one_run() -> None:
    seen = [(None, 0.2), ("cat", 0.7), ("cat", 0.9), (None, 0.1), ("cat", 0.8), ("dog", 0.6)]
    assert runs_of(seen) == [
        LabelRun("cat", 1, 2, 2, 0.9),
        LabelRun("cat", 4, 4, 1, 0.8),
        LabelRun("dog", 5, 5, 1, 0.6),
    ]


@given(answers)
def test_every_known_frame_is_in_exactly_one_run(frames: list[tuple[str | None, float]]) -> None:
    runs = runs_of(frames)
    covered = [number for run in runs for number in range(run.first, run.last + 1)]
    assert covered == [number for number, (label, _) in enumerate(frames) if label is not None]
    for run in runs:
        members = frames[run.first : run.last + 1]
        assert {label for label, _ in members} == {run.label}
        assert run.confidence == max(confidence for _, confidence in members)
        assert run.frames == len(members)
