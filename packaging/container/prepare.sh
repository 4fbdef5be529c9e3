#!/bin/sh
# Add the user of the service and its folder; add Python where the base has none.
set -eu
command -v python3 > /dev/null || {
    apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends python3
    rm -rf /var/lib/apt/lists/*
}
useradd --system --home-dir /var/lib/trailcam --create-home --shell /usr/sbin/nologin trailcam
