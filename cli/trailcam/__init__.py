"""The front door: the ``trailcam`` command."""

__version__ = "0.1.0"
