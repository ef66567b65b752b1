"""Account for every file of a source that is no image of a class, by kind, and say so."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hundredfold.data import _formats, _walk
from hundredfold.data._part_names import PARTS
from hundredfold.data._scan import Layout, relative, shown
from hundredfold.data._walk import Entry, Folder
from hundredfold.wording import plural

Counts = Mapping[str, int]  # kind -> number of files

UNCLASSED = "image without a class"
UNNAMED = "image that the table does not name"
UNDRAWN = "image outside the subset"
UNLABELLED = "image without a label"
_LINK = "link to a folder elsewhere"
_BESIDE = "in the folder "  # kind of the images of a folder that is no part
_OTHERS_BESIDE = "in other folders"
_MOST_BESIDE, _MOST_ENDINGS = 20, 8  # that get a sentence each


def of_layout(layout: Layout) -> Counts:
    """Return what is passed over of a folder of class folders."""
    kinds = layout.tree.rest()
    parts = {id(folder) for folder in layout.parts.values()}
    if id(layout.tree) not in parts:
        kinds[UNCLASSED] += len(layout.tree.images)
    for folder in layout.parts.values():
        kinds[UNCLASSED] += len(folder.images)
    if id(layout.tree) not in parts:
        for folder in (f for f in layout.tree.folders if id(f) not in parts):
            if folder.name.lower() in PARTS:  # a part without class folders
                kinds[UNCLASSED] += folder.count()
                continue
            few = sum(kind.startswith(_BESIDE) for kind in kinds) < _MOST_BESIDE
            name = _BESIDE + repr(shown(folder.name)) if few else _OTHERS_BESIDE
            kinds[name] += folder.count()
    return +kinds + outside(layout.root)


def of_files(root: Folder, used: Iterable[Entry] | None) -> Counts:
    """Return what is passed over where single files are used; None uses every image."""
    kinds = root.rest()
    if used is not None:
        taken = set(map(str, used))
        every = (image for folder in root.below() for image in folder.images)
        kinds[UNNAMED] += sum(str(image) not in taken for image in every)
    return +kinds + outside(root.entry)


def outside(root: Entry) -> Counter[str]:
    """Return what lies in an archive above the folder in which its images begin."""
    total: Counter[str] = Counter()
    if not isinstance(root, Path) and root.parts:
        top = _walk.walk(type(root)((), root.archive))
        for name in root.parts:
            total.update(top.others)
            top = next(folder for folder in top.folders if folder.name == name)
    return total


def images_below(root: Path) -> tuple[list[Path], Counts]:
    """Return the image files below a folder, sorted, and what is passed over there.

    Links to folders outside are not followed. Raises OSError for a folder that cannot be read.
    """
    tree = _walk.walk(root, inside=False)
    links = sum(len(folder.unfollowed) for folder in tree.below())
    others = tree.rest() + Counter({_LINK: links})
    return [file for file in _walk.images(tree) if isinstance(file, Path)], others


def sentences(kinds: Counts) -> Iterator[str]:
    """Yield a sentence for each kind of file that is passed over, with its count."""
    endings = sorted((k for k in kinds if k.startswith(".")), key=lambda k: (-kinds[k], k))
    useful = [k for k in endings if _formats.remedy(k)]
    listed = [*useful, *(k for k in endings if k not in useful)][:_MOST_ENDINGS]
    for kind, count in kinds.items():
        if kind in listed or kind not in endings:
            yield f"passed over {_words(kind, count)}"
    if count := sum(kinds[kind] for kind in endings if kind not in listed):
        yield f"passed over {plural(count, 'file')} of {len(endings) - len(listed)} other endings"


def unfollowed(root: Folder) -> Iterator[str]:
    """Yield a sentence on links to a folder above, which are not followed."""
    links = [path for folder in root.below() for path in folder.unfollowed]
    if links:
        first = relative(root.entry, Path(links[0]))
        count = plural(len(links), "link")
        yield f"did not follow {count} to a folder above, such as {first}: images are used once"


def _words(kind: str, count: int) -> str:
    """Return a kind with its count and remedy: "3 .heic files", and how to read them."""
    if kind.startswith("."):
        ending = shown(kind)
        text = plural(count, f"{ending} file")
        return f"{text}; {remedy}" if (remedy := _formats.remedy(kind)) else text
    if kind == UNCLASSED:
        return f"{plural(count, 'image')} without a class: in no class folder"
    if kind.startswith(("image ", "link ")):
        noun, _, rest = kind.partition(" ")
        return f"{plural(count, noun)} {rest}"
    if kind.startswith(_BESIDE):
        return f"{plural(count, 'image')} {kind}: to use it, rename it train, val or test"
    word = {"hidden": "hidden file", "without a suffix": "file without a suffix"}.get(kind)
    many = {"without a suffix": "files without a suffix"}.get(kind, "")
    return plural(count, word, many) if word else f"{plural(count, 'file')} {kind}"
