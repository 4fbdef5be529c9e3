"""What ``trailcam train`` prints of a finished run."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trailcam.commands.train.earlier import describe_earlier

if TYPE_CHECKING:
    from trailcam_core.datasets.run_directory import Run


def describe_run(run: "Run") -> Iterator[str]:
    """Yield the lines of a finished run: its figures, what to make of them, and the next command."""
    from trailcam_train.run.finish import judge_run

    test = run.metrics["test"]
    tested = [label for label, row in test["per_class"].items() if row["n"]]
    worst = min(tested, key=lambda label: float(test["recall"][label]))
    rule = run.metrics["reject"]
    yield f"run         {run.path}"
    yield (
        f"test top-1  {test['top1']:.1%} of {test['n']:,} pictures "
        f"(95 % interval {test['top1_low']:.1%} to {test['top1_high']:.1%})"
    )
    yield f"worst class {worst}: {test['recall'][worst]:.1%}"
    kept = f"{rule['animals_kept']:.1%} of {rule['n_animals']:,} animals keep their answer"
    others = f", {rule['others_rejected']:.1%} of {rule['n_others']:,} others are rejected" if rule["n_others"] else ""
    yield f"unknown     {kept}{others}"
    yield f"report      {run.path / 'report.html'}"
    if run.provenance.get("unreadable", "0") != "0":
        yield f"left out    {run.provenance['unreadable']} unreadable pictures, listed in the report"
    if "left_out" in run.provenance:
        yield f"left out    {run.provenance['left_out']}"
    if run.provenance.get("near_duplicates_across", "0") != "0":
        yield (
            f"warning     {run.provenance['near_duplicates_across']} groups of near-duplicates are in several splits: "
            "the test result is optimistic"
        )
    verdict = judge_run(run)
    yield f"chance      {verdict.chance:.1%}: the accuracy of always answering {verdict.commonest}"
    for sentence in verdict.advice:
        yield f"advice      {sentence}"
    yield from describe_earlier(run)
    yield f"next        {verdict.next_command}"
