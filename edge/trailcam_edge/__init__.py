"""The device: frame sources, recognition, visits, event store, sinks, live page and updates.

Nothing is exported here; ``trailcam`` is the public interface.
"""
