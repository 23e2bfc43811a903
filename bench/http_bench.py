#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The API beside an empty answer of libmicrohttpd and beside SQLite alone, all in
one run: CPU of a GET, of TLS, memory of an idle connection, durable runs a second,
and how long an event takes to a thousand followers.  NFO_BIN names the programs'
directory."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import system_bench

BIN = system_bench.BIN
SECONDS = 3
CLIENTS = 64
IDLE = 512
FOLLOWERS = 1000
RUNS = 1800  # a server takes 2000 that have not ended


def cpu_us(pid):
    """Of all its threads."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1000


def rss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Rss: +(\d+)", f.read(), re.M)[1])


def client(request, *words):
    done = subprocess.run([f"{BIN}/http_bench", *map(str, words)],
                          input=request, capture_output=True, timeout=60)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return dict(word.split("=") for word in done.stdout.decode().split())


def request(method, path, token="", body=b"", kind="application/json"):
    head = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token:
        head.append(f"Authorization: Bearer {token}")
    if body:
        head += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def gets(pid, where, what):
    """(CPU in us of one, a second, p99 in us)."""
    client(what, "ask", where, CLIENTS, 0.5)
    before = cpu_us(pid)
    got = client(what, "ask", where, CLIENTS, SECONDS)
    if int(got["wrong"]):
        raise SystemExit(f"wrong answers: {got}")
    return ((cpu_us(pid) - before) / int(got["n"]), float(got["per_s"]),
            int(got["took_p99_us"]))


def floor():
    with subprocess.Popen([f"{BIN}/http_bench", "floor"],
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
        port = int(p.stdout.readline())
        got = gets(p.pid, port, request("GET", "/"))
        p.stdin.close()
    return got


def wrk(pid, url, token):
    """CPU in us of a request of wrk's, which speaks TLS."""
    before = cpu_us(pid)
    said = subprocess.run(
        ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "-H",
         f"Authorization: Bearer {token}", url],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(said)
    return (cpu_us(pid) - before) / int(re.search(r"(\d+) requests", said)[1])


def idle(pid, port, context):
    """Memory in KiB of a connection that has asked once and stays."""
    before, held = rss_kb(pid), []
    for _ in range(IDLE):
        if context:
            c = http.client.HTTPSConnection("localhost", port, context=context)
        else:
            c = http.client.HTTPConnection("127.0.0.1", port)
        c.request("GET", "/healthz")
        c.getresponse().read()
        held.append(c)
    grown = (rss_kb(pid) - before) / IDLE
    for c in held:
        c.close()
    return grown


def certificate(top):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
         f"{top}/key.pem", "-out", f"{top}/cert.pem"],
        check=True, capture_output=True)
    os.chmod(f"{top}/key.pem", 0o600)
    return ["--tls-cert", f"{top}/cert.pem", "--tls-key", f"{top}/key.pem"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def child(pid, name):
    for one in system_bench.tree(pid):
        with open(f"/proc/{one}/cmdline", "rb") as f:
            if f.read().rstrip(b"\0") == name:
                return one
    raise SystemExit(f"no process {name}")


def unix(sock, method, path, body=None, kind="application/json"):
    c = system_bench.Unix(sock)
    c.request(method, path, body, {"Content-Type": kind} if body else {})
    answer = c.getresponse()
    said = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {said}")
    return json.loads(said)


def grouped():
    said = subprocess.run([f"{BIN}/store_bench"], capture_output=True,
                          text=True, check=True).stdout
    print(said, end="")
    return float(re.search(r"grouped=(\d+)", said)[1])


def measure(p, sock, plain, tls, token, top):
    server = child(p.pid, b"nfo: server")
    run = system_bench.ask(system_bench.Unix(sock), system_bench.EMPTY)["id"]
    get = f"/v1/runs/{run}"
    empty, ours = floor(), gets(server, plain, request("GET", get, token))
    print(f"get_run cpu_us={ours[0]:.1f} floor={empty[0]:.1f} "
          f"ratio={ours[0] / empty[0]:.2f} per_s={ours[1]:.0f} "
          f"p99_us={ours[2]}")
    over = [wrk(server, f"http://127.0.0.1:{plain}{get}", token),
            wrk(server, f"https://localhost:{tls}{get}", token)]
    print(f"tls cpu_us={over[1]:.1f} plain={over[0]:.1f} "
          f"ratio={over[1] / over[0]:.2f}")
    context = ssl.create_default_context(cafile=f"{top}/cert.pem")
    print(f"idle_connection plain_kib={idle(server, plain, None):.1f} "
          f"tls_kib={idle(server, tls, context):.1f}")
    unix(sock, "PUT", "/v1/system/maintenance", '{"on":true}')
    unix(sock, "PUT", "/v1/projects/default/jobs/empty", system_bench.EMPTY,
         "application/yaml")
    post = "/v1/projects/default/jobs/empty/runs"
    follow = client(request("GET", "/v1/events") + b"---\n"
                    + request("POST", post), "follow", sock, FOLLOWERS)
    print("sse " + " ".join(f"{k}={v}" for k, v in follow.items()))
    before = cpu_us(server)
    posts = client(request("POST", post), "ask", sock, CLIENTS, 30, RUNS)
    cpu = (cpu_us(server) - before) / int(posts["n"])
    rate, most = float(posts["per_s"]), grouped()
    print(f"post_run per_s={rate:.0f} ratio={rate / most:.2f} of grouped "
          f"inserts, cpu_us={cpu:.0f} p50_us={posts['took_p50_us']} "
          f"p99_us={posts['took_p99_us']} wrong={posts['wrong']}")


def main():
    top = tempfile.mkdtemp(prefix="nfo-bench-", dir="/var/tmp")
    os.chmod(top, 0o755)
    os.mkdir(f"{top}/s", 0o755)
    plain, tls = free_port(), free_port()
    p, sock, _ = system_bench.start(
        f"{top}/s", "--listen", f"127.0.0.1:{plain}", "--tls-listen",
        f"127.0.0.1:{tls}", *certificate(top),
        "--set", "limits.connections_per_client=2000",
        "--set", "limits.connections=4000")
    try:
        with open(f"{top}/s/server/token") as f:
            token = f.read().strip()
        measure(p, sock, plain, tls, token, top)
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(20)
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
