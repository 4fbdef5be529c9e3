"""Ranges of the values of every row, as conditions in SQL: they find damage that was there before the checksums."""

_MOMENT = (
    "{0}_monotonic_s BETWEEN -1e9 AND 1e9 AND "  # 32 years without a restart
    "({0}_wall_s IS NULL OR {0}_wall_s BETWEEN 946684800 AND 4102444800)"  # the years 2000 to 2100
)
_SPAN = f"{_MOMENT.format('started')} AND {_MOMENT.format('ended')}"
_LAST_VISIT = "(SELECT coalesce(max(seq), 1e15) FROM sqlite_sequence WHERE name = 'visits')"
_PICTURE = (
    "picture_bytes BETWEEN 0 AND 1e12 AND picture_state IN ('kept', 'none', 'dropped', 'expired', 'missing') "
    "AND (picture_state = 'kept') = (picture_bytes > 0)"
)
_SIDES = "box_x, box_y, box_width, box_height"
_BOX = f"(coalesce({_SIDES}) IS NULL OR min({_SIDES}) >= -0.001 AND max({_SIDES}) <= 1.001)"
_VALUES = (
    f"{_SPAN} AND confidence BETWEEN -0.001 AND 1.001 AND votes BETWEEN 0 AND 1e12 "
    f"AND frames BETWEEN 0 AND 1e12 AND latency_ms BETWEEN 0 AND 1e12 AND {_PICTURE} AND {_BOX}"
)
RULES = {  # condition of every row of a table
    "boots": "last_monotonic_s BETWEEN -1e9 AND 1e9",
    "clock_readings": "monotonic_s BETWEEN -1e9 AND 1e9 AND wall_s BETWEEN 946684800 AND 4102444800",
    "visits": f"{_VALUES} AND (picture_offset_s IS NULL OR picture_offset_s BETWEEN 0 AND 1e9) AND reviewed IN (0, 1)",
    "samples": f"{_MOMENT.format('taken')} AND kind IN ('quiet', 'unknown') AND per_day BETWEEN 0 AND 1000 "
    f"AND {_PICTURE} AND {_BOX} AND reviewed IN (0, 1)",
    "open_visits": _VALUES,
    "live_events": "kind IN ('opened', 'updated') AND after_event_id BETWEEN 0 AND 1e15",
    "blind_times": _SPAN,
    "watches": f"{_SPAN} AND frames BETWEEN 0 AND 1e12",
    "reviews": "verdict IN ('confirmed', 'label', 'nothing', 'wrong', 'deleted', 'withdrawn') "
    "AND (verdict = 'label') = (label IS NOT NULL) "
    "AND chosen IN ('random', 'unsure', 'unknown', 'rare', 'quiet', 'list') "
    "AND (reviewed_wall_s IS NULL OR reviewed_wall_s BETWEEN 946684800 AND 4102444800)",
    "stations": "length(deployment_id) BETWEEN 1 AND 200 AND (latitude IS NULL) = (longitude IS NULL) "
    "AND (latitude IS NULL OR (latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180))",
    "card_files": "length(fingerprint) = 16",
    "answered": "verdict IN ('confirmed', 'label', 'nothing', 'wrong', 'deleted') AND disputed IN (0, 1)",
    "clips": "clip_bytes BETWEEN 1 AND 1e12 AND offset_s BETWEEN -1e9 AND 1e9 AND duration_s BETWEEN 0 AND 1e9",
    "sinks": f"event_id BETWEEN 0 AND {_LAST_VISIT} AND live_id BETWEEN 0 AND 1e15",
    "sqlite_sequence": "typeof(seq) = 'integer' AND seq BETWEEN 0 AND 1e15 "
    "AND name IN ('boots', 'clock_readings', 'visits', 'blind_times', 'watches', 'live_events', 'reviews')",
}
