"""Our Sphinx extension: pages made from the source, and links that lead out of docs/.

Before a build, `docs/reference/` is written anew from the installed package: it is generated and
not in the repository. A relative link to a file outside docs/ works on a code host; on the site it
becomes a link to the repository, and a link to a file that does not exist is a warning.
"""

import shutil
from pathlib import Path
from typing import Any

from _site import command, links, parts, python, texts

DOCS = Path(__file__).resolve().parents[1]


def pages() -> dict[str, str]:
    """Return every generated page, as Markdown, by its path in docs/."""
    made = {**parts.pages(), **command.pages(), **python.pages(), **texts.pages(DOCS.parent)}
    return {f"reference/{name}.md": text for name, text in made.items()}


def write(docs: Path) -> None:
    """Write the generated pages into a docs folder, and remove those of an earlier build."""
    shutil.rmtree(docs / "reference", ignore_errors=True)
    for path, text in pages().items():
        page = docs / path
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir)))
    app.connect("source-read", links.lead_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
