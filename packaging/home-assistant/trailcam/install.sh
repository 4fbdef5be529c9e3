#!/bin/sh
# Install Trailcam: from a wheel in this folder where there is one, otherwise from the package index.
set -eu
wheel=$(ls "$(dirname "$0")"/trailcam-*.whl 2> /dev/null || true)
python3 -m venv /opt/trailcam
/opt/trailcam/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "${wheel:-trailcam}[opencv,mqtt,notify]"
/opt/trailcam/bin/trailcam --version
