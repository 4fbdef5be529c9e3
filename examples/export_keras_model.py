"""Export a Keras model that was trained elsewhere.

    python examples/export_keras_model.py model.keras labels.txt DATA

DATA has a folder of pictures for each label. Some of them calibrate, others measure the loss of accuracy. The command
line has the same as ``trailcam export --model``.
"""

import sys
from pathlib import Path

from trailcam import TrailcamError, open_bundle
from trailcam_export.convert.variants import parse_variants
from trailcam_export.foreign.foreign_run import ForeignModel
from trailcam_export.run.export import export_run
from trailcam_export.run.plan import ExportRequest


def main(model: Path, labels: Path, data: Path, out: Path = Path("exports")) -> int:
    """Write a float32 and an int8 bundle and print the accuracy of each; 3 if one fails the drift gate."""
    request = ExportRequest(
        foreign=ForeignModel(model, labels, fit="crop"),  # value_range=(-1.0, 1.0) if no layer defines the input range
        data=data,
        out=out,
        variants=parse_variants(["float32", "int8"]),
        calibration_count=50,
    )
    try:
        report = export_run(request)
    except TrailcamError as error:
        print(error, file=sys.stderr)
        return 1
    for variant in report.variants:
        metrics = open_bundle(variant.bundle).manifest.metrics
        print(f"{variant.bundle}: top-1 {metrics.top1:.1%} of {metrics.n} pictures" if metrics else "not measured")
    return 0 if report.passed else 3


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
