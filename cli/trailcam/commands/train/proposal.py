"""The proposal of ``trailcam train`` without ``--recipe``: a table, and a key or ``--yes`` to take it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.terminal import show_report
from trailcam_core.errors import TrainError
from trailcam_core.errors.command_line import command_line
from trailcam_core.report.tables import text_table

if TYPE_CHECKING:
    from trailcam_train.proposal.glance import DataGlance
    from trailcam_train.proposal.propose import Option, Proposal
    from trailcam_train.recipe.schema import Recipe

_HEADING = 3  # line of the table's heading
# Measured with the recipe cnn on TensorFlow, AVX-512 bfloat16, batches of 64, batch normalization as one operation:
# 20.4 ms of processor time a picture in float32, 10.9 ms in mixed bfloat16.
_BFLOAT16 = (
    'The times are for float32. This processor knows bfloat16: "--set precision=mixed_bfloat16" takes 0.53 of the '
    "processor time for cnn on TensorFlow, with AVX-512 bfloat16; its accuracy was not compared."
)
_EXAMPLE_PICTURES, _EXAMPLE_LABELS = 1000, 10  # of "--recipes" without DATA


def print_recipes(data: Path | None, label_map: str | None) -> None:
    """Print every recipe with its time and memory, for ``data`` or for 1,000 pictures."""
    proposal = make_proposal(data, label_map)
    show_report(_describe(proposal, data, proposal.machine.bfloat16), headings=(_HEADING,))


def take_proposal(data: Path, label_map: str | None, yes: bool) -> "Recipe":
    """Print the proposal for ``data`` and return the recipe that was taken.

    Raises:
        DataError: the folder cannot be used.
        TrainError: nothing was taken: no terminal to ask and no ``--yes``, or the user refused.
    """
    proposal = make_proposal(data, label_map)
    bfloat16 = proposal.machine.bfloat16 and _learns_whole(proposal.chosen.recipe)
    show_report(_describe(proposal, data, bfloat16), headings=(_HEADING,))
    sys.stdout.flush()
    option = proposal.chosen if yes else _ask(proposal, data)
    print(f"\ntaken: {_command(option, data)}", flush=True)
    return option.recipe


def make_proposal(data: Path | None, label_map: str | None) -> "Proposal":
    """Return the proposal for a folder, or for 1,000 pictures of ten labels.

    Raises:
        DataError: the folder cannot be used.
        TrainError: two recipes have one name, or one cannot be used.
    """
    from trailcam_train.data.class_names import choose_label_map
    from trailcam_train.data.dataset import list_class_folders
    from trailcam_train.models.runtime import has_gpu
    from trailcam_train.proposal.candidates import list_candidates
    from trailcam_train.proposal.glance import DataGlance, glance_at_data, glance_at_machine
    from trailcam_train.proposal.propose import propose

    if data is None:
        each = _EXAMPLE_PICTURES // _EXAMPLE_LABELS
        seen = DataGlance({str(number): each for number in range(_EXAMPLE_LABELS)}, None)
    else:
        seen = glance_at_data(data, choose_label_map(list_class_folders(data), label_map))
    return propose(seen, glance_at_machine(has_gpu()), list_candidates())


def _learns_whole(recipe: "Recipe") -> bool:
    """Return whether no phase runs a frozen part in advance, which bfloat16 does not make faster."""
    return not any(phase.views and phase.epochs for phase in recipe.phases)


def _describe(proposal: "Proposal", data: Path | None, bfloat16: bool) -> list[str]:
    """Return the lines of a proposal; ``bfloat16`` adds the advice for processors without a GPU beside them."""
    rows: list[tuple[str, ...]] = [("", "recipe", "input", "weights", "time", "memory")]
    for number, option in enumerate(proposal.options, 1):
        size, fetch = option.recipe.input, option.candidate.download_bytes
        weights = f"{fetch / 1e6:.0f} MB" if fetch else ("ImageNet" if option.recipe.weights == "imagenet" else "none")
        cost = (_duration(option.training_s), _memory(option.memory_mb))
        rows.append((f"{number}", option.name, f"{size.width}x{size.height} px", weights, *cost))
    summaries = ["", *(f"   {option.candidate.summary}" for option in proposal.options)]
    table = [line for pair in zip(_left(rows), summaries, strict=True) for line in pair if line]
    machine = proposal.machine
    cores = f"{machine.cores} core{'s' if machine.cores != 1 else ''}"
    gpu = "a GPU, which is faster than the times below" if machine.gpu else "no GPU"
    return [
        f"data     {_seen(proposal.data, data)}",
        f"machine  {cores}, {machine.memory_mb / 1000:.1f} GB of memory free, {gpu}",
        "",
        *table,
        *([_BFLOAT16] if bfloat16 and not machine.gpu else []),
        *(["?: not measured"] if any(option.training_s is None for option in proposal.options) else []),
        "",
        f"proposed: {_command(proposal.chosen, data)}",
    ]


def _left(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table whose first two columns are texts."""
    width = max(len(row[1]) for row in rows)
    return text_table([(f"{row[0]:<3}{row[1]:<{width}}", *row[2:]) for row in rows])


def _seen(seen: "DataGlance", data: Path | None) -> str:
    if data is None:
        return f"as an example, {seen.pictures:,} photographs of {len(seen.counts)} labels; name a folder for yours"
    side = f", shorter side about {seen.side_px} px" if seen.side_px else ""
    fewest = min(seen.counts, key=lambda label: seen.counts[label])
    counts = f"{seen.pictures:,} photographs of {len(seen.counts)} labels"
    return f"{counts}{side}; fewest of {fewest}: {seen.counts[fewest]:,}"


def _command(option: "Option", data: Path | None) -> str:
    settings = "".join(f" --set {setting}" for setting in option.settings)
    return f"{command_line('train', data if data is not None else 'DATA', '--recipe', option.name)}{settings}"


def _ask(proposal: "Proposal", data: Path) -> "Option":
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise TrainError(
            "nothing was trained: there is no terminal to ask. Add --yes to take the proposal, or name a recipe: "
            f'"{_command(proposal.chosen, data)}".'
        )
    while True:
        try:
            answer = input(f"\nEnter trains {proposal.chosen.name}, a number another one, q nothing: ").strip().lower()
        except EOFError:
            answer = "q"
        if not answer:
            return proposal.chosen
        if answer.isdecimal() and 1 <= int(answer) <= len(proposal.options):
            return proposal.options[int(answer) - 1]
        if answer in ("q", "n", "no", "quit"):
            raise TrainError('nothing was trained. "trailcam train DATA --recipe NAME" takes a recipe by its name.')


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _memory(megabytes: int | None) -> str:
    return "?" if megabytes is None else f"{megabytes / 1000:.1f} GB"
