# SPDX-License-Identifier: AGPL-3.0-or-later
"""Behind a proxy, a real nginx: links are right, and the client is the one that
trusted proxies name, whatever else is said."""
import http.client
import json
import re
import signal
import socket
import subprocess

import pytest

import nfo as programs

CLIENT = "127.0.0.5"  # nginx is asked from here
OTHER = "127.0.0.7"   # the server itself, past the proxy
JOB = {"nfo": 1, "name": "t", "tasks": {"a": {"run": "true"}}}
NGINX = """
daemon off; master_process off; worker_processes 1;
pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{
    listen 127.0.0.1:{port};
    location /nfo/ {{ proxy_pass http://127.0.0.1:{to};
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}
    location /off/ {{ proxy_pass http://127.0.0.1:{to}/;
      proxy_set_header X-Forwarded-Prefix /off;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}
    location /std/ {{ proxy_pass http://127.0.0.1:{to}/;
      proxy_set_header Forwarded "$http_forwarded, for=$remote_addr"; }}
  }}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def accepts(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Behind:
    def __init__(self, nfo, port):
        self.nfo, self.port = nfo, port

    def ask(self, method, path, body=None, source=CLIENT, port=None,
            **headers):
        c = http.client.HTTPConnection(
            "127.0.0.1", port or self.port, timeout=programs.LIMIT,
            source_address=(source, 0))
        a = self.nfo.ask(method, path, body, connection=c, headers={
            "Authorization": f"Bearer {self.nfo.token}",
            **{k.replace("_", "-"): v for k, v in headers.items()}})
        c.close()
        return a

    def client_of(self, answer):
        """As the server's own log tells it."""
        id = answer.headers["x-request-id"]
        log = self.nfo.home / "serve.err"
        line = self.nfo.until(lambda: [
            x for x in log.read_text().splitlines()
            if f"request_id={id}" in x])[0]
        return re.search(r" client=(\S+)", line).group(1)


@pytest.fixture
def behind(cold):
    cold.port = free_port()
    config = cold.write("server.json", json.dumps({
        "listen": [f"127.0.0.1:{cold.port}"], "base_path": "/nfo",
        "trusted_proxies": ["127.0.0.1"], "log": {"requests": True}}))
    cold.serve("--config", config)
    cold.token = (cold.state / "server/token").read_text().strip()
    port, where = free_port(), cold.home / "nginx"
    where.mkdir()
    conf = cold.write("nginx/nginx.conf", NGINX.format(
        dir=where, port=port, to=cold.port))
    with subprocess.Popen(["nginx", "-e", where / "error.log", "-p", where,
                           "-c", conf]) as nginx:
        cold.until(lambda: accepts(port) or nginx.poll() is not None)
        assert nginx.poll() is None, (where / "error.log").read_text()
        yield Behind(cold, port)
        nginx.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("prefix", ("/nfo", "/off"))
def test_links_lead_back_through_the_proxy(behind, prefix):
    """With a proxy that passes the prefix on, and one that takes it off."""
    made = behind.ask("POST", f"{prefix}/v1/projects/default/runs",
                      {"job": JOB})
    assert made.status == 201, made
    location = made.headers["location"]
    assert location == f"{prefix}/v1/runs/{made.json['id']}"
    assert behind.ask("GET", location).json["id"] == made.json["id"]
    behind.ask("POST", f"{prefix}/v1/projects/default/runs", {"job": JOB})
    page = behind.ask("GET", f"{prefix}/v1/runs?limit=1")
    link = re.match(r'<(.*)>; rel="next"$', page.headers["link"]).group(1)
    assert link.startswith(f"{prefix}/v1/runs?")
    assert behind.ask("GET", link).json["items"][0]["id"] == made.json["id"]
    index = behind.ask("GET", f"{prefix}/v1").json
    document = behind.ask("GET", index["openapi"]).json
    assert document["servers"] == [{"url": prefix}]


@pytest.mark.parametrize("prefix", ("/nfo", "/off"))
def test_a_webhook_is_called_through_the_proxy(behind, prefix):
    """By somebody without a token."""
    behind.nfo.ask("PUT", "/v1/projects/default/secrets/hook", b"staple",
                   {"Content-Type": "application/octet-stream"})
    made = behind.ask("PUT", f"{prefix}/v1/projects/default/jobs/w", {
        "nfo": 1, "name": "w", "secrets": {"key": {"store": "hook"}},
        "triggers": {"webhook": [{"name": "h", "scheme": "gitlab-token",
                                  "secret": "key"}]},
        "tasks": {"t": {"run": "true"}}})
    url = made.json["hooks"][0]["url"]
    assert url.startswith(f"{prefix}/v1/hooks/")
    calls = [behind.ask("POST", url, {"a": 1}, X_Gitlab_Token=token,
                        Idempotency_Key="1", Authorization="")
             for token in ("staple", "guess")]
    assert [c.status for c in calls] == [202, 401], calls


def test_a_page_behind_a_proxy_is_of_the_outer_host(behind):
    """Origin is compared with the name that the browser has."""
    asked = {"source": "127.0.0.1", "port": behind.nfo.port,
             "X_Forwarded_Host": "ci.example"}
    assert behind.ask("GET", "/v1/whoami", Origin="https://ci.example",
                      **asked).status == 200
    assert behind.ask("GET", "/v1/whoami", Origin="https://evil.example",
                      **asked).status == 403
    asked["source"] = OTHER
    assert behind.ask("GET", "/v1/whoami", Origin="https://ci.example",
                      **asked).status == 403


def test_the_socket_needs_no_prefix_and_takes_it(behind):
    for path in ("/v1/version", "/nfo/v1/version", "/nfo/healthz"):
        assert behind.nfo.get(path).status == 200
    for path in ("/nfo2/v1/version", "/nfo", "/nfo/nfo/v1/version"):
        assert behind.nfo.get(path).status == 404


def test_the_client_is_the_proxy_s_client(behind):
    for path in ("/nfo/healthz", "/off/healthz", "/std/healthz"):
        a = behind.ask("GET", path)
        assert (a.status, behind.client_of(a)) == (200, CLIENT)


def test_what_a_client_says_of_itself_is_not_believed(behind):
    a = behind.ask("GET", "/nfo/healthz", X_Forwarded_For="6.6.6.6, 127.0.0.1")
    assert behind.client_of(a) == CLIENT
    a = behind.ask("GET", "/std/healthz", Forwarded="for=6.6.6.6;host=evil")
    assert behind.client_of(a) == CLIENT


def test_nor_what_anybody_says_who_is_no_proxy_of_ours(behind):
    a = behind.ask("GET", "/v1", source=OTHER, port=behind.nfo.port,
                   X_Forwarded_For="6.6.6.6", Forwarded="for=6.6.6.6",
                   X_Forwarded_Prefix="/evil")
    assert (a.status, behind.client_of(a)) == (200, OTHER)
    assert a.json["openapi"] == "/nfo/v1/openapi.json"
    a = behind.ask("GET", "/v1", source=OTHER, port=behind.nfo.port,
                   Forwarded='for="')
    assert a.status == 200


@pytest.mark.parametrize("name, value", (
    ("Forwarded", 'for="1.2.3.4'), ("Forwarded", "for=1.2.3.4;for=5.6.7.8"),
    ("X-Forwarded-For", ",".join(["1.2.3.4"] * 40)),
    ("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "a b"),
    ("X-Forwarded-Prefix", "//evil.example"),
    ("X-Forwarded-Prefix", "/a/../b"), ("Forwarded", "x" * 5000)))
def test_a_proxy_that_sends_nonsense_is_refused(behind, name, value):
    a = behind.ask("GET", "/healthz", source="127.0.0.1",
                   port=behind.nfo.port, **{name: value})
    assert (a.status, a.json["code"]) == (400, "bad-forwarded")
    assert name in a.json["detail"]


def test_a_spoofed_rest_of_a_header_cannot_hide_the_client(behind):
    """An open quote would swallow what the proxy adds."""
    a = behind.ask("GET", "/std/healthz", Forwarded='for="')
    assert a.status == 400


def test_peers_on_the_socket_are_believed_where_that_is_said(cold):
    config = cold.write("c.yaml", "trusted_proxies: [unix]\n"
                        "log: { requests: true }\n")
    cold.serve("--config", config)
    behind = Behind(cold, 0)
    a = cold.get("/v1", X_Forwarded_For="192.0.2.9",
                 X_Forwarded_Prefix="/a")
    assert behind.client_of(a) == "192.0.2.9"
    assert a.json["openapi"] == "/a/v1/openapi.json"
    assert behind.client_of(cold.get("/healthz")) == "unix"
