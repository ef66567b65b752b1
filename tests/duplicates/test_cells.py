"""The search in cells: it finds copies as the comparison of all with all does, at linear cost."""

import numpy as np
import pytest

from hundredfold.duplicates import _candidates, _cells, pictures, within

Vectors = np.ndarray


def unit_vectors(count: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def searched(vectors: Vectors) -> set[tuple[int, int]]:
    images = {(0, False): vectors, (0, True): -vectors}
    own = np.arange(len(vectors))
    rows, partners = _cells.search(images, [vectors], [(0, 0)], own, 10)
    assert (rows != partners).all()
    assert not len(rows) or np.bincount(rows).max() <= 10
    pairs = list(zip(rows.tolist(), partners.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    return set(pairs)


def test_a_vector_finds_its_near_copy() -> None:
    base = unit_vectors(5000, 0)
    copies = base[:500] + 0.04 * np.random.default_rng(1).standard_normal((500, 64))
    copies = (copies / np.linalg.norm(copies, axis=1, keepdims=True)).astype(np.float32)
    pairs = searched(np.concatenate([base, copies]))
    assert sum((row, 5000 + row) in pairs for row in range(500)) >= 495


def test_the_cost_of_an_image_does_not_grow_with_the_set(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    in_cell = _cells._Cells._in_cell

    def counted(cells, images, not_row, number, rows):
        compared.append(len(rows) * int(cells.starts[number + 1] - cells.starts[number]))
        return in_cell(cells, images, not_row, number, rows)

    monkeypatch.setattr(_cells._Cells, "_in_cell", counted)
    costs = []
    for count in (5000, 20_000):
        compared.clear()
        searched(unit_vectors(count, 2))
        costs.append(sum(compared) / count)
    assert costs[1] < 1.3 * costs[0]


def test_planted_copies_are_found_in_cells_as_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (600, 8, 8, 3))
    images = coarse.repeat(4, 1).repeat(4, 2).astype(np.uint8)
    mirrored = images[:40, :, ::-1]
    both = pictures(np.concatenate([images, mirrored]))
    wanted = within(both)
    monkeypatch.setattr(_candidates, "MOST_COMPARED", 0)
    monkeypatch.setattr(_cells, "_SIZE", 40)
    near = within(both)
    found = set(zip(near.rows.tolist(), near.reference.tolist(), strict=True))
    assert {(row, 600 + row) for row in range(40)} <= found
    assert found == set(zip(wanted.rows.tolist(), wanted.reference.tolist(), strict=True))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_images_fill_one_cell(count: int) -> None:
    """A cell gives at most four candidates."""
    assert len(searched(unit_vectors(count, 4))) == count * (count - 1)
