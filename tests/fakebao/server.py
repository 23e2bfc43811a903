# SPDX-License-Identifier: AGPL-3.0-or-later
"""The listener, the log of requests, and what a test does with it."""
import fnmatch
import http.client
import http.server
import json
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse
from dataclasses import dataclass, field

from .answers import Request
from .core import Core
from .faults import KNOBS, Fault, Gone, head


@dataclass
class Record:
    """One request as it came; status 0: there was no answer (yet)."""
    method: str
    target: str            # with /v1/ and the query
    headers: object        # http.client.HTTPMessage: any case will do
    body: bytes
    connection: int
    at: float              # time.monotonic()
    status: int = 0
    peer: bytes | None = None

    @property
    def path(self):
        return urllib.parse.urlsplit(self.target).path.removeprefix("/v1/")

    @property
    def data(self):
        return json.loads(self.body or b"{}")

    @property
    def token(self):
        bearer = self.headers.get("Authorization", "")
        return self.headers.get("X-Vault-Token") or (
            bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ")
            else "")


@dataclass
class Exchange:
    """A request being answered, as a knob sees it."""
    handler: object
    path: str
    headers: object
    body: bytes
    usual: object          # called once: has it answered
    sent: int = field(default=0)

    def send(self, data):
        self.handler.wfile.write(data)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        self.owner = self.server.owner
        super().setup()
        self.owner.opened(self)

    def finish(self):
        self.owner.closed(self)
        try:
            super().finish()
        except OSError:
            pass

    def handle(self):
        try:
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.do_handshake()
            super().handle()
        except (OSError, Gone):
            pass

    def exchange(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, (32 << 20) + 1))
        peer = None
        if isinstance(self.connection, ssl.SSLSocket):
            peer = self.connection.getpeercert(binary_form=True)
        record = Record(self.command, self.path, self.headers, body,
                        self.number, time.monotonic(), peer=peer)
        self.owner.note(record)
        fault = self.owner.fault_of(record)

        def usual():
            return self.owner.core.answer(request_of(record))

        try:
            if fault:
                answer = KNOBS[fault.knob](
                    Exchange(self, record.path, self.headers, body, usual),
                    fault, **fault.options)
            else:
                answer = usual()
            if answer:
                record.status = answer[0]
                self.answer(*answer)
        except Gone:
            self.close_connection = True
            raise
        finally:
            self.owner.done(record)

    def answer(self, status, headers, body):
        if self.command == "HEAD":
            body = b""
        reason = http.client.responses.get(status, "Unknown")
        lines = head(status, headers, None if status == 204 else len(body))
        first, rest = lines.split(b"\r\n", 1)
        self.wfile.write(f"HTTP/1.1 {status} {reason}\r\n".encode() + rest
                         + body)
        if len(body) == 0 and self.headers.get("Expect"):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = exchange
    do_LIST = do_OPTIONS = exchange

    def log_message(self, *args):
        pass


def request_of(record):
    split = urllib.parse.urlsplit(record.target)
    return Request(record.method, urllib.parse.unquote(
        split.path.removeprefix("/v1/")), urllib.parse.parse_qs(
            split.query, keep_blank_values=True), record.headers,
        record.body, {}, token=record.token, peer=record.peer)


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        self.owner.problems.append(sys.exc_info())


class FakeBao:
    """tls: None or one of tls.KINDS; port 0: any."""

    def __init__(self, tls=None, port=0, root_token="root"):
        self.core = Core(root_token)
        self.root_token = root_token
        self.requests, self.problems, self.faults = [], [], []
        self.changed = threading.Condition()
        self.connections, self.open = 0, {}
        self.tls, self.where = None, None
        if tls:
            from .tls import Tls
            self.where = tempfile.mkdtemp(prefix="fakebao-")
            self.tls = Tls(self.where, tls)
        self.port, self.listener = port, None
        self.start()

    # --- the listener

    def start(self):
        """Listens (again), on the port it had; its state stays."""
        self.listener = Listener(("127.0.0.1", self.port), Handler)
        self.listener.owner = self
        if self.tls:
            self.listener.socket = self.tls.context.wrap_socket(
                self.listener.socket, server_side=True,
                do_handshake_on_connect=False)
        self.port = self.listener.server_port
        self.thread = threading.Thread(target=self.listener.serve_forever,
                                       args=(0.05,), daemon=True)
        self.thread.start()

    def halt(self):
        """Nobody listens any more and all connections end; see start()."""
        if not self.listener:
            return
        for fault in self.faults:
            fault.release()
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join()
        self.drop()
        self.listener = None

    def drop(self):
        """Ends all connections that there are."""
        with self.changed:
            handlers = list(self.open.values())
        for handler in handlers:
            try:
                handler.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        """For good; a request that the double could not answer is raised."""
        self.halt()
        if self.where:
            shutil.rmtree(self.where, ignore_errors=True)
        if self.problems:
            raise self.problems[0][1]

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()

    @property
    def address(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def ca_file(self):
        return self.tls.ca_file

    def client_pair(self, cn):
        """(certificate, key) by the authority that the server trusts."""
        return self.tls.authority.pair(cn)

    # --- its log

    def opened(self, handler):
        with self.changed:
            self.connections += 1
            handler.number = self.connections
            self.open[handler.number] = handler

    def closed(self, handler):
        with self.changed:
            self.open.pop(handler.number, None)
            self.changed.notify_all()

    def note(self, record):
        with self.changed:
            self.requests.append(record)
            self.changed.notify_all()

    def done(self, record):
        with self.changed:
            self.changed.notify_all()

    def asked(self, route="*"):
        """The requests for "METHOD path" or "path", with * and ?."""
        method, _, path = route.rpartition(" ")
        with self.changed:
            return [r for r in self.requests
                    if fnmatch.fnmatchcase(r.method, method or "*")
                    and fnmatch.fnmatchcase(r.path, path)]

    def wait(self, condition, limit=40):
        """Until condition() after some request or answer; what it gave.
        A route, or a (route, number), is: it was asked so often."""
        if isinstance(condition, str):
            condition = (condition, 1)
        if isinstance(condition, tuple):
            route, n = condition

            def condition():
                found = self.asked(route)
                return found if len(found) >= n else None
        with self.changed:
            it = self.changed.wait_for(condition, limit)
        assert it, [f"{r.method} {r.path}" for r in self.requests]
        return it

    # --- faults

    def fault(self, route, knob, times=None, **options):
        """From now on (times: so often) the route has that fault."""
        assert knob in KNOBS, knob
        it = Fault(self, route, knob, times, options)
        self.faults.append(it)
        return it

    def clear(self):
        for fault in self.faults:
            fault.clear()
        self.faults = []

    def fault_of(self, record):
        with self.changed:
            for fault in self.faults:
                if fault.matches(record.method, record.path):
                    fault.take()
                    return fault
        return None

    # --- its state

    def advance(self, seconds):
        with self.core.lock:
            self.core.offset += seconds
            self.core.store.sweep()

    def seal(self):
        self.core.sealed = True

    def unseal(self):
        self.core.sealed = False

    @property
    def unseal_key(self):
        return self.core.unseal_key

    def standby(self, leader=None):
        """leader: an address to refer to, else it says that there is none."""
        self.core.standing_by, self.core.leader = True, leader

    def active(self):
        self.core.standing_by = False

    @property
    def leases(self):
        """Ids of those that are open."""
        with self.core.lock:
            self.core.store.sweep()
            return sorted(self.core.store.leases)

    @property
    def revoked(self):
        return list(self.core.store.revoked)

    @property
    def tokens(self):
        """Those that are alive, the root token left out."""
        with self.core.lock:
            self.core.store.sweep()
            return [t for t in self.core.store.tokens.values()
                    if t is not self.core.root]

    @property
    def users(self):
        """All that databases have made, in order."""
        return [u for ns in self.core.namespaces.values()
                for m in ns.mounts.values() if m.type == "database"
                for u in m.backend.users]

    # --- setting it up, through its API as root

    def ask(self, method, path, data=None, token=None, headers=(), ns=None):
        """(status, JSON or None), as root or with a token; not logged."""
        from email.message import Message
        message = Message()
        for key, value in dict(headers).items():
            message[key] = str(value)
        if ns:
            message["X-Vault-Namespace"] = ns
        body = json.dumps(data).encode() if data is not None else b""
        request = request_of(Record(method, "/v1/" + path, message, body,
                                    0, 0))
        request.token = token or self.root_token
        status, _, answer = self.core.answer(request)
        return status, json.loads(answer) if answer else None

    def must(self, method, path, data=None, **more):
        status, answer = self.ask(method, path, data, **more)
        assert status in (200, 202, 204), (status, answer)
        return answer

    def enable(self, path, type_, **options):
        """An engine, or with path auth/X a login; there already is fine."""
        where = path if path.startswith("auth/") else f"mounts/{path}"
        if f"{path}/" not in self.core.ns().mounts:
            self.must("POST", f"sys/{where}", {"type": type_, **options})

    def kv(self, mount, path, values, version=2):
        """Puts a secret; the engine is made if it is not there."""
        self.enable(mount, "kv", options={"version": str(version)})
        if version == 2:
            return self.must("POST", f"{mount}/data/{path}",
                             {"data": values})["data"]["version"]
        return self.must("POST", f"{mount}/{path}", values)

    def policy(self, name, text):
        self.must("PUT", f"sys/policies/acl/{name}", {"policy": text})

    def token(self, policies, **more):
        """A token's id."""
        return self.must("POST", "auth/token/create", {
            "policies": policies, **more})["auth"]["client_token"]

    def approle(self, name, policies, mount="approle", **role):
        """(role-id, secret-id)"""
        self.enable(f"auth/{mount}", "approle")
        at = f"auth/{mount}/role/{name}"
        self.must("POST", at, {"token_policies": policies, **role})
        return (self.must("GET", at + "/role-id")["data"]["role_id"],
                self.must("POST", at + "/secret-id")["data"]["secret_id"])

    def wrap_secret_id(self, name, ttl=60, mount="approle"):
        """A wrapping token with a secret-id of the role in it."""
        return self.must("POST", f"auth/{mount}/role/{name}/secret-id",
                         headers={"X-Vault-Wrap-TTL": ttl}
                         )["wrap_info"]["token"]

    def database(self, role, mount="database", ttl=3600, **more):
        self.enable(mount, "database")
        self.must("POST", f"{mount}/roles/{role}", {
            "db_name": "db", "default_ttl": ttl, **more})
