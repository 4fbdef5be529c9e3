"""Classify one photograph: ``python examples/classify_photo.py photo.jpg``."""

import sys

from trailcam import Classifier, TrailcamError, read_image


def main(path: str) -> int:
    """Print the answer and the runners-up."""
    try:
        answer = Classifier.open().classify(read_image(path))
    except TrailcamError as error:  # a damaged file, a missing runtime: the message has the next step
        print(error, file=sys.stderr)
        return 1
    print(f"{answer.label or 'unknown'} ({answer.latency_ms:.0f} ms)")
    for candidate in answer.top:
        print(f"  {candidate.label:<12} {candidate.probability:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
