"""How the built-in bundle was trained for the field: its upper blocks learn new views of a camera in every step.

    python -m trailcam_project.field_model ANIMALS NEGATIVES --split RUN/split.csv --out weights.h5

``ANIMALS`` has a folder per class, ``NEGATIVES`` is as for ``trailcam train --negatives``. The float network is that of
the built-in int8 file. ADR 14 states the settings of each bundle and what each step gave.
"""
