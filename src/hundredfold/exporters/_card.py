"""The model card: what a file is, what it was measured to do, and how to run it."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from hundredfold import metrics, wording
from hundredfold.exporters._trained import Trained
from hundredfold.metrics.tables.per_class import per_class

_MOST = 100  # rows of the table of classes
_HOW = """\
```python
import json, numpy as np, onnxruntime, sys
from PIL import Image, ImageOps
session = onnxruntime.InferenceSession("{file}")
image = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("RGB")
probabilities, logits, unknown = session.run(None, {{"images": np.asarray(image)[None]}})
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
print(labels[probabilities[0].argmax()], probabilities[0].max(), unknown[0])
```
"""
_SECTIONS = """\
## Intended use

*To be filled in: who should use it, for which images, and for what it must not be used.*

## Limits

- It knows {classes} classes, and gives one of them to every image. `unknown`, from 0 to 1, is high
  for images unlike those of training. Images of classes near to the known ones are often missed.
- The scores hold for images like those of the data set.
"""


def card(trained: Trained, file: str, target: str, check: Mapping[str, Any]) -> str:
    """Return the text of the model card of an exported file, in Markdown."""
    run, classes = trained.run, trained.classifier.classes
    split = "test" if "test.top_1" in run.scores else "validation"
    parts = [
        _head(trained, split),
        f"# {_plain(run.name)}",
        f"`{run.recipe.model}`, trained with Hundredfold on {_plain(run.info['data']['name'])}; "
        f"exported to {target}.",
        _data(trained),
        _scores(trained),
        _calibration(trained),
        _per_class(trained, split),
        _check(check),
        f"## How to run it\n\n{_how(file, target)}",
        _SECTIONS.format(classes=len(classes)),
        _licences(trained),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _head(trained: Trained, split: str) -> str:
    """Return the head that the Hugging Face Hub reads; JSON strings are YAML strings too."""
    run = trained.run
    score = run.scores.get(f"{split}.top_1")
    lines = [
        "---",
        "license: unknown",
        "library_name: hundredfold",
        "pipeline_tag: image-classification",
        "tags:",
        "- image-classification",
        "- hundredfold",
    ]
    if score and score["value"] is not None:
        data = json.dumps(str(run.info["data"]["name"]))
        lines += [
            "model-index:",
            f"- name: {json.dumps(run.name)}",
            "  results:",
            "  - task:",
            "      type: image-classification",
            "    dataset:",
            f"      name: {data}",
            f"      type: {data}",
            f"      split: {split}",
            "    metrics:",
            "    - type: accuracy",
            f"      value: {score['value']:.4f}",
        ]
    return "\n".join([*lines, "---"])


def _data(trained: Trained) -> str:
    run, facts = trained.run, trained.run.info["data"]
    unseen = run.unseen()
    lines = [
        "## Data",
        "",
        f"- Data set: {_plain(facts['name'])}, digest `{str(facts.get('digest', ''))[:16]}`",
        f"- Training images: {facts.get('train', 0):,}; validation images: "
        f"{facts.get('validation', 0):,}",
        f"- Images become {trained.classifier.size} pixels ({trained.classifier.resize}) "
        "within the file; any size may be given.",
        f"- Evaluations of the test split so far: {run.info.get('test_evaluations', 0)}",
    ]
    if unseen is not None:
        seen = int((~unseen).sum())
        lines.append(
            f"- Test images with a near-duplicate among the training images: {seen:,} "
            f"of {len(unseen):,}"
        )
    return "\n".join(lines)


def _scores(trained: Trained) -> str:
    rows = [
        f"| {metrics.words(key)} | {metrics.text(key, score['value'], 4)} "
        f"| {metrics.text(key, score.get('low'), 4)} to {metrics.text(key, score.get('high'), 4)} "
        f"| {score.get('n', 0):,} |"
        for key, score in trained.run.scores.items()
        if score["value"] is not None
    ]
    if not rows:
        return ""
    return "\n".join(
        ["## Scores", "", "| score | value | 95 % interval | images |", "|---|---|---|---|", *rows]
    )


def _calibration(trained: Trained) -> str:
    calibration = trained.calibration
    fitted = f"fitted on {calibration.n:,} validation images" if calibration.n else "not fitted"
    lines = ["## Calibration", "", f"- Temperature: {calibration.temperature:.4f} ({fitted})"]
    if reject := calibration.reject:
        lines.append(
            f"- An image with `unknown` over {reject.threshold:.4f} is of no class ({reject.rule})"
        )
    if sets := calibration.sets:
        lines.append(
            f"- Label sets: classes with a probability of {sets.threshold:.4f} or more hold the "
            f"true class in {wording.percent(sets.coverage)} of cases, for images like those of "
            "validation"
        )
    return "\n".join(lines)


def _per_class(trained: Trained, split: str) -> str:
    logits, labels = trained.run.logits(split), trained.run.labels(split)
    if logits is None or labels is None:
        return ""
    table, classes = per_class(logits, labels), trained.classifier.classes
    order = np.argsort(table.f1, kind="stable")[:_MOST]
    rows = [
        f"| {_plain(classes[k])} | {table.precision[k]:.3f} | {table.recall[k]:.3f} "
        f"| {table.f1[k]:.3f} | {int(table.support[k]):,} |"
        for k in order
    ]
    title = f"## Classes ({split} images, lowest F1 first)"
    return "\n".join(
        [title, "", "| class | precision | recall | F1 | images |", "|---|---|---|---|---|", *rows]
    )


def _check(check: Mapping[str, Any]) -> str:
    difference = check["largest_difference"]
    lines = [
        "## Checked",
        "",
        f"- With {check['runtime']} on {check['n']:,} {check['source']} images: "
        f"{wording.percent(check['equal_classes'])} equal classes, logits within "
        f"{difference['logits']:.2g}, probabilities within {difference['probabilities']:.2g}",
        f"- Resize against Pillow's: probabilities within "
        f"{check['resize']['largest_difference']:.2g} ({check['resize']['n']} images)",
    ]
    return "\n".join(lines)


def _how(file: str, target: str) -> str:
    if target.startswith("onnx"):
        return _HOW.format(file=file)
    return f"Open `{_plain(file)}` with {target}. Input: uint8 images (batch, height, width, 3)."


def _licences(trained: Trained) -> str:
    rows = [f"- {entry['what']}: {entry['license']}" for entry in trained.licenses]
    return "\n".join(["## Licences", "", *rows, "- The trained weights: for you to choose"])


def _plain(text: object) -> str:
    """Return text in one line that no Markdown within it changes."""
    line = wording.one_line(str(text))
    return "".join(f"\\{c}" if c in "\\`*_|<>[]#" else c for c in line)
