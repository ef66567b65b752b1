"""The folder a training leaves: names of its files, making, finding, reading and locking it.

recipe.toml           every default spelled out
source/               copies of the user's own code that the recipe names
run.json              status, reason, best epoch, cost, versions, device, data
model.json            parameters, multiply-accumulates, one row a layer
curve.jsonl           one line an epoch
log.txt               what was said
weights/{best,last}.safetensors
state/                what --resume needs; empty once the run is done
scores.json           scores with intervals
<split>.logits.npy    what they are computed from; with labels.npy and rows.npy
<split>.json          digests of the images and of the weights that the logits are of
test.unseen.npy       test images of which training saw no near-duplicate
<split>.classes.csv   precision, recall, F1 of each class; with confusion.csv
figures/*.svg  report.html
"""

from hundredfold.run._create import create, default_name, need_free
from hundredfold.run._find import all_runs, open_run
from hundredfold.run._folder import RUNS, Run

__all__ = ["RUNS", "Run", "all_runs", "create", "default_name", "need_free", "open_run"]
