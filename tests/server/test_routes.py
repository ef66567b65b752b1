"""What a server says of itself, and to whom."""

import json
import re
from collections.abc import Callable
from importlib.resources import files

import pytest
from served import Server

Picture = Callable[..., bytes]


def test_a_server_says_what_it_is(server: Server) -> None:
    assert server.get("/health") == (200, b'{"status": "alive"}')
    assert server.get("/ready") == (200, b'{"status": "ready"}')
    assert json.loads(server.get("/labels")[1]) == {"labels": ["red", "green", "blue"]}


def test_every_documented_path_is_there_and_no_other(server: Server) -> None:
    status, body = server.get("/openapi.json")
    paths = json.loads(body)["paths"]
    assert status == 200
    assert set(paths) == {"/predict", "/health", "/ready", "/labels", "/metrics"}
    for path, methods in paths.items():
        for method in ("get", "post", "put", "delete", "options"):
            response, _ = server.ask(method.upper(), path, b"")
            assert (response.status == 405) is (method not in methods), (path, method)
    for path in ("/nothing", "/predict/", "//", "/%00", "/../etc/passwd"):
        assert server.get(path)[0] == 404


def test_examples_of_the_documentation_have_the_shape_of_answers(
    server: Server, picture: Picture
) -> None:
    document = json.loads(files("hundredfold.server").joinpath("pages/openapi.json").read_bytes())
    answer = document["paths"]["/predict"]["post"]["responses"]["200"]
    example = answer["content"]["application/json"]["example"]
    _, found = server.post(picture((200, 0, 0)))
    assert example.keys() == found.keys()
    assert example["predictions"][0].keys() == found["predictions"][0].keys()
    properties = document["components"]["schemas"]["Prediction"]["properties"]
    assert found["predictions"][0].keys() <= properties.keys()


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_needs_nothing_but_its_server(server: Server, path: str) -> None:
    response, body = server.ask("GET", path)
    text = body.decode()
    assert response.status == 200
    assert not re.findall(r"https?://", text)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert policy.count("'sha256-") == 2  # a script and a style


def test_metrics_count_what_happened(start: Callable[..., Server], picture: Picture) -> None:
    server = start()
    for _ in range(3):
        server.post(picture((200, 0, 0)))
    server.post(b"no image")
    server.get("/secret/path")
    text = server.get("/metrics")[1].decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert values['hundredfold_requests_total{path="/predict",status="200"}'] == "3"
    assert values['hundredfold_requests_total{path="/predict",status="400"}'] == "1"
    assert values['hundredfold_requests_total{path="other",status="404"}'] == "1"
    assert values["hundredfold_images_total"] == "3"
    assert values["hundredfold_predict_seconds_count"] == "4"
    assert values['hundredfold_predict_seconds_bucket{le="+Inf"}'] == "4"
    assert values["hundredfold_images_held"] == "0"
    assert "secret" not in text


def test_without_the_token_nothing_of_the_network_is_told(
    start: Callable[..., Server], picture: Picture
) -> None:
    server = start("--token=s3cret")
    for path in ("/labels", "/metrics"):
        assert server.get(path)[0] == 401
        assert server.get(path, authorization="Bearer s3cre")[0] == 401
        assert server.get(path, authorization="Basic s3cret")[0] == 401
        assert server.get(path, authorization="Bearer s3cret")[0] == 200
    assert server.post(picture((200, 0, 0)))[0] == 401
    assert server.post(picture((200, 0, 0)), authorization="Bearer s3cret")[0] == 200
    for path in ("/", "/docs", "/health", "/ready"):
        assert server.get(path)[0] == 200
    assert "s3cret" not in server.text_of_log


def test_no_other_site_may_read_an_answer(server: Server, picture: Picture) -> None:
    response, _ = server.ask("POST", "/predict", picture((200, 0, 0)), origin="https://a.example")
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert server.ask("OPTIONS", "/predict", origin="https://a.example")[0].status == 405


def test_the_log_has_an_id_for_each_request_and_nothing_of_clients(
    start: Callable[..., Server], picture: Picture
) -> None:
    server = start()
    response, _ = server.ask(
        "POST", "/predict", picture((200, 0, 0)), user_agent="EVIL", x_request_id="EVIL"
    )
    server.get("/EVIL?EVIL")
    server.post(b"EVIL", content_type="EVIL")
    server.await_event("request", 3)
    requests = [event for event in server.log if event["event"] == "request"]
    assert [event["status"] for event in requests] == [200, 404, 415]
    assert requests[0]["id"] == response.headers["x-request-id"]
    assert len({event["id"] for event in requests}) == 3
    assert "EVIL" not in server.text_of_log
