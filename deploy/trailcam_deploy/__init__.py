"""Get bundles onto field devices and take them back; ``deploy/README.md`` is the map."""
