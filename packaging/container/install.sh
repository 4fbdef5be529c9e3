#!/bin/sh
# Install Trailcam from the checkout $1 into /opt/trailcam.
set -eu
python3 -m venv /opt/trailcam 2> /dev/null || {
    apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends python3 python3-venv
    python3 -m venv /opt/trailcam
}
/opt/trailcam/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "$1[opencv,mqtt,notify]"
/opt/trailcam/bin/trailcam --version
