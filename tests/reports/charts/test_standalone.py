"""A drawing as a file of its own."""

from xml.etree import ElementTree

from hundredfold.reports import charts


def test_a_drawing_alone_is_xml_with_colours_and_nothing_for_a_script() -> None:
    dot = charts.circle(5, 5, 2, "dot fill c1", "a < b")
    drawing = charts.drawing(10, 20, "A dot", dot, data={"hover": {"x": [1]}})
    text = charts.standalone(drawing)
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("viewBox"), root.get("aria-label")) == ("0 0 10 20", "A dot")
    assert "a &lt; b" in text
    assert not any(word in text for word in ("var(", "data-hover", "style="))
