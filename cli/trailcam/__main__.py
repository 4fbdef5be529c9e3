"""``python -m trailcam`` is the command ``trailcam``."""

import sys

from trailcam.main import main

sys.exit(main())
