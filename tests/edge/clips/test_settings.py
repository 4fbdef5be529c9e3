"""Settings of clips: bounds, and what the configuration demands."""

from pathlib import Path

import pytest

from trailcam_core.errors import ConfigError
from trailcam_core.records import FieldError
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.config.camera_toml import parse_config


def test_the_longest_duration_includes_the_time_before() -> None:
    assert ClipSettings(before_s=5, longest_s=5.1).longest_s == 5.1
    with pytest.raises(FieldError, match="longest_s is 5, expected more than before_s"):
        ClipSettings(before_s=5, longest_s=5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[clips]", r"\[clips\] needs \[store\]"),
        ("[store]\n[clips]\nlongest_s = 61", "longest_s is 61"),
        ("[store]\n[clips]\nbefor_s = 5", "befor_s"),
        ('[store]\n[notify.a]\naddresses = ["ntfy://a/b"]\nclip_mb = 3', "clip_mb needs only_when"),
    ],
)
def test_a_wrong_section_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(text, "trailcam.toml", Path("/etc/trailcam"))


def test_clips_are_off_unless_asked_for_and_then_need_events_of_open_visits() -> None:
    config = parse_config("[store]", "trailcam.toml", Path("/etc"))
    assert config.clips is None
    assert not config.wants_changes
    config = parse_config("[store]\n[clips]", "trailcam.toml", Path("/etc"))
    assert config.clips == ClipSettings()
    assert config.wants_changes
