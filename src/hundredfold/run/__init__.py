"""A run: the folder that a training writes. Create, find, read and lock it.

recipe.toml           every default spelled out
source/               copies of the user's own code that the recipe names
run.json              status, reason, best epoch, cost, versions, device, data
model.json            parameters, multiply-accumulates, one row per layer
curve.jsonl           one line per epoch
log.txt               the logged lines
weights/{best,last}.safetensors
state/                checkpoints for --resume; empty once the run is done
scores.json           scores with intervals
calibration.json      the temperature of the logits, and the bounds chosen on validation images
corruptions.json      accuracy under corruptions; unlike.json: AUROC against unlike images
<split>.logits.npy    the logits behind the scores; with labels.npy and rows.npy
<split>.json          digests of the images and of the weights of the logits
test.unseen.npy       for each test image, whether the training data have no near-duplicate
<split>.classes.csv   precision, recall, F1 of each class; with confusion.csv
<split>.predictions.csv   file, label, prediction and its probability of each image
figures/*.svg  report.html

A run may come from anybody: `plain` opens its files without following a link out of the folder,
and `reading` checks what they contain by `schema`. Every reader goes through these.
"""

from hundredfold.run import digests, plain, reading, removal, surplus
from hundredfold.run._create import adopt, create, default_name, need_free, remove, rename
from hundredfold.run._find import all_runs, open_run
from hundredfold.run._folder import RUNS, Run

__all__ = [
    "RUNS",
    "Run",
    "adopt",
    "all_runs",
    "create",
    "default_name",
    "digests",
    "need_free",
    "open_run",
    "plain",
    "reading",
    "removal",
    "remove",
    "rename",
    "surplus",
]
