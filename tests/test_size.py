"""The size of images as one number or HEIGHTxWIDTH."""

import pytest

from hundredfold.errors import UsageError
from hundredfold.size import Size, plain
from hundredfold.spec import part


@pytest.mark.parametrize("value", [128, "128", "128x128", (128, 128), [128, 128], Size(128, 128)])
def test_a_square_is_its_side_whatever_its_spelling(value) -> None:
    size = Size.of(value)
    assert (size.plain, str(size), size.given, size) == (128, "128", 128, 128)
    assert {size: 1}[128] == 1 and {128: 1}[size] == 1
    assert plain(value) == 128


@pytest.mark.parametrize("value", ["24x40", "24X40", " 24x40 ", (24, 40), [24, 40], Size(24, 40)])
def test_a_rectangle_is_height_by_width(value) -> None:
    size = Size.of(value)
    assert (size.plain, str(size), size.given) == ("24x40", "24x40", (24, 40))
    assert (size.height, size.width, size.least, size.most, size.area) == (24, 40, 24, 40, 960)
    assert size != Size(40, 24) and size != 31 and size != 24 and size.side == 31
    assert Size.of(str(size)) == size and hash(Size.of(str(size))) == hash(size)


@pytest.mark.parametrize(
    "value",
    ["0x64", "64x", "x64", "64x64x3", "-1x5", "5x-1", "12.5", "ten", "", "0x0", "64 x 64", "1e2",
     "99999999999x5", True, None, 12.5, (1, 2, 3), (0, 4), (2.5, 4), ["1", "2"]],
)  # fmt: skip
def test_anything_else_is_one_sentence(value) -> None:
    with pytest.raises(UsageError, match="is no size of images") as caught:
        Size.of(value)
    assert caught.value.remedy == "128, or 128x256"


def test_sizes_scale_with_their_aspect() -> None:
    assert Size(32, 48).scaled(0.625) == Size(20, 30)
    assert Size(2, 300).scaled(0.1) == Size(1, 30)
    assert not Size(0, 0) and Size(1, 1)


def test_recipes_spell_a_size_in_one_way() -> None:
    package = "hundredfold.data"
    spellings = ("size='24x40'", "size='24X40'", "size=(24, 40)", "size=[24, 40]")
    assert {str(part(f"digits({text})", package)) for text in spellings} == {"digits(size='24x40')"}
    assert str(part("digits(size='32x32')", package)) == "digits(size=32)"
    assert part("digits(size=(32, 32))", package).options["size"] == 32
    strategy = part("linear_probe(input_size='64x96')", "hundredfold.strategies")
    assert strategy.options["input_size"] == "64x96"
