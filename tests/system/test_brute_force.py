# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wrong tokens are answered late, and right ones beside them at once."""
import http.client
import re
import select
import socket
import time

import nfo as programs

AT_ONCE = 3  # wrong ones that cost nothing: GUESSES_FREE
OF_ONE = 8   # answers that wait for one client: SLOW_MOST_OF_ONE


def ask(server, token, path="/v1/whoami", source="127.0.0.1", body=None):
    """(status, headers, seconds)"""
    begun = time.monotonic()
    c = http.client.HTTPConnection("127.0.0.1", server.port,
                                   timeout=programs.LIMIT,
                                   source_address=(source, 0))
    c.request("POST" if body else "GET", path, body,
              {"Authorization": f"Bearer {token}"})
    a = c.getresponse()
    a.read()
    c.close()
    return a.status, a.headers, time.monotonic() - begun


def send(server, token):
    """Asks, and does not wait for the answer."""
    s = socket.create_connection(("127.0.0.1", server.port), programs.LIMIT)
    s.sendall(b"GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\n"
              b"Authorization: Bearer " + token.encode() + b"\r\n\r\n")
    return s


def status(s):
    return int(s.recv(4096).split()[1])


def use_up(server):
    for i in range(AT_ONCE):
        assert ask(server, f"nfo_wrong{i}")[0] == 401


def test_each_wrong_one_waits_longer(tcp):
    use_up(tcp)
    for least in (0.1, 0.2, 0.4):
        code, headers, seconds = ask(tcp, "nfo_wrong")
        assert code == 401 and seconds >= least
        assert headers["WWW-Authenticate"].startswith("Bearer")


def test_a_right_one_does_not_wait(tcp):
    use_up(tcp)
    for _ in range(3):
        ask(tcp, "nfo_wrong")
    waits = send(tcp, "nfo_wrong")  # 0.8 s
    assert ask(tcp, tcp.token)[0] == 200
    assert not select.select([waits], [], [], 0)[0]
    assert status(waits) == 401
    waits.close()


def test_only_so_many_wait(tcp):
    use_up(tcp)
    for _ in range(4):
        ask(tcp, "nfo_wrong")
    waiting = [send(tcp, f"nfo_wrong{i}") for i in range(OF_ONE + 4)]
    codes = []
    for s in waiting:
        head = s.recv(4096)
        codes.append(int(head.split()[1]))
        if codes[-1] == 429:
            assert int(re.search(rb"Retry-After: (\d+)", head)[1]) >= 1
        s.close()
    assert sorted(codes) == [401] * OF_ONE + [429] * 4
    assert ask(tcp, tcp.token)[0] == 200


def test_another_address_is_another_client(tcp):
    use_up(tcp)
    for _ in range(3):
        ask(tcp, "nfo_wrong")
    waits = send(tcp, "nfo_wrong")
    assert ask(tcp, "nfo_wrong", source="127.0.0.2")[0] == 401
    assert not select.select([waits], [], [], 0)[0]
    waits.close()


def test_a_body_beside_a_wrong_one(tcp):
    use_up(tcp)
    for size in (10, 200000):
        assert ask(tcp, "nfo_wrong", "/v1/validate", body=b"x" * size)[0] == 401


def test_who_leaves_is_forgotten(tcp):
    use_up(tcp)
    for _ in range(3):
        for s in [send(tcp, "nfo_wrong") for _ in range(OF_ONE)]:
            s.close()
    assert ask(tcp, tcp.token)[0] == 200
    metrics = tcp.get("/metrics").body.decode()
    wrong = int(re.search(r"^nfo_wrong_tokens_total (\d+)", metrics, re.M)[1])
    assert AT_ONCE <= wrong <= AT_ONCE + 3 * OF_ONE


def test_a_server_that_is_told_to_stop_does_not_wait(tcp):
    use_up(tcp)
    for _ in range(4):
        ask(tcp, "nfo_wrong")
    waits = send(tcp, "nfo_wrong")
    tcp.until(lambda: b"answered late" in
              (tcp.home / "serve.err").read_bytes())
    tcp.stop()
    waits.close()
    assert b"nfo_wrong" not in (tcp.home / "serve.err").read_bytes()
