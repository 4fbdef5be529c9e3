"""Read what lies on cards and in archives, and classify it; ``archive/README.md`` is the map."""
