# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ways in which a server can be wrong, one function each, in one table.

A knob takes the exchange and its options and either writes to the socket by
itself (and returns None) or returns the (status, headers, body) to send.
Those in BEFORE act before the request is looked at; the others have it answered
first, so that what it asked for has been done."""
import fnmatch
import json
import threading

from .answers import dumps, errors


class Gone(Exception):
    """The connection is to be closed now."""


class Fault:
    """A knob on a route.  .hits counts; .release() lets what waits go on."""

    def __init__(self, owner, route, knob, times, options):
        method, _, path = route.rpartition(" ")
        self.method, self.path = method or "*", path
        self.knob, self.left, self.options = knob, times, options
        self.owner, self.hits = owner, 0
        self.released, self.hit = threading.Event(), threading.Event()

    def matches(self, method, path):
        return (self.left is None or self.left > 0) and \
            fnmatch.fnmatchcase(method, self.method) and \
            fnmatch.fnmatchcase(path, self.path)

    def take(self):
        self.hits += 1
        if self.left is not None:
            self.left -= 1
        self.hit.set()

    def release(self):
        self.released.set()

    def clear(self):
        self.left = 0
        self.release()


def head(status, headers, length):
    reason = {200: "OK", 502: "Bad Gateway"}.get(status, "Something")
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{k}: {v}" for k, v in headers.items()]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# --- before the request is looked at

def delay(exchange, fault, seconds=None):
    """Until released, at most so many seconds; then as usual."""
    fault.released.wait(seconds)
    return exchange.usual()


def close(exchange, fault):
    raise Gone


def replace(exchange, fault, status=200, body=b"", headers=()):
    body = body.encode() if isinstance(body, str) else body
    return status, {"Content-Type": "application/json", **dict(headers)}, body


def html(exchange, fault, status=502):
    return status, {"Content-Type": "text/html"}, (
        b"<html><head><title>502 Bad Gateway</title></head><body>"
        b"<center><h1>502 Bad Gateway</h1></center></body></html>\r\n")


def limited(exchange, fault, retry_after=None):
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return 429, headers, errors(f'request path "{exchange.path}": rate limit '
                                "quota exceeded")


def sealed(exchange, fault, retry_after=None):
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return 503, headers, errors("Vault is sealed")


def failed(exchange, fault, status=500, message="internal error"):
    return status, {}, errors(message)


def index(exchange, fault):
    return 412, {}, errors("required index state not present")


def redirect(exchange, fault, to, status=307):
    """to: a scheme, host and port; the path stays."""
    return status, {"Location": f"{to}/v1/{exchange.path}"}, b""


def echo(exchange, fault, status=400):
    """An error that repeats all that was sent."""
    said = [exchange.body.decode(errors="replace")]
    said += [f"{k}: {v}" for k, v in exchange.headers.items()]
    return status, {}, errors("invalid request: " + " ".join(said))


# --- with the answer there

def lost(exchange, fault):
    """Done, and nobody hears of it."""
    exchange.usual()
    raise Gone


def cut_in_headers(exchange, fault):
    status, headers, body = exchange.usual()
    exchange.send(head(status, headers, len(body))[:-12])
    raise Gone


def cut(exchange, fault, at=None):
    """The connection ends within the body."""
    status, headers, body = exchange.usual()
    exchange.send(head(status, headers, len(body)))
    exchange.send(body[:len(body) // 2 if at is None else at])
    raise Gone


def truncated(exchange, fault):
    """Half the JSON, and a length that says that this is all."""
    status, headers, body = exchange.usual()
    return status, headers, body[:len(body) // 2]


def long_length(exchange, fault, more=100):
    status, headers, body = exchange.usual()
    exchange.send(head(status, headers, len(body) + more) + body)
    raise Gone


def short_length(exchange, fault, less=10):
    status, headers, body = exchange.usual()
    exchange.send(head(status, headers, len(body) - less) + body)
    raise Gone


def twice(exchange, fault):
    """Each key of the envelope twice, with another value first."""
    status, headers, body = exchange.usual()
    first = {k: None for k in json.loads(body)}
    return status, headers, dumps(first).rstrip(b"}\n") + b"," + body[1:]


def types(exchange, fault, **keys):
    """Keys of the envelope with what is given instead."""
    status, headers, body = exchange.usual()
    return status, headers, dumps({**json.loads(body), **keys})


def endless(exchange, fault, chunk=65536, chunked=False):
    """A body that does not end, until the other side goes or it is released;
    fault.sent counts its bytes."""
    headers = {"Content-Type": "application/json"}
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    exchange.send(head(200, headers, None))
    piece, fault.sent = b'{"data":{"x":"' + b"a" * (chunk - 14), 0
    while not fault.released.is_set():
        exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked
                      else piece)
        fault.sent += len(piece)
        piece = b"a" * chunk
    raise Gone


def endless_headers(exchange, fault):
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    fault.sent = 0
    while not fault.released.is_set():
        exchange.send(b"X-More: " + b"a" * 1000 + b"\r\n")
        fault.sent += 1010
    raise Gone


def slow(exchange, fault, seconds=0.05):
    """The body byte by byte."""
    status, headers, body = exchange.usual()
    exchange.send(head(status, headers, len(body)))
    for i in range(len(body)):
        exchange.send(body[i:i + 1])
        fault.released.wait(seconds)
    return None


KNOBS = {f.__name__: f for f in (
    delay, close, replace, html, limited, sealed, failed, index, redirect,
    echo, lost, cut_in_headers, cut, truncated, long_length, short_length,
    twice, types, endless, endless_headers, slow)}
