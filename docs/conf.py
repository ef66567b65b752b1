"""The documentation site: `make docs` builds it offline into build/docs."""

import sys
from pathlib import Path

from hundredfold import __version__

sys.path.insert(0, str(Path(__file__).parent))  # for the extension `_site`

project = "Hundredfold"
author = "the Hundredfold authors"
copyright = author
release = version = __version__

extensions = ["myst_parser", "_site"]
exclude_patterns = ["_site"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"Hundredfold {release}"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
smartquotes = False  # "--set" is an option, not a dash
pygments_style = "friendly"
pygments_dark_style = "monokai"
