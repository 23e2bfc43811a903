# SPDX-License-Identifier: AGPL-3.0-or-later
"""Behind a real nginx, as docs/transport.md says: over TCP, a Unix socket and
TLS, requests, uploads and streams."""
import http.client
import shutil
import socket
import subprocess
import threading

import pytest

import nfo as programs
import tlskit

CONFIG = """\
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/nginx.err;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {home}/ng-body;
    proxy_temp_path {home}/ng-proxy;
    fastcgi_temp_path {home}/ng-f;
    uwsgi_temp_path {home}/ng-u;
    scgi_temp_path {home}/ng-s;
    upstream nfo {{ server {upstream}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{front};
        location / {{
            proxy_pass {scheme}://nfo;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host {host};
            client_max_body_size 0;
            proxy_request_buffering off;
            proxy_read_timeout 1h;
            {more}
        }}
    }}
}}
"""


class Front:
    """nginx as a plain process, with a configuration of its own."""

    def __init__(self, nfo, upstream, scheme="http", host="$host", more=""):
        self.port = tlskit.free_port()
        config = nfo.write("nginx.conf", CONFIG.format(
            home=nfo.home, upstream=upstream, scheme=scheme, host=host,
            front=self.port, more=more))
        self.process = subprocess.Popen(
            [shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", config,
             "-p", nfo.home], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        nfo.until(self.answers)

    def answers(self):
        assert self.process.poll() is None, "nginx did not start"
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=programs.LIMIT)

    def stop(self):
        self.process.terminate()
        self.process.wait(programs.LIMIT)


@pytest.fixture(params=("tcp", "unix", "tls", "tls-client"))
def behind(request, cold):
    """(server, front): each way in which nginx may reach it."""
    kind, more = request.param, ""
    home = cold.home
    options = ["--listen", "127.0.0.1:0", "--set", "hosts=ci.example.org"]
    if kind.startswith("tls"):
        ca = tlskit.CA(home / "ca")
        pair = ca.server()
        options += ["--tls-listen", "127.0.0.1:0", "--tls-cert", pair[0],
                    "--tls-key", pair[1]]
        more = (f"proxy_ssl_trusted_certificate {ca.pem};\n"
                "proxy_ssl_verify on; proxy_ssl_name localhost;\n"
                "proxy_ssl_protocols TLSv1.2 TLSv1.3;\n")
    if kind == "tls-client":
        clients = tlskit.CA(home / "clients", "clients")
        cert = clients.sign("proxy")
        options += ["--tls-client-ca", clients.pem, "--tls-client",
                    "required"]
        more += (f"proxy_ssl_certificate {cert[0]};\n"
                 f"proxy_ssl_certificate_key {cert[1]};\n")
    cold.serve(*options)
    cold.token = (cold.state / "server/token").read_text().strip()
    upstream = {"unix": lambda: f"unix:{cold.socket}",
                "tcp": lambda: "127.0.0.1:%d"
                % tlskit.listening(cold, "http")[0]}.get(
        kind, lambda: "127.0.0.1:%d" % tlskit.listening(cold)[0])()
    front = Front(cold, upstream, "https" if kind.startswith("tls")
                  else "http", "ci.example.org", more)
    yield cold, front
    front.stop()


def ask(behind, method, path, body=None, headers=()):
    nfo, front = behind
    c = front.connect()
    a = nfo.ask(method, path, body,
                {"Authorization": f"Bearer {nfo.token}", **dict(headers)}, c)
    c.close()
    return a


def test_requests_and_a_run(behind):
    assert ask(behind, "GET", "/healthz").status == 200
    assert ask(behind, "GET", "/v1/nothing").status == 404
    kind, body = programs.multipart(
        ("job", "job.yaml",
         b"nfo: 1\nname: j\ntasks: { t: { run: echo through nginx } }\n"))
    a = ask(behind, "POST", "/v1/projects/default/runs?wait=30s", body,
            {"Content-Type": kind})
    assert (a.status, a.json["state"]) == (201, "succeeded"), a
    log = ask(behind, "GET", f"/v1/runs/{a.json['id']}/tasks/t/log")
    assert log.body == b"through nginx\n"


def test_a_large_upload_and_download(behind):
    """Unbuffered, chunked or not: every byte."""
    nfo, _ = behind
    data = bytes(range(256)) * 40000
    run = nfo.run(
        "tasks: { t: { run: 'head -c 10240000 /dev/zero > f', "
        "artifacts: { f: { path: f } } } }")
    a = ask(behind, "GET", f"/v1/runs/{run['id']}/artifacts/t.f")
    assert a.status == 200 and len(a.body) == 10240000
    a = ask(behind, "GET", f"/v1/runs/{run['id']}/artifacts/t.f",
            headers={"Range": "bytes=100-199"})
    assert a.status == 206 and len(a.body) == 100
    a = ask(behind, "PUT", "/v1/users/ann", data,
            {"Content-Type": "application/json"})
    assert a.status == 413


def test_events_come_at_once_and_pages_do_not_wait(behind):
    nfo, front = behind
    c = front.connect()
    c.request("GET", "/v1/events", headers={
        "Authorization": f"Bearer {nfo.token}"})
    a = c.getresponse()
    assert a.status == 200
    run = nfo.run("tasks: { t: { run: 'true' } }")
    for _, kind, data in programs.sse(a):
        if kind == "run" and data["state"] == "succeeded":
            assert data["run_id"] == run["id"]
            break
    c.close()


def test_many_clients_through_it(behind):
    nfo, front = behind
    failures = []

    def client():
        c = front.connect()
        for _ in range(20):
            a = nfo.ask("GET", "/v1/runs", headers={
                "Authorization": f"Bearer {nfo.token}"}, connection=c)
            if a.status != 200:
                failures.append(a)
        c.close()

    threads = [threading.Thread(target=client) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
