"""The notebook runs top to bottom: its code cells, one after another in one namespace, as Jupyter would run them."""

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "own_animals.ipynb"
# Keras 3.15 passes numpy's copy keyword on to TensorFlow variables, which do not know it yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_the_notebook_runs_top_to_bottom(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas", reason="needs pandas, of the extra dev")
    namespace: dict[str, Any] = {"__name__": "__main__"}

    for number, source in enumerate(code_cells()):
        exec(compile(source, f"cell {number}", "exec"), namespace)

    printed = capsys.readouterr().out
    assert [item.variant for item in namespace["report"].variants] == ["float32", "int8"]
    assert namespace["run"].metrics["test"]["n"] > 0
    assert all(isinstance(answer, namespace["trailcam"].Classification) for _, answer in namespace["answers"])
    assert set(namespace["observations"]["observationLevel"]) == {"event"}
    assert "package.zip: 3 observations, 3 pictures." in printed
