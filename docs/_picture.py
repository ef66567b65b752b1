"""Draw README's picture from the page of a run: curves, confusion matrix, worst mistakes.

    python docs/_picture.py runs/NAME/report.html docs/run.png

Needs Chromium (`apt-get install chromium`) and Pillow.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1800, 900
STYLE = """<style>
nav { display: none !important; }
main { zoom: 0.78; transform: none; max-width: none; margin: 0; padding: 1.5rem 2.5rem; }
main { columns: 3; column-gap: 4rem; }
section { display: none; border: 0; padding: 0; }
#curves, #confusion, #mistakes { display: block; }
#confusion, #mistakes { break-before: column; }
</style></head>"""


def main(page: Path, picture: Path) -> None:
    """Write the picture of a page with three of its sections beside each other."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "page.html")
        copy.write_text(page.read_text("utf-8").replace("</head>", STYLE, 1), "utf-8")
        shot = f"--screenshot={Path(folder, 'page.png')}"
        size = f"--window-size={WIDTH},{HEIGHT}"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        subprocess.run(["chromium", *flags, size, shot, copy.as_uri()], check=True)
        with Image.open(Path(folder, "page.png")) as image:
            image.convert("RGB").quantize(200).save(picture, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
