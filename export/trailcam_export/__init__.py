"""Turn a run into bundles that a device can trust, and measure what the conversion cost."""
