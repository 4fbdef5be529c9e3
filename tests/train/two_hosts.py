"""One of two hosts that train together, run by test_hosts.py; its word is a folder to work in."""

import json
import os
import sys
from pathlib import Path

from tiny_training import main

from trailcam_core.errors import TrainError
from trailcam_train.fitting.gather import host_count
from trailcam_train.fitting.multi_host import check_same_epoch, check_same_on_hosts, join_hosts

folder, number = Path(sys.argv[1]), os.environ["KERAS_DISTRIBUTION_PROCESS_ID"]
join_hosts()
check_same_on_hosts("recipe", b"the same")
refused = []
try:
    check_same_on_hosts("split", number.encode())
except TrainError as error:
    refused.append(str(error))
main(folder, "2", 4)
check_same_epoch(folder / "whole")
try:
    check_same_epoch(folder / ("whole" if number == "0" else "nowhere"))
except TrainError as error:
    refused.append(str(error))
print(json.dumps({"hosts": host_count(), "refused": refused}))
