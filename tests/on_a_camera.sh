#!/usr/bin/env bash
# Run the tests of what runs on a camera, and of deploy, on another Python: tests/on_a_camera.sh python3.13
set -euo pipefail
cd "$(dirname "$0")/.."
environment="$(mktemp -d)/environment"
"$1" -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check --editable '.[deploy,report,test]'
"$environment/bin/pytest" --numprocesses auto --maxprocesses 4 --dist loadfile tests/core tests/edge tests/deploy
