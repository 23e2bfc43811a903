# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each fault of the double is what it says, as seen from a socket."""
import json
import socket
import ssl
import time

import pytest

from api import Api
from fakebao import FakeBao
from fakebao.faults import KNOBS

PATH = "kv/data/a"


@pytest.fixture
def bao(double):
    double.kv("kv", "a", {"x": "secret value"})
    return double


def raw(bao, most=1 << 30, body=b""):
    """All bytes of one answer, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", bao.port), 40) as s:
        s.sendall(b"GET /v1/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                  b"X-Vault-Token: root\r\nContent-Length: %d\r\n\r\n%s"
                  % (PATH.encode(), len(body), body))
        got = b""
        while len(got) < most and (piece := s.recv(65536)):
            got += piece
        return got


def parts(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]) if head else 0, headers, body


def whole(bao):
    return parts(raw(bao))[2]


def seen(bao, knob, **options):
    fault = bao.fault(PATH, knob, times=1, **options)
    status, headers, body = parts(raw(bao, body=b'{"pass":"word"}'))
    assert fault.hits == 1
    assert json.loads(whole(bao))["data"], "only once"
    return status, headers, body


def close(bao):
    assert seen(bao, "close") == (0, {}, b"")


def lost(bao):
    bao.fault("sys/mounts/new", "lost", times=1)
    api = Api(bao.address, "root")
    with pytest.raises(OSError):
        api("POST", "sys/mounts/new", {"type": "kv"})
    assert api("GET", "sys/mounts/new").status == 200


def delay(bao):
    begun = time.monotonic()
    assert seen(bao, "delay", seconds=0.05)[0] == 200
    assert time.monotonic() - begun >= 0.05


def cut_in_headers(bao):
    bao.fault(PATH, "cut_in_headers", times=1)
    answer = raw(bao)
    assert answer.startswith(b"HTTP/1.1 200") and b"\r\n\r\n" not in answer


def cut(bao):
    _, headers, body = seen(bao, "cut")
    assert 0 < len(body) < int(headers["content-length"])


def truncated(bao):
    _, headers, body = seen(bao, "truncated")
    assert len(body) == int(headers["content-length"])
    with pytest.raises(ValueError):
        json.loads(body)


def long_length(bao):
    _, headers, body = seen(bao, "long_length")
    assert json.loads(body) and len(body) < int(headers["content-length"])


def short_length(bao):
    _, headers, body = seen(bao, "short_length")
    assert json.loads(body) and len(body) > int(headers["content-length"])


def html(bao):
    status, headers, body = seen(bao, "html")
    assert (status, headers["content-type"]) == (502, "text/html")
    assert b"<html>" in body


def limited(bao):
    assert "retry-after" not in seen(bao, "limited")[1]
    status, headers, _ = seen(bao, "limited", retry_after=3)
    assert (status, headers["retry-after"]) == (429, "3")


def sealed(bao):
    status, _, body = seen(bao, "sealed")
    assert (status, json.loads(body)) == (503, {"errors": ["Vault is sealed"]})


def failed(bao):
    assert seen(bao, "failed", status=500)[0] == 500


def index(bao):
    assert seen(bao, "index")[0] == 412


def redirect(bao):
    status, headers, _ = seen(bao, "redirect", to="http://127.0.0.1:1")
    assert (status, headers["location"]) == (307,
                                             f"http://127.0.0.1:1/v1/{PATH}")


def echo(bao):
    _, _, body = seen(bao, "echo")
    assert b"root" in body and b"word" in body


def twice(bao):
    body = seen(bao, "twice")[2]
    pairs = json.loads(body, object_pairs_hook=lambda p: p)
    assert [k for k, _ in pairs].count("data") == 2
    assert json.loads(body)["data"]["data"] == {"x": "secret value"}


def types(bao):
    assert json.loads(seen(bao, "types", data=[1])[2])["data"] == [1]


def replace(bao):
    assert seen(bao, "replace", status=200, body="{")[2] == b"{"


def endless(bao):
    for chunked in (False, True):
        fault = bao.fault(PATH, "endless", times=1, chunked=chunked)
        assert len(raw(bao, most=1 << 22)) >= 1 << 22
        fault.release()


def endless_headers(bao):
    fault = bao.fault(PATH, "endless_headers", times=1)
    assert b"\r\n\r\n" not in raw(bao, most=1 << 20)
    fault.release()


def slow(bao):
    assert json.loads(seen(bao, "slow", seconds=0.0001)[2])["data"]


CHECKS = {f.__name__: f for f in (
    close, lost, delay, cut_in_headers, cut, truncated, long_length,
    short_length, html, limited, sealed, failed, index, redirect, echo, twice,
    types, replace, endless, endless_headers, slow)}


def test_each_is_looked_at():
    assert set(CHECKS) == set(KNOBS)


@pytest.mark.parametrize("knob", sorted(KNOBS))
def test_a_fault(bao, knob):
    CHECKS[knob](bao)


def test_times_routes_and_an_end(bao):
    bao.kv("kv", "b", {"x": "y"})
    api = Api(bao.address, "root")
    fault = bao.fault("GET kv/data/*", "sealed", times=2)
    assert [api("GET", f"kv/data/{n}").status for n in "abab"] == [
        503, 503, 200, 200]
    assert fault.hits == 2
    fault = bao.fault("PUT *", "failed")
    assert api("GET", PATH).status == 200
    assert [api("PUT", PATH, {"data": {}}).status for _ in "ab"] == [500, 500]
    bao.clear()
    assert api("PUT", PATH, {"data": {}}).status == 200


def test_what_came_is_kept(bao):
    api = Api(bao.address, "root")
    api("GET", PATH, X_Vault_Request="true")
    (one,) = bao.asked(f"GET {PATH}")
    assert (one.status, one.token) == (200, "root")
    assert one.headers["x-vault-request"] == "true"
    bearer = api("GET", PATH, token="", Authorization="Bearer root")
    assert bearer.status == 200 and bao.asked()[-1].token == "root"


def test_standby_and_away(bao):
    api = Api(bao.address, "root")
    bao.standby("http://127.0.0.1:1")
    said = api("GET", PATH)
    assert (said.status, said.headers["location"]) == (
        307, f"http://127.0.0.1:1/v1/{PATH}")
    assert api("GET", "sys/health").status == 429
    bao.standby()
    assert api("GET", PATH).status == 500
    bao.active()
    bao.halt()
    with pytest.raises(ConnectionRefusedError):
        api("GET", PATH)
    bao.start()
    assert api("GET", PATH).status == 200


@pytest.mark.parametrize("kind, why", [
    ("good", None), ("wrong_name", "match"), ("expired", "expired"),
    ("unknown_ca", "issuer|self-signed")])
def test_certificates(kind, why):
    with FakeBao(tls=kind) as bao:
        api = Api(bao.address, "root", ca_file=bao.ca_file)
        if why is None:
            assert api("GET", "sys/health").status == 200
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match=why):
                api("GET", "sys/health")


def test_a_login_with_a_certificate():
    with FakeBao(tls="good") as bao:
        bao.enable("auth/cert", "cert")
        with open(bao.ca_file) as f:
            bao.must("POST", "auth/cert/certs/ci", {
                "certificate": f.read(), "allowed_common_names": "nfo",
                "token_policies": "default"})

        def login(pair):
            return Api(bao.address, "", bao.ca_file, pair)(
                "POST", "auth/cert/login", {"name": "ci"})

        assert login(None).status == 400
        assert login(bao.client_pair("else")).status == 400
        said = login(bao.client_pair("nfo")).json["auth"]
        assert said["metadata"]["common_name"] == "nfo"
