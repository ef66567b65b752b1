"""Tables and names of files give the data that class folders give."""

import gzip
import hashlib
from pathlib import Path

import pytest
from PIL import Image

from hundredfold import data
from hundredfold.data import Source, load, training
from hundredfold.errors import DataError, HundredfoldError, MissingError, UsageError
from tests.data.source_files import TEXT, Photos, at, rows_of, table, tarred, zipped


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["file{}label", "path{}class", None, "what{}ever"])
def test_a_table_is_the_folder_that_it_lists(
    photos: Photos, tmp_path: Path, separator: str, header: str | None
) -> None:
    root = photos({"a": 3, "b": 4})
    lines = [row.replace(",", separator) for row in rows_of(root)]
    lines = lines if header is None else [header.format(separator), *reversed(lines)]
    file = table(root, lines)
    ours, theirs = load(TEXT, at(file, tmp_path)), load(TEXT, at(root, tmp_path))
    assert ours.digest == theirs.digest
    assert ours.name == "photos-labels"


def test_a_table_in_parquet_is_read(photos: Photos, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    root = photos({"a": 3, "b": 3})
    pairs = [row.split(",") for row in rows_of(root)]
    columns = {"image": [p[0] for p in pairs], "label": [p[1] for p in pairs]}
    parquet.write_table(pyarrow.table(columns), root / "t.parquet")
    assert (
        load(TEXT, at(root / "t.parquet", tmp_path)).digest == load(TEXT, at(root, tmp_path)).digest
    )
    columns["label"][1] = "0.5"
    parquet.write_table(pyarrow.table({**columns, "label": [0.5 + k for k in range(6)]}),
                        root / "t.parquet")  # fmt: skip
    with pytest.raises(DataError, match=r"row 1 of .*regression"):
        load(TEXT, at(root / "t.parquet", tmp_path))
    (root / "t.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="no readable Parquet"):
        load(TEXT, at(root / "t.parquet", tmp_path))


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr("hundredfold.data._tables.find_spec", lambda _: None)
    with pytest.raises(MissingError, match="needs pyarrow") as caught:
        load(TEXT, at(tmp_path / "t.parquet", tmp_path))
    assert caught.value.exit_code == 4 and "hundredfold[parquet]" in str(caught.value.remedy)


def test_names_without_suffix_or_folder_are_found_where_they_are_unique(
    photos: Photos, tmp_path: Path
) -> None:
    root = photos({"train_images": 6})
    lines = ["id_code,diagnosis", *(f"{k},{'ab'[k % 2]}" for k in range(6))]
    split = load(TEXT, at(table(root, lines), tmp_path)).parts["train"]()
    assert split.names[:2] == ("train_images/0.png", "train_images/2.png")
    (root / "other").mkdir()
    Image.new("RGB", (9, 9)).save(root / "other" / "0.png")
    with pytest.raises(DataError, match=r"line 2 of .* there are several such files"):
        load(TEXT, at(root / "labels.csv", tmp_path))
    images = Source(folder=root / "labels.csv", images=root / "train_images",
                    cache=tmp_path / "cache")  # fmt: skip
    assert load(TEXT, images).parts["train"]().names[0] == "0.png"


def test_a_table_may_name_members_of_an_archive(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    file = table(tmp_path, ["file,label", *rows_of(root)])
    archive = zipped(root, tmp_path / "x.zip")
    source = Source(folder=file, images=archive, cache=tmp_path / "cache")
    assert load(TEXT, source).digest == load(TEXT, at(root, tmp_path)).digest


def test_a_column_of_splits_makes_parts(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 4, "b": 4})
    parts = ["train", "train", "val", "test"] * 2
    lines = [f"{row},{part}" for row, part in zip(rows_of(root), parts, strict=True)]
    dataset = load(TEXT, at(table(root, ["file,label,split", *lines]), tmp_path))
    assert {p: len(opened()) for p, opened in dataset.parts.items()} == {
        "train": 4, "validation": 2, "test": 2}  # fmt: skip
    wrong = table(root, ["file,label,split", *lines[:-1], f"{rows_of(root)[-1]},holdout"])
    with pytest.raises(DataError, match=r"line 9 of .* has the split 'holdout'"):
        load(TEXT, at(wrong, tmp_path))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["file,label", "a/0.png,a", "a/1.png,a,b"], "line 3 of .* has 3 values for 2 columns"),
        (["file,label", "a/0.png,a", 'a/1.png,"a'], "line 3 of .* cannot be read"),
        (["file,label", "", "a/0.png,a", "../x.png,b"], "line 4 of .* not a path below"),
        (["file,label", "/etc/x.png,a", "a/1.png,b"], "line 2 of .* not a path below"),
        (["file,label", "a/0.png,a", "a/77.png,b"], "line 3 of .* names 'a/77.png', which is not"),
        (["file,label", "a/0.png,a", "b/0.png,b", "a/0.png,b"], "line 4 of .* the label 'b'"),
        (["file,label,class", "a/0.png,a,x", "b/0.png,b,y", "a/1.png,a,y"], "could be the label"),
        (["left,right,label", "a/0.png,a/1.png,a", "b/0.png,b/1.png,b"], "could be the image"),
        (["file,file", "a/0.png,a"], "line 1 of .* names the column 'file' twice"),
        (["file,label"], "no line after its column names"),
        (["x,label", "1,a", "1,b", "1,b"], "holds the paths of images"),
        (["file,label", "a/0.png,", "b/0.png,"], "no line of .* has a label"),
        (["file,label", "a/0.png,a", "a/1.png,a"], "only one class"),
        (["file,age", "a/0.png,0.5", "b/0.png,1.25"], "line 2 of .* this is regression"),
        (["file,label", "a/0.png,a|b", "a/1.png,a", "b/0.png,b"], "line 2 of .* is multi-label"),
        (["file,label", "a/0.png,a b", "a/1.png,a", "b/0.png,b"], "line 2 of .* is multi-label"),
        (["file,cat,dog", "a/0.png,0,1", "b/0.png,1,1"], "line 3 of .* is multi-label"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_sentence_with_its_line(
    photos: Photos, tmp_path: Path, lines: list[str], said: str
) -> None:
    root = photos({"a": 3, "b": 3})
    with pytest.raises(DataError, match=said) as caught:
        load(TEXT, at(table(root, lines), tmp_path))
    assert caught.value.exit_code == 3
    assert "\n" not in caught.value.message


def test_a_line_that_is_not_utf_8_is_named(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2})
    (root / "t.csv").write_bytes(b"file,label\na/0.png,a\nb/0.png,caf\xe9\n")
    with pytest.raises(DataError, match=r"line 3 of .* not text in UTF-8"):
        load(TEXT, at(root / "t.csv", tmp_path))


def test_a_link_out_of_the_folder_of_a_table_is_refused(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2})
    (tmp_path / "outside").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "outside" / "x.png")
    (root / "c").symlink_to(tmp_path / "outside")
    file = table(root, ["file,label", *rows_of(root)[:4], "c/x.png,b"])
    with pytest.raises(DataError, match=r"line 6 of .* not a path below"):
        load(TEXT, at(file, tmp_path))


def test_labels_that_only_look_combined_are_classes(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    files = [row.split(",")[0] for row in rows_of(root)]
    names = ["golden retriever", "German shepherd", "red, delicious"]
    lines = [f'{file},"{names[k % 3]}"' for k, file in enumerate(files)]
    dataset = load(TEXT, at(table(root, ["file,label", *lines]), tmp_path))
    assert dataset.classes == tuple(sorted(names))


def test_numbers_that_are_classes_lose_their_decimals(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    lines = [f"{row.split(',')[0]},{k % 2}.0" for k, row in enumerate(rows_of(root))]
    dataset = load(TEXT, at(table(root, ["file,label", *lines]), tmp_path))
    assert dataset.classes == ("0", "1")


def test_a_column_of_zeros_and_ones_per_class_is_read(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    lines = [f"{r.split(',')[0]},{int(r[-1] == 'a')},{int(r[-1] == 'b')}" for r in rows_of(root)]
    dataset = load(TEXT, at(table(root, ["file,a,b", *lines]), tmp_path))
    assert dataset.digest == load(TEXT, at(root, tmp_path)).digest


def test_ids_and_names_of_one_class_are_not_ambiguous(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    lines = [f"{row},{'ab'.index(row[-1])}" for row in rows_of(root)]
    dataset = load(TEXT, at(table(root, ["file,label,label_id", *lines]), tmp_path))
    assert dataset.classes == ("a", "b")


def test_columns_can_be_named_and_a_wrong_name_is_a_usage_error(
    photos: Photos, tmp_path: Path
) -> None:
    root = photos({"a": 3, "b": 3})
    lines = [f"{row},{k % 2}" for k, row in enumerate(rows_of(root))]
    source = at(table(root, ["f,kind,sex", *lines]), tmp_path)
    assert load("image_folder(size=16, label_column='sex')", source).classes == ("0", "1")
    with pytest.raises(UsageError, match="no column 'knd'") as caught:
        load("image_folder(label_column='knd')", source)
    assert "kind" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("pattern", "names", "classes"),
    [
        ("{label}_*", ["cat_1", "cat_2_left", "dog_1"], ("cat", "dog")),
        ("{label}_#", ["american_bulldog_1", "pug_12", "pug_3"], ("american_bulldog", "pug")),
        ("#-{label}.png", ["1-cat", "22-dog", "3-dog"], ("cat", "dog")),
        ("{label}/x/*", ["cat/x/1", "deep/dog/x/2", "dog/x/1"], ("cat", "dog")),
        ("{group}({label})*", ["p1(a)", "p1(b)2", "p.2(a)"], ("a", "b")),
    ],
)
def test_labels_are_read_from_the_names_of_files(
    tmp_path: Path, pattern: str, names: list[str], classes: tuple[str, ...]
) -> None:
    for name in names:
        file = tmp_path / "flat" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9)).save(file)
    text = f"image_folder(size=16, label_pattern={pattern!r})"
    dataset = load(text, at(tmp_path / "flat", tmp_path))
    assert dataset.classes == classes
    assert len(dataset.parts["train"]()) == len(names)


@pytest.mark.parametrize("pattern", ["cat", "{label}_{label}", "{name}_*", "{group}_*"])
def test_a_pattern_that_cannot_be_meant_is_refused(
    photos: Photos, tmp_path: Path, pattern: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(f"image_folder(label_pattern={pattern!r})", at(photos({".": 3}), tmp_path))
    assert "--label-pattern" in caught.value.message


def test_a_file_that_does_not_fit_the_pattern_is_named(photos: Photos, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'0\.png' does not fit --label-pattern"):
        load("image_folder(label_pattern='{label}_*')", at(photos({".": 3}), tmp_path))


@pytest.mark.parametrize(
    ("option", "word"),
    [("label_column='x'", "is for tables"), ("group='x'", "neither a column"),
     ("test=1.5", "out of range"), ("test=-0.1", "out of range")],
)  # fmt: skip
def test_an_option_that_does_nothing_here_is_refused(
    photos: Photos, tmp_path: Path, option: str, word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        load(f"image_folder({option})", at(photos({"a": 3, "b": 3}), tmp_path))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="is not a folder"):
        data.locate(str(tmp_path / "notes.txt"), Source())
    with pytest.raises(UsageError, match="is not a folder"):
        data.locate("missing.csv", Source())
    with pytest.raises(HundredfoldError, match="neither a folder, an archive nor a table"):
        load(TEXT, at(tmp_path / "notes.txt", tmp_path))


def test_what_the_user_owns_is_never_written(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    file = table(root, ["file,label", *rows_of(root)])
    archive = tarred(root, tmp_path / "x.tar.gz")

    def state() -> str:
        files = sorted([*root.rglob("*.*"), archive])
        return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()

    before = state()
    for path in (file, archive):
        dataset = load("image_folder(size=16, test=0.3)", at(path, tmp_path))
        training(dataset)
        dataset.parts["test"]()
    assert state() == before


def test_gzip_that_ends_early_leaves_no_file(photos: Photos, tmp_path: Path) -> None:
    content = gzip.compress(b"x" * 5000)
    (tmp_path / "x.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="truncated or damaged"):
        load(TEXT, at(tmp_path / "x.tar.gz", tmp_path))
    assert not [f for f in (tmp_path / "cache").rglob("*") if f.is_file()]


def test_a_run_s_paths_are_filled_in_where_none_are_named(tmp_path: Path) -> None:
    table_file, images, other = tmp_path / "t.csv", tmp_path / "images", tmp_path / "other"
    table_file.touch()
    images.mkdir()
    other.mkdir()
    facts = {"folder": str(table_file), "images": str(images), "labels": str(tmp_path / "l.csv")}
    empty = Source(folder=None).as_before(facts)
    assert (empty.folder, empty.images) == (table_file, images)
    assert empty.labels == tmp_path / "l.csv"
    moved = Source(folder=other).as_before(facts)
    assert (moved.folder, moved.images) == (table_file, other), "the images were moved"
    new = Source(folder=other / "new.csv").as_before(facts)
    assert (new.folder, new.images) == (other / "new.csv", None)
    plain = Source(folder=other).as_before({"folder": str(images)})
    assert (plain.folder, plain.images, plain.labels) == (other, None, None)


def test_a_table_beside_the_images_may_name_them_by_absolute_and_upward_paths(
    photos: Photos, tmp_path: Path
) -> None:
    root = photos({"a": 3, "b": 3})
    (tmp_path / "tables").mkdir()
    absolute = table(tmp_path / "tables", ["file,label", *(f"{root}/{r}" for r in rows_of(root))])
    upward = table(tmp_path / "tables", ["file,label", *(f"../photos/{r}" for r in rows_of(root))],
                   "up.csv")  # fmt: skip
    plain = load(TEXT, at(root, tmp_path)).digest
    for file in (absolute, upward):
        source = Source(folder=file, images=root, cache=tmp_path / "cache")
        assert load(TEXT, source).digest == plain
        with pytest.raises(DataError, match=r"line 2 of .* not a path below"):
            load(TEXT, at(file, tmp_path))
