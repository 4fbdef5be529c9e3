"""``trailcam train`` without a recipe: the table, the key, and what happens without a terminal."""

import builtins
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam.commands.train import proposal
from trailcam.main import main
from trailcam_core.errors import TrainError
from trailcam_train.recipes.find import recipe_cost, recipe_names

# Keras 3.15 passes numpy's copy keyword on to TensorFlow variables, which do not know it yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for label in ("fox", "hare"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(12):
            noise = rng.integers(0, 256, (40, 48, 3)).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "photos" / label / f"{number}.jpg"), noise)
    return tmp_path / "photos"


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that puts a terminal there whose user presses these keys."""

    def answer(*keys: str) -> None:
        waiting = list(keys)

        def read(_prompt: str) -> str:
            if not waiting:
                raise EOFError
            return waiting.pop(0)

        terminal = type("Terminal", (), {"isatty": lambda self: True})()
        monkeypatch.setattr(proposal.sys, "stdin", terminal)
        monkeypatch.setattr(proposal.sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(builtins, "input", read)

    return answer


def test_the_list_of_recipes_has_time_and_memory_of_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["train", "--recipes"]) == 0
    assert "not measured" not in capsys.readouterr().out

    monkeypatch.delattr("trailcam_train.recipes.xception_128.COST")  # as in a recipe of somebody else
    assert main(["train", "--recipes"]) == 0

    printed = capsys.readouterr().out
    assert "as an example, 1,000 photographs of 10 labels" in printed
    lines = printed.splitlines()
    for name in recipe_names():
        (row,) = [line for line in lines if line[:1].isdecimal() and f" {name} " in line]
        assert (" GB" in row) == (recipe_cost(name) is not None)
    assert "?: not measured" in printed


def test_without_a_terminal_nothing_is_trained_and_yes_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(data), "--runs", str(tmp_path / "runs")]) == 1

    captured = capsys.readouterr()
    assert "24 photographs of 2 labels, shorter side about 40 px; fewest of fox: 12" in captured.out
    assert "proposed: trailcam train" in captured.out
    assert "--yes" in captured.err
    assert not (tmp_path / "runs").exists()


def test_yes_takes_the_proposal_without_a_question(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = proposal.take_proposal(data, None, yes=True)

    assert taken.name == "efficientnet_lite2"
    assert (taken.weights, taken.batch_size) == ("imagenet", 16)
    assert "taken: trailcam train" in capsys.readouterr().out


@pytest.mark.parametrize(("keys", "name"), [(("",), "efficientnet_lite2"), (("x", "99", "2"), "efficientnet_lite0")])
def test_a_key_takes_the_proposal_or_another_row(
    keys: tuple[str, ...], name: str, data: Path, answering: Callable[..., None]
) -> None:
    answering(*keys)

    assert proposal.take_proposal(data, None, yes=False).name == name


@pytest.mark.parametrize("keys", [("q",), ()])
def test_no_and_the_end_of_input_train_nothing(keys: Any, data: Path, answering: Callable[..., None]) -> None:
    answering(*keys)

    with pytest.raises(TrainError, match="nothing was trained"):
        proposal.take_proposal(data, None, yes=False)


def test_settings_of_the_user_come_after_the_proposal(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trailcam_train.run import training

    asked: list[Any] = []

    def start(request: Any, progress: Any) -> None:
        asked.append(request)
        raise TrainError("stop here")

    monkeypatch.setattr(training, "start_training", start)

    assert main(["train", str(data), "--yes", "--set", "batch_size=4", "--runs", str(tmp_path / "runs")]) == 1

    assert asked[0].recipe.batch_size == 4
    assert asked[0].recipe.phases[0].epochs > 12
    assert asked[0].run.name.startswith("efficientnet_lite2-")


@pytest.mark.parametrize(("knows", "gpu", "advised"), [(True, False, True), (False, False, False), (True, True, False)])
def test_bfloat16_is_advised_where_the_processor_knows_it(
    knows: bool, gpu: bool, advised: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trailcam_train.proposal.glance.multiplies_bfloat16", lambda: knows)
    monkeypatch.setattr("trailcam_train.models.runtime.has_gpu", lambda: gpu)

    assert main(["train", "--recipes"]) == 0

    printed = capsys.readouterr().out
    assert ("precision=mixed_bfloat16" in printed) is advised
    assert ("0.53 of the processor time" in printed) is advised


@pytest.mark.parametrize("advised", [False, True])
def test_bfloat16_is_advised_for_a_proposal_only_where_no_part_is_run_in_advance(
    advised: bool,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("trailcam_train.proposal.glance.multiplies_bfloat16", lambda: True)
    monkeypatch.setattr("trailcam_train.models.runtime.has_gpu", lambda: False)

    def settings(recipe: Any, *_: Any) -> tuple[str, ...]:
        return tuple(f"phases.{phase.name}.views=0" for phase in recipe.phases if advised)

    monkeypatch.setattr("trailcam_train.proposal.propose.fit_settings", settings)

    assert any(phase.views for phase in proposal.take_proposal(data, None, yes=True).phases) is not advised

    assert ("precision=mixed_bfloat16" in capsys.readouterr().out) is advised


@pytest.mark.parametrize(
    "words", [["photos", "--set", "batch_size=0"], ["photos", "--seed", "-1"], ["--resume", "a", "--seed", "1"], []]
)
def test_wrong_options_are_refused_before_the_framework_is_imported(words: list[str]) -> None:
    code = (
        "import sys; from trailcam.main import main; code = main(sys.argv[1:]); "
        "sys.exit(9 if {'tensorflow', 'keras'} & {*sys.modules} else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, "train", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("trailcam: ")) == (1, 1), done.stderr
