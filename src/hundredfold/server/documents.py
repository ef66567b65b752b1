"""The pages and the OpenAPI document, as files of the package; nothing in them is fetched."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from re import DOTALL, findall

from hundredfold.server.answers import JSON, Answer


@cache
def document(name: str) -> Answer:
    """Return a file of `pages/`. A page may run its own script, and talk to its own server."""
    body = files(__package__).joinpath("pages", name).read_bytes()
    if name.endswith(".json"):
        return Answer(200, body, JSON)
    text = body.decode()
    scripts, styles = (_digests(text, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "x-content-type-options": "nosniff"}
    return Answer(200, body, "text/html; charset=utf-8", headers)


def _digests(text: str, tag: str) -> str:
    """Return the digests of all that a tag holds, as a content security policy names them."""
    found = findall(f"<{tag}>(.*?)</{tag}>", text, DOTALL)
    digests = (sha256(inner.encode()).digest() for inner in found)
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests)
