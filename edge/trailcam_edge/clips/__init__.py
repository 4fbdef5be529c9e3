"""Short videos of visits: compressed frames in memory, written as MP4 by a process that cannot hurt the live loop.

    source --tap--> ring of compressed frames --visit opened--> cut --encoder process--> MP4 --> store

``docs/adr/0018-clips.md`` has the reasons, ``docs/clips.md`` the measurements.
"""
