"""What the server lets in and out."""

import asyncio
import re
import socket
import struct
from contextlib import suppress
from importlib.resources import files
from threading import Thread

import pytest
from starlette.testclient import TestClient

import anyorder.playground.server as server


def test_the_page_names_nothing_outside(client):
    page = client.get("/").text
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) >= 5
    for address in named:
        assert address == "data:," or client.get(address).status_code == 200, address
    for module in (files("anyorder.playground") / "page").iterdir():
        for address in re.findall(r'from "(/[^"]+)"', module.read_text()):
            assert client.get(address).status_code == 200, address
        assert "http://" not in module.read_text() and "https://" not in module.read_text()


@pytest.mark.parametrize("address", ["/", "/api/about", "/api/atlas", "/page/app.js", "/shared/grid.js", "/nowhere"])
def test_everything_comes_with_a_strict_policy(client, address):
    headers = client.get(address).headers
    rules = dict(rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";"))
    assert rules["default-src"] == "'none'" and rules["script-src"] == rules["connect-src"] == rules["style-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.1"])
def test_other_names_of_this_machine_are_not_heard(client, host):
    for response in (client.get("/", headers={"host": host}), client.post("/api/episode", headers={"host": host}, json={})):
        assert response.status_code == 400 and "anyorder" not in response.text


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "localhost"])
def test_its_own_names_are_heard(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


def test_only_json_is_understood(client):
    """A page of another site may send forms without asking first, but no JSON."""
    body = '{"source": {"kind": "recorded", "number": 0}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        response = client.post("/api/episode", content=body, headers={"content-type": kind})
        assert response.status_code == 415 and "application/json" in response.json()["error"]
    assert client.post("/api/episode", content=body, headers={"content-type": "application/json"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be an object"),
        ("{}", "Field required"),
        ('{"source": NaN}', "source"),
        ("\xff", "Invalid JSON"),
    ],
)
def test_broken_requests_get_a_sentence(client, body, part):
    response = client.post("/api/episode", content=body.encode("latin-1"), headers={"content-type": "application/json"})
    assert response.status_code == 422 and part in response.json()["error"] and len(response.json()["error"]) < 300


def test_a_huge_request_is_refused(client):
    response = client.post("/api/episode", content=b" " * 2_000_001, headers={"content-type": "application/json"})
    assert response.status_code == 413


def test_files_beside_the_page_stay_unread(client):
    for address in ("/page/../server.py", "/page/%2e%2e/server.py", "/shared/../page.py"):
        assert client.get(address).status_code == 404


def test_a_bug_is_told_without_its_traceback(app, monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("kaputt")

    monkeypatch.setattr(server, "reply", broken)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        body = {"source": {"kind": "recorded", "number": 0}, "asked": {"kind": "roles", "roles": "1"}}
        response = client.post("/api/answer", json=body)
    assert response.status_code == 500 and response.json()["error"].startswith("the server failed (RuntimeError: kaputt)")
    assert "Traceback" in capsys.readouterr().err and "Traceback" not in response.text


def test_a_client_that_leaves_in_the_middle_of_a_request_is_no_bug(app):
    sent, messages = [], [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/api/episode", "headers": headers, "query_string": b"", "app": app}

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert not messages and all(message.get("status", 400) == 400 for message in sent)


@pytest.fixture
def port(app):
    """That of the server as the command starts it."""
    with socket.socket() as listener:
        listener.bind((server.HOST, 0))
        listener.listen()
        running = server.web_server(app)
        thread = Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        running.should_exit = True
        thread.join()


ASKING = b'{"source": {"kind": "played", "seed": 1, "player": "agent"}}'
POST = b"POST /api/episode HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize("request_", [POST % 1000 + ASKING, POST % len(ASKING) + ASKING, POST[:40], b""], ids=repr)
@pytest.mark.parametrize("resets", [False, True])
def test_a_client_that_leaves_ends_nothing_and_prints_nothing(port, request_, resets, capfd, caplog):
    """In the middle of its request, or of the answer; with a goodbye, or as a process that was killed."""
    with socket.create_connection((server.HOST, port)) as leaving:
        leaving.sendall(request_)
        if resets:
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with socket.create_connection((server.HOST, port), 30) as staying:
        staying.sendall(b"GET /api/about HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert staying.recv(15) == b"HTTP/1.1 200 OK"
    assert capfd.readouterr().err == "" and caplog.text == ""


def test_a_client_that_breaks_the_protocol_gets_no_traceback(port, capfd):
    """It is refused by the protocol while the page still answers."""
    for _ in range(20):
        with socket.create_connection((server.HOST, port)) as breaking, suppress(ConnectionError):
            breaking.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfrob\r\n")
            breaking.recv(100)
    assert "Traceback" not in capfd.readouterr().err
