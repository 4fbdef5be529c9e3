"""Settings have defaults that work, and refuse what makes no sense, by name."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from trailcam_core.records import FieldError
from trailcam_edge.camera.settings import CameraSettings, RecoverySettings
from trailcam_edge.recognition.settings import LoopSettings, VisitSettings, WatchSettings
from trailcam_edge.regions import RegionSettings


def test_the_defaults_are_accepted_and_frozen() -> None:
    settings = LoopSettings()
    for field in fields(settings):
        part = getattr(settings, field.name)
        if is_dataclass(part):
            with pytest.raises(AttributeError):
                setattr(part, fields(part)[0].name, None)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (WatchSettings, {"rate_hz": 0}),
        (CameraSettings, {"rotate_deg": 91}),
        (CameraSettings, {"roi": (0, 0, 2, 1)}),
        (CameraSettings, {"picture_size_px": (8, 480)}),
        (CameraSettings, {"frame_rate_hz": -1}),
        (CameraSettings, {"focus_m": 0}),
        (RecoverySettings, {"stall_s": 0}),
        (RecoverySettings, {"longest_wait_s": 0.5}),
        (RecoverySettings, {"give_up_s": 5}),
        (RegionSettings, {"min_fraction": 0.6}),
        (VisitSettings, {"confidence": float("nan")}),
        (VisitSettings, {"votes": 1}),
        (VisitSettings, {"vote_window": 2}),
        (VisitSettings, {"vote_age_s": 0.4}),
        (VisitSettings, {"cool_down_s": 0}),
        (VisitSettings, {"reported_outcomes": ("wolf",)}),
        (VisitSettings, {"label_confidence": {"wolf": 2}}),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(kind: Any, arguments: dict[str, Any]) -> None:
    (name,) = arguments
    with pytest.raises(FieldError, match=rf"{name}.* expected") as refused:
        kind(**arguments)
    assert refused.value.field.startswith(name)
