"""The JSON result of an update."""

import json

import pytest

from trailcam_core.release.update_result import UpdateResult, parse_update_result


def test_a_result_is_read_as_it_was_written() -> None:
    result = UpdateResult("trial_failed", 'mürrisch: "no"', "builtin", "meadow-1.0.0-0a1b")
    assert parse_update_result(result.to_json()) == result
    assert "\n" not in result.to_json()


def test_keys_of_a_later_version_are_ignored() -> None:
    text = json.dumps({**json.loads(UpdateResult("installed", "x").to_json()), "duration_s": 3})
    assert parse_update_result(text) == UpdateResult("installed", "x")


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 100_000, "{}", '{"schema": 2, "code": "installed"}', '{"schema": 1, "code": "gone"}']
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no result of an update|nested too deeply|Expecting value"):
        parse_update_result(text)
