"""Images in bodies of requests; the oracle of multipart is the standard library's writer."""

import base64
import json
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hundredfold.server.bodies import BadRequest, Upload, uploads


def _form(*files: tuple[str, bytes]) -> tuple[bytes, bytes]:
    """Return content type and body of a form with files, written by the package email."""
    form = EmailMessage(policy=policy.HTTP)
    form["Content-Type"] = "multipart/form-data"
    form.set_boundary("b0undary")
    form["MIME-Version"] = "1.0"
    for name, data in files:
        part = EmailMessage(policy=policy.HTTP)
        part.set_content(data, "image", "png", cte="binary", disposition="form-data")
        part.set_param("filename", name, header="Content-Disposition")
        part.set_param("name", "image", header="Content-Disposition")
        form.attach(part)
    _, _, body = form.as_bytes().partition(b"\r\n\r\n")
    return b"multipart/form-data; boundary=b0undary", body


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_a_form_holds_the_bytes_that_were_put_in(files: list[bytes]) -> None:
    body = b"".join(
        b'--e\r\nContent-Disposition: form-data; name="i"; filename="f"\r\n\r\n' + data + b"\r\n"
        for data in files
    )
    if any(b"\r\n--e" in data for data in files):
        return
    found = uploads(b"multipart/form-data; boundary=e", body + b"--e--\r\n", 9)
    assert [one.data for one in found] == files


def test_a_form_of_the_standard_library_is_read() -> None:
    kind, body = _form(("a b.png", b"one"), ("c.png", b"two"))
    assert uploads(kind, body, 9) == [Upload("a b.png", b"one"), Upload("c.png", b"two")]


def test_fields_of_a_form_that_are_no_files_are_passed_over() -> None:
    body = (
        b'preamble\r\n--e\r\nContent-Disposition: form-data; name="n"\r\n\r\n5\r\n'
        b'--e\r\nContent-Disposition: form-data; name="i"; filename="q\\"q.png"\r\n\r\nx\r\n'
        b"--e--\r\nepilogue"
    )
    assert uploads(b'multipart/form-data; boundary="e"', body, 9) == [Upload('q"q.png', b"x")]


@given(st.lists(st.binary(max_size=99), min_size=1, max_size=4))
def test_base64_of_json_holds_the_bytes_that_were_put_in(files: list[bytes]) -> None:
    texts = [base64.b64encode(data).decode() for data in files]
    named = [{"file": "a", "data": f"data:image/png;base64,{text}"} for text in texts]
    for images, name in ((texts, None), (named, "a")):
        found = uploads(
            b"application/json; charset=utf-8", json.dumps({"images": images}).encode(), 4
        )
        assert found == [Upload(name, data) for data in files]


@given(
    st.sampled_from(
        [b"", b"image/x", b"application/json", b"multipart/form-data; boundary=e", b"a"]
    ),
    st.binary(max_size=200)
    | st.binary(max_size=50).map(lambda b: b"--e\r\n\r\n" + b + b"\r\n--e--"),
)
def test_any_body_has_images_or_is_refused(kind: bytes, body: bytes) -> None:
    try:
        found = uploads(kind, body, 3)
    except BadRequest as problem:
        assert 400 <= problem.status < 500 and problem.message
    else:
        assert 1 <= len(found) <= 3


def test_no_more_images_are_taken_than_the_bound() -> None:
    texts = ["AA=="] * 4
    assert len(uploads(b"application/json", json.dumps({"images": texts}).encode(), 4)) == 4
    for kind, body in (
        (b"application/json", json.dumps({"images": texts}).encode()),
        _form(*[("a", b"x")] * 4),
        _form(*[("a", b"x")] * 40),
    ):
        with pytest.raises(BadRequest) as caught:
            uploads(kind, body, 3)
        assert caught.value.status == 413
