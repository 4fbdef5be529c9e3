"""Get bundles onto field devices and take them back: nothing stands here yet, see ``deploy/README.md``."""
