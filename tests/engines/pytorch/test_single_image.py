"""A step of one image is refused before a run is made, where a layer normalises over images."""

import pytest

from hundredfold.engines.pytorch.network import build
from hundredfold.engines.pytorch.size_checks import need_several_images
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.size import Size


@pytest.mark.parametrize("fields", [{"batch_size": 1}, {"batch_size": 8, "micro_batch": 1}])
def test_one_image_is_refused_by_name_of_the_model(fields: dict[str, int]) -> None:
    recipe = Recipe().override({"model": "vgg", **fields})
    with pytest.raises(UsageError, match="one image at a time"):
        need_several_images(recipe, build(recipe, classes=3, size=32), Size.of(32))


@pytest.mark.parametrize(
    ("model", "batch"), [("simple_cnn", 1), ("vgg", 2)], ids=["no BatchNorm", "two images"]
)
def test_other_models_and_batches_are_taken(model: str, batch: int) -> None:
    recipe = Recipe().override({"model": model, "batch_size": batch})
    need_several_images(recipe, build(recipe, classes=3, size=32), Size.of(32))
