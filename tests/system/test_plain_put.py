# SPDX-License-Identifier: AGPL-3.0-or-later
"""A value that comes plain is not in the server's memory when it is answered."""
import base64
import os

import pytest

PATH = "/v1/projects/default/secrets/key"
OCTETS = {"Content-Type": "application/octet-stream"}
AS_JSON = {"Content-Type": "application/json"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0,
                                reason="only root may look into a process")


def places(pid, needle):
    """Where the bytes are, in all that is writable."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            where, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            begin, end = (int(x, 16) for x in where.split("-"))
            try:
                mem.seek(begin)
                if needle in mem.read(end - begin):
                    found.append(line.strip())
            except OSError:
                continue
    return found


def octets(nfo, value):
    return nfo.ask("PUT", PATH, value, OCTETS).status


def text(nfo, value):
    return nfo.ask("PUT", PATH, {"value": value.decode()}, AS_JSON).status


def escaped(nfo, value):
    body = '{"value": "%s\\n\\u00e4"}' % value.decode()
    return nfo.ask("PUT", PATH, body.encode(), AS_JSON).status


def coded(nfo, value):
    return nfo.ask("PUT", PATH, {
        "value_b64": base64.b64encode(value).decode()}, AS_JSON).status


def malformed(nfo, value):
    return nfo.ask("PUT", PATH, b'{"value": "' + value + b'", bad',
                   AS_JSON).status


def too_much(nfo, value):
    return nfo.ask("PUT", PATH, value + b"x" * 70000, OCTETS).status


def chunks(nfo, value):
    c = nfo.connect()
    c.putrequest("PUT", PATH)
    for header in (*OCTETS.items(), ("Transfer-Encoding", "chunked")):
        c.putheader(*header)
    c.endheaders()
    for i in range(0, len(value), 16):
        part = value[i:i + 16]
        c.send(b"%x\r\n%s\r\n" % (len(part), part))
    c.send(b"0\r\n\r\n")
    a = c.getresponse()
    a.read()
    return a.status


@pytest.mark.parametrize("how, status", [
    (octets, 201), (text, 201), (escaped, 201), (coded, 201),
    (malformed, 400), (too_much, 413), (chunks, 201)])
def test_it_is_wiped(nfo, how, status):
    value = b"Needle-" + os.urandom(24).hex().encode() + b"-end"
    pid = nfo.role("server")
    assert places(pid, str(nfo.state).encode())  # it would be found
    assert how(nfo, value) == status
    nfo.get("/healthz")
    for form in (value, value[:24], value[-24:],
                 base64.b64encode(value)[:32]):
        assert places(pid, form) == [], form
