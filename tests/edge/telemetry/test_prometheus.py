"""Metrics as Prometheus' own parser reads them."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from trailcam_edge.sinks.worker import SinkStatus
from trailcam_edge.telemetry.prometheus import MetricsSnapshot, render_metrics


def _samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_figure_comes_out() -> None:
    snapshot = MetricsSnapshot(
        version="0.1.0",
        bundle="tiny-1.0.0",
        uptime_s=12.5,
        frames=1000,
        frames_dropped=3,
        frame_rate_hz=9.5,
        latency_ms=40.0,
        visits={"lynx": 2, "squirrel": 30},
        blind_s={"disk full": 60.0},
        store_bytes=10,
        temperature_c=51.5,
        throttled=True,
        sinks=(SinkStatus("mqtt", 5, 1, 2, "down"),),
        update_state="watch",
        update_starts=2,
    )
    found = _samples(render_metrics(snapshot))
    assert found["trailcam_frames_total", ()] == 1000
    assert found["trailcam_latency_seconds", ()] == 0.04
    assert found["trailcam_visits", (("label", "squirrel"),)] == 30
    assert found["trailcam_blind_seconds_total", (("reason", "disk full"),)] == 60
    assert found["trailcam_throttled", ()] == 1
    assert found["trailcam_update_state", (("state", "watch"),)] == 1
    assert found["trailcam_update_starts", ()] == 2
    assert found["trailcam_sink_up", (("sink", "mqtt"),)] == 0
    assert found["trailcam_sink_waiting", (("sink", "mqtt"),)] == 2
    assert found["trailcam_info", (("bundle", "tiny-1.0.0"), ("version", "0.1.0"))] == 1


def test_what_is_not_known_is_left_out() -> None:
    text = render_metrics(MetricsSnapshot("0.1.0", "tiny-1.0.0", 1.0, 0, 0))
    assert "temperature" not in text
    assert "sink" not in text
    assert text.endswith("\n")


@given(st.text(max_size=30), st.floats(0, 1e15))
def test_any_label_and_number_survive(label: str, seconds: float) -> None:
    snapshot = MetricsSnapshot("0.1.0", label, seconds, 0, 0, visits={label: 7})
    # The parser splits at every line end that Unicode knows; Prometheus and this format know one.
    if len(label.splitlines()) <= 1 and label.rstrip() == label:
        found = _samples(render_metrics(snapshot))
        assert found["trailcam_visits", (("label", label),)] == 7
        assert found["trailcam_uptime_seconds", ()] == seconds
