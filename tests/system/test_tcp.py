# SPDX-License-Identifier: AGPL-3.0-or-later
"""TCP on loopback: a bearer token, and no way in for web pages."""
import http.client
import re

import pytest

import nfo as programs


def ask(nfo, path, **headers):
    c = http.client.HTTPConnection("127.0.0.1", nfo.port,
                                   timeout=programs.LIMIT)
    a = nfo.ask("GET", path, headers=headers, connection=c)
    c.close()
    return a


def test_with_the_token(tcp):
    a = ask(tcp, "/v1/whoami", Authorization=f"Bearer {tcp.token}")
    assert (a.status, a.json["name"]) == (200, "token:local")


@pytest.mark.parametrize("path", ("/v1/runs", "/v1/whoami", "/metrics",
                                  "/v1/nothing", "/v1/runs/x/y"))
def test_without_it_401_whether_it_exists_or_not(tcp, path):
    a = ask(tcp, path)
    assert a.status == 401
    assert a.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ("Bearer nfo_wrong", "Bearer ", "Bearer",
                                   "Basic bmZvOm5mbw==", "x" * 2000))
def test_with_a_wrong_one_401(tcp, value):
    assert ask(tcp, "/v1/runs", Authorization=value).status == 401


def test_a_prefix_of_the_token_is_not_enough(tcp):
    assert ask(tcp, "/v1/runs",
               Authorization=f"Bearer {tcp.token[:-1]}").status == 401


def test_health_needs_none(tcp):
    assert ask(tcp, "/healthz").status == 200


@pytest.mark.parametrize("host", ("evil.example", "localhost.evil.example",
                                  "127.0.0.1.evil.example", "10.0.0.1", ""))
def test_a_foreign_host_is_403(tcp, host):
    """DNS rebinding: also with the right token."""
    a = ask(tcp, "/v1/whoami", Host=host,
            Authorization=f"Bearer {tcp.token}")
    assert a.status == 403 or (not host and a.status == 400), a


@pytest.mark.parametrize("origin", ("http://evil.example", "null",
                                    "http://localhost:1"))
def test_a_foreign_origin_is_403(tcp, origin):
    a = ask(tcp, "/v1/whoami", Origin=origin,
            Authorization=f"Bearer {tcp.token}")
    assert a.status == 403


def test_no_cors(tcp):
    a = ask(tcp, "/v1/whoami", Authorization=f"Bearer {tcp.token}")
    assert not [h for h in a.headers if h.startswith("access-control")]


def test_the_client_takes_the_token_from_its_environment(tcp):
    tcp.env["NFO_TOKEN"] = tcp.token
    server = ("--server", f"http://127.0.0.1:{tcp.port}")
    job = tcp.write("j.yaml", "nfo: 1\nname: j\ntasks: "
                    "{ t: { run: echo over tcp } }\n")
    assert re.search(r"t +\| over tcp", tcp("run", *server, job).out)
    tcp.env["NFO_TOKEN"] = "nfo_wrong"
    tcp("runs", *server, code=3)


def test_the_token_is_in_no_log(tcp):
    ask(tcp, "/v1/runs", Authorization=f"Bearer {tcp.token}")
    ask(tcp, f"/v1/{tcp.token}", Authorization=f"Bearer {tcp.token}x")
    assert tcp.token not in (tcp.home / "serve.err").read_text()
    assert (tcp.state / "server/token").stat().st_mode & 0o777 == 0o600
