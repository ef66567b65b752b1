"""Drawings with inline styles, for pages without a style sheet."""

import re
from functools import cache

from hundredfold.reports.charts import chart_css
from hundredfold.reports.html import Markup

_ELEMENT = re.compile(r"<(svg|g|path|text|rect|circle)\b([^>]*)>")
_CLASS = re.compile(r' class="([^"]*)"')
_LEFT_OUT = re.compile(r' (data-[\w-]+|tabindex|style)="[^"]*"')  # read only by the page's script


def inlined(svg: Markup) -> Markup:
    """Return a drawing with inline styles, in light colours on white."""
    styled = _ELEMENT.sub(_styled, _LEFT_OUT.sub("", svg))
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', styled)[0]
    size = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    return Markup(styled.replace("<svg", size, 1))


def _styled(match: re.Match[str]) -> str:
    name, attributes = match[1], match[2]
    class_attribute = _CLASS.search(attributes)
    kinds = set(class_attribute[1].split()) if class_attribute else set()
    rest = attributes.replace(class_attribute[0], "") if class_attribute else attributes
    declarations = [
        style for tag, required, style in _rules() if tag in ("", name) and required <= kinds
    ]
    style = _whole() if name == "svg" else ";".join(declarations)
    return f'<{name}{rest} style="{style}">' if style else f"<{name}{rest}>"


@cache
def _rules() -> list[tuple[str, frozenset[str], str]]:
    """Return element, classes and declarations of each CSS rule for elements of a chart.

    Rules are sorted by specificity, so that later ones win as in a browser.
    """
    css = chart_css()
    palette = dict(re.findall(r"--([\w-]+):\s*([^;}]+)[;}]", css))
    rules = []
    for selectors, body in re.findall(r"^(\.chart [^{]+)\{([^}]*)\}", _a_rule_a_line(css), re.M):
        style = re.sub(r"var\(--([\w-]+)\)", lambda m: palette[m[1]], body).strip(";")
        for selector in selectors.split(","):
            name, *kinds = selector.strip().removeprefix(".chart ").split(".")
            rules.append((name, frozenset(kinds), style))
    return sorted(rules, key=lambda rule: (len(rule[1]), bool(rule[0])))


def _a_rule_a_line(css: str) -> str:
    return css.replace("}", "}\n")


@cache
def _whole() -> str:
    """Return the declarations of the whole chart, with single quotes for use in an attribute."""
    (style,) = re.findall(r"^\.chart\{([^}]*)\}", chart_css(), re.M)
    return f"{style.strip(';')};background:#fff;max-width:100%".replace('"', "'")
