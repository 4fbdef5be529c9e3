"""One of two hosts that train together, run by test_multi_host.py; its word is a folder to work in."""

import json
import os
import sys
from pathlib import Path

import numpy as np
from tiny_training import main

from trailcam_core.errors import TrainError
from trailcam_train.fitting.gather import gather_rows, host_count, local_share
from trailcam_train.fitting.multi_host import check_same_epoch, check_same_on_hosts, join_hosts, lost_host_named

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
others = np.arange(10).reshape(5, 2)
gathered = gather_rows(others[local_share().within(0, 5)], 5, local_share()).tolist()
print(json.dumps({"hosts": host_count(), "refused": refused, "gathered": gathered}), flush=True)
if number == "0":
    try:
        with lost_host_named(Path("runs/big")):
            check_same_on_hosts("end", b"")
    except TrainError as error:
        print(json.dumps({"lost": str(error)}), flush=True)
os._exit(0)  # host 1 dies without a word; host 0 would wait for it
