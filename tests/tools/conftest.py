"""The fixtures of the benchmarks, for the tests of the project's figures."""

import importlib.util
from pathlib import Path

_SPEC = importlib.util.spec_from_file_location(
    "benchmark_fixtures", Path(__file__).parents[1] / "benchmarks/conftest.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_FIXTURES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FIXTURES)

fake_runs, make_round = _FIXTURES.fake_runs, _FIXTURES.make_round
