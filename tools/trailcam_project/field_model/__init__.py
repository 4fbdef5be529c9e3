"""How the built-in bundle was trained for the field: its upper blocks learn new views of a camera in every step.

    python -m trailcam_project.field_model ANIMALS NEGATIVES --split RUN/split.csv --out field.keras

``ANIMALS`` has a folder per class, ``NEGATIVES`` is as for ``trailcam train --negatives``. The float network is that of
the built-in int8 file. ADR 14 states the settings of each bundle and what each step gave.

After an interruption the same command cuts the animals out again and goes on from ``field.partial.npz``, which has at
most 50 steps less.

An export of the written network alone has no blank and unknown labels. The built-in bundle was exported from a run,
whose recipe names them.
"""
