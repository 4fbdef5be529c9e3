"""A device whose disk fails during its updates; ``disk_fault_run.py`` does it at every call, here at random ones."""

from pathlib import Path

from ..disk_faults import run_with_disk_faults


def test_a_disk_that_fails_gives_a_clear_error_and_costs_no_bundle(tmp_path: Path) -> None:
    result = run_with_disk_faults(Path(__file__).parent / "disk_fault_run.py", tmp_path, 30)
    assert sum(result["faults"].values()) == 30
    assert sum(result["clear_errors"].values()) > 20
    assert result["calls"]["install, EIO"] > 100
