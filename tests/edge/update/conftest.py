"""Tests here share helpers with the rehearsals beside them, which are scripts and find them by their folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
