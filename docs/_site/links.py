"""Relative links to what is no page of the site become links to the repository."""

import re
from pathlib import Path
from typing import Any

from sphinx.util import logging

REPOSITORY = "https://github.com/hundredfold/hundredfold"
_LINK = re.compile(r"(?<=\]\()(\.\./[^)\s#]+)(?=[)#])")

log = logging.getLogger(__name__)


def lead_out(app: Any, name: str, content: list[str]) -> None:
    """Rewrite a page's links; a Sphinx handler of "source-read"."""
    docs = Path(app.srcdir)
    content[0] = rewritten(content[0], (docs / name).parent, docs)


def rewritten(text: str, folder: Path, docs: Path) -> str:
    """Return a page's text with the links from `folder` to no page of `docs` made absolute."""

    def absolute(link: re.Match[str]) -> str:
        target = (folder / link[1]).resolve()
        if target.is_relative_to(docs.resolve()) and target.suffix == ".md":
            return link[1]
        if not target.exists():
            log.warning("%s links to %s, which does not exist", folder.name, link[1])
            return link[1]
        return address(target.relative_to(docs.resolve().parent).as_posix())

    return _LINK.sub(absolute, text)


def address(path: str) -> str:
    """Return where a file or folder of the repository stands on its code host."""
    return f"{REPOSITORY}/blob/main/{path}"
