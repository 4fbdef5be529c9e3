"""The demo that never ends."""

import time
from itertools import islice

from trailcam_edge.sources import demo_pictures, open_source
from trailcam_edge.sources.demo_loop import DEMO_LOOP, DemoLoopSource


def test_each_picture_is_shown_for_a_second_in_turn_as_by_a_camera() -> None:
    with DemoLoopSource() as source:
        assert source.delivery == "live"
        found = list(islice(source.frames(), 7))
    first, second = (path.name for path in demo_pictures()[:2])
    assert [frame.name for frame in found] == [first] * 5 + [second] * 2
    assert [frame.sequence for frame in found] == list(range(7))
    assert found[-1].timestamp_s - found[0].timestamp_s > 1.1
    assert abs(found[-1].timestamp_s - time.monotonic()) < 5


def test_it_has_a_name() -> None:
    assert isinstance(open_source(DEMO_LOOP, print), DemoLoopSource)
