# SPDX-License-Identifier: AGPL-3.0-or-later
"""Users, groups, roles and tokens; every operation with every role."""
import http.client
import json
import re

import pytest

import provider

LEVELS = ["viewer", "operator", "developer", "admin"]
LONG = "nfo: 1\nname: long\ntasks: { t: { run: sleep 300 } }\n"


class Caller:
    """Somebody with a token, over TCP."""

    def __init__(self, server, token):
        self.server, self.token = server, token

    def ask(self, method, path, body=None, headers=()):
        c = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                       timeout=20)
        headers = dict(headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        c.request(method, path, body, headers)
        a = c.getresponse()
        self.stream = a
        type_ = a.getheader("Content-Type", "")
        if type_.startswith("text/event-stream"):
            self.open = c
            return a.status, {}
        data = a.read()
        c.close()
        return a.status, json.loads(data) if "json" in type_ else data


def make(server, kind, name, **fields):
    a = server.ask("PUT", f"/v1/{kind}s/{name}", fields)
    assert a.status == 201, a
    return a


def token_of(server, **fields):
    a = server.ask("POST", "/v1/tokens", {"name": "test", **fields})
    assert a.status == 201, a
    assert re.fullmatch(r"nfo_[\w-]{43}", a.json["token"])
    return a.json


def somebody(server, name, role=None, projects=("default",), token=None):
    make(server, "user", name)
    if role:
        make(server, "role", f"{name}-is", role=role,
             projects=list(projects), members=[f"user/{name}"])
    return Caller(server, token_of(server, user=name, **(token or {}))["token"])


# --- the matrix

def cache_of(server):
    """A cache that is there."""
    found = server.get("/v1/caches").json["items"]
    if not found:
        server.run("tasks: { t: { cache: { key: k, paths: [c] }, "
                   "run: mkdir c } }")
        found = server.get("/v1/caches").json["items"]
    return found[0]["id"]


def operations(server, run, job):
    document = server.get("/v1/openapi.json").json
    names = {"project": "default", "run": run["id"], "task": "t",
             "attempt": "1", "artifact": "t.a", "name": "absent", "job": job,
             "digest": "0" * 64, "user": "absent", "group": "absent",
             "role": "absent", "token": "tok_absent",
             "schedule": "absent", "hook": "absent",
             "cache": cache_of(server)}
    for path, item in document["paths"].items():
        filled = re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], "absent"), path)
        for method, op in item.items():
            yield method.upper(), filled, op


def refused(status, answer):
    return status in (401, 403) or (
        status == 404 and answer.get("code") == "not-found"
        and answer["detail"] in ("no such project", "no such run",
                                 "no such cache"))


def expected(op, who):
    """May they?  who: (role, everywhere) or None for a stranger."""
    need, scope = op["x-nfo-role"], op["x-nfo-scope"]
    if need == "anybody":
        return True
    if who is None:
        return False
    role, everywhere = who
    if need == "known":
        return True
    if scope == "server" and not everywhere:
        return False
    return role in LEVELS and LEVELS.index(role) >= LEVELS.index(need)


@pytest.fixture
def key():
    return provider.Key("k", "EdDSA")


@pytest.fixture
def both(cold, key):
    """A server that knows tokens of its own and of a provider."""
    places = {"here": "default", "everywhere": "*"}
    roles = [{"when": {"level": level, "where": where}, "role": level,
              "projects": [project]}
             for level in LEVELS for where, project in places.items()]
    keys = cold.write("keys.json", provider.key_set(key))
    return provider.serve(cold, {"oidc": [{
        "name": "corp", "issuer": provider.ISSUER, "audience": "nfo",
        "jwks_file": str(keys), "roles": roles}]})


def test_every_operation_with_every_role(both, key):
    tcp = both
    make(tcp, "project", "default")
    run = tcp.run(LONG, wait=None)
    callers = {"stranger": (Caller(tcp, None), None),
               "nobody": (somebody(tcp, "nobody"), ("none", False)),
               "elsewhere": (somebody(tcp, "elsewhere", "admin", ["other"]),
                             ("elsewhere", False))}
    for level in LEVELS:
        callers[level] = (somebody(tcp, level, level), (level, False))
        everywhere = f"all-{level}"
        callers[everywhere] = (somebody(tcp, everywhere, level, ["*"]),
                               (level, True))
        narrow = f"narrow-{level}"
        callers[narrow] = (somebody(tcp, narrow, "admin", ["*"], {
            "role": level, "projects": ["default"]}), (level, False))
        for where, all_of in (("here", False), ("everywhere", True)):
            callers[f"oidc-{level}-{where}"] = (
                Caller(tcp, key.token(sub=level, level=level, where=where)),
                (level, all_of))
    callers["oidc-nobody"] = (Caller(tcp, key.token()), ("none", False))
    wrong, tried = [], 0
    every = sorted(operations(tcp, run, "absent"),  # what seals comes last
                   key=lambda o: o[:2] == ("POST", "/v1/seal"))
    for method, path, op in every:
        assert op["x-nfo-role"] != "nobody", op["operationId"]
        for name, (caller, who) in callers.items():
            body = b"{" if "requestBody" in op else None
            if "/caches/" in path:  # who may has deleted it
                path = f"/v1/caches/{cache_of(tcp)}"
            status, answer = caller.ask(
                method, path, body,
                {"Content-Type": "text/nothing"} if body else {})
            may = expected(op, who)
            if name == "elsewhere" and op["x-nfo-scope"] == "any":
                may = True  # it is somebody, there
            if refused(status, answer) == may or status >= 500:
                wrong.append((name, method, path, status, answer))
            tried += 1
    assert not wrong, wrong[:5]
    assert tried > 500
    tcp.ask("POST", f"/v1/runs/{run['id']}/cancel")


def test_what_one_may_not_see_is_not_there(tcp):
    run = tcp.run(LONG, wait=None)
    other = somebody(tcp, "other", "admin", ["other"])
    assert other.ask("GET", f"/v1/runs/{run['id']}")[0] == 404
    assert other.ask("GET", "/v1/runs")[1]["items"] == []
    assert other.ask("GET", "/v1/projects/default/jobs")[0] == 404
    make(tcp, "project", "secret")
    make(tcp, "project", "other")
    seen = other.ask("GET", "/v1/projects")[1]["items"]
    assert [p["name"] for p in seen] == ["other"]
    both = somebody(tcp, "both", "viewer")
    assert len(both.ask("GET", "/v1/runs")[1]["items"]) == 1
    refusal = both.ask("POST", f"/v1/runs/{run['id']}/cancel")
    assert refusal[0] == 403 and "operator" in refusal[1]["detail"]
    tcp.ask("POST", f"/v1/runs/{run['id']}/cancel")


# --- who somebody is

def test_whoami_says_what_counts(tcp):
    ann = somebody(tcp, "ann", "developer", ["web", "api"])
    me = ann.ask("GET", "/v1/whoami")[1]
    assert me["name"] == "user:ann" and me["token"].startswith("tok_")
    assert me["roles"] == ["developer"] and me["server"] == "none"
    assert sorted(me["projects"]) == ["api", "web"]
    assert tcp.get("/v1/whoami").json["projects"] == ["*"]


def test_a_group_gives_its_role_to_its_members(tcp):
    ann = somebody(tcp, "ann")
    make(tcp, "group", "devs", members=["ann"])
    make(tcp, "role", "web-devs", role="developer", projects=["web"],
         members=["group/devs"])
    path = "/v1/projects/web/jobs"
    assert ann.ask("GET", path)[0] == 200
    a = tcp.ask("PUT", "/v1/groups/devs", {"members": []}, {"If-Match": "*"})
    assert a.status == 200
    assert ann.ask("GET", path)[0] == 404


def test_a_user_that_is_disabled_or_gone_may_nothing(tcp):
    ann = somebody(tcp, "ann", "admin", ["*"])
    assert ann.ask("GET", "/v1/users")[0] == 200
    tcp.ask("PUT", "/v1/users/ann", {"disabled": True}, {"If-Match": "*"})
    for path in ("/v1/users", "/v1/whoami", "/v1/tokens", "/v1/nothing"):
        assert ann.ask("GET", path)[0] == 403, path
    assert ann.ask("POST", "/v1/tokens", {"name": "later"})[0] == 403
    tcp.ask("PUT", "/v1/users/ann", {}, {"If-Match": "*"})
    assert ann.ask("GET", "/v1/users")[0] == 200
    named = tcp.ask("DELETE", "/v1/users/ann", headers={"If-Match": "*"})
    assert named.status == 409 and "role ann-is" in named.json["detail"]
    tcp.ask("DELETE", "/v1/roles/ann-is", headers={"If-Match": "*"})
    assert tcp.ask("DELETE", "/v1/users/ann",
                   headers={"If-Match": "*"}).status == 204
    assert ann.ask("GET", "/v1/whoami")[0] == 401
    make(tcp, "user", "ann")  # another one does not get the old token
    assert ann.ask("GET", "/v1/whoami")[0] == 401


def test_an_owner_stays_one(tcp):
    make(tcp, "user", "root-too", uid=0)
    assert tcp.get("/v1/whoami").json["server"] == "admin"


# --- tokens

def test_a_token_is_shown_once_and_kept_as_a_hash(tcp):
    made = token_of(tcp)
    path = f"/v1/tokens/{made['id']}"
    got = tcp.get(path).json
    assert "token" not in got and got["used_at"] is None
    assert Caller(tcp, made["token"]).ask("GET", "/v1/whoami")[0] == 200
    assert tcp.get(path).json["used_at"]
    secret = made["token"].removeprefix("nfo_").encode()
    for file in (tcp.state / "server").rglob("*"):
        if file.is_file() and file.name != "ballast":
            assert secret not in file.read_bytes(), file


def test_an_answer_that_waited_is_not_for_whom_it_is_no_more(tcp):
    run = tcp.submit(LONG).json
    make(tcp, "user", "ann")
    make(tcp, "role", "seers", role="viewer", projects=["default"],
         members=["user/ann"])
    token = token_of(tcp, user="ann")
    c = http.client.HTTPConnection("127.0.0.1", tcp.port, timeout=20)
    c.request("GET", f"/v1/runs/{run['id']}?wait=60s", None,
              {"Authorization": f"Bearer {token['token']}"})
    assert Caller(tcp, token["token"]).ask("GET", "/v1/whoami")[0] == 200
    assert tcp.ask("DELETE", f"/v1/tokens/{token['id']}").status == 204
    assert tcp.ask("POST", f"/v1/runs/{run['id']}/cancel").status == 202
    a = c.getresponse()
    assert a.status in (401, 403), a.read()
    c.close()


def test_a_revoked_token_is_worth_nothing_at_once(tcp):
    made = token_of(tcp)
    caller = Caller(tcp, made["token"])
    assert caller.ask("GET", "/v1/events")[0] == 200
    stream = caller.stream
    assert tcp.ask("DELETE", f"/v1/tokens/{made['id']}").status == 204
    with pytest.raises(http.client.IncompleteRead):
        stream.read()  # the stream that it had opened ends
    caller.open.close()
    assert caller.ask("GET", "/v1/whoami")[0] == 401
    assert tcp.get(f"/v1/tokens/{made['id']}").status == 404


def test_a_token_runs_out(tcp):
    made = token_of(tcp, ttl="1s")
    caller = Caller(tcp, made["token"])
    tcp.until(lambda: caller.ask("GET", "/v1/whoami")[0] == 401)
    assert "run out" in caller.ask("GET", "/v1/whoami")[1]["detail"]


def test_what_a_token_opened_ends_with_it(tcp):
    caller = Caller(tcp, token_of(tcp, ttl="2s")["token"])
    assert caller.ask("GET", "/v1/events")[0] == 200
    with pytest.raises(http.client.IncompleteRead):
        caller.stream.read()
    caller.open.close()


def test_tokens_are_ones_own(tcp):
    ann = somebody(tcp, "ann", "developer")
    bob = somebody(tcp, "bob", "developer")
    made = ann.ask("POST", "/v1/tokens", {"name": "mine"})
    assert made[0] == 201 and made[1]["subject"] == "user:ann"
    path = f"/v1/tokens/{made[1]['id']}"
    assert bob.ask("GET", path)[0] == 404
    assert bob.ask("DELETE", path)[0] == 404
    assert len(ann.ask("GET", "/v1/tokens")[1]["items"]) == 2
    assert bob.ask("POST", "/v1/tokens",
                   {"name": "x", "user": "ann"})[0] == 403
    assert ann.ask("DELETE", path)[0] == 204


def test_a_narrowed_token_makes_no_wider_one(tcp):
    for narrow in ({"role": "viewer"}, {"projects": ["web"]}):
        caller = Caller(tcp, token_of(tcp, **narrow)["token"])
        assert caller.ask("POST", "/v1/tokens", {"name": "x"})[0] == 403
    short = Caller(tcp, token_of(tcp, ttl="1h")["token"])
    made = short.ask("POST", "/v1/tokens", {"name": "x", "ttl": "365d"})[1]
    assert made["expires_at"] <= short.ask(
        "GET", "/v1/tokens")[1]["items"][-1]["expires_at"]


@pytest.mark.parametrize("body", [
    {}, {"name": ""}, {"name": "x", "role": "king"}, {"name": "x", "ttl": "0s"},
    {"name": "x", "ttl": 3}, {"name": "x", "projects": []},
    {"name": "x", "projects": ["*"]}, {"name": "x", "scope": "all"},
    {"name": "x", "user": "absent"}, []], ids=str)
def test_a_wrong_token_is_not_made(tcp, body):
    assert tcp.ask("POST", "/v1/tokens", body).status == 422
    assert tcp.get("/v1/tokens").json["items"] == []


# --- the things themselves

@pytest.mark.parametrize("kind, body, part", [
    ("user", {"uid": -1}, "uid"), ("user", {"shoe": 1}, "shoe"),
    ("user", {"full_name": "x" * 501}, "full_name"),
    ("group", {}, "members"), ("group", {"members": "x"}, "members"),
    ("group", {"members": ["absent"]}, "absent"),
    ("role", {"role": "king", "projects": ["*"], "members": []}, "viewer"),
    ("role", {"role": "viewer", "projects": ["*"], "members": ["x"]},
     "members"),
    ("role", {"role": "viewer", "projects": ["A"], "members": []},
     "projects")], ids=str)
def test_a_wrong_thing_is_not_made(tcp, kind, body, part):
    a = tcp.ask("PUT", f"/v1/{kind}s/x", body)
    assert a.status == 422 and part in a.body.decode(), a
    assert tcp.get(f"/v1/{kind}s/x").status == 404


def test_what_was_got_can_be_put(tcp):
    a = make(tcp, "user", "ann", full_name="Ann", uid=4711)
    got = tcp.get("/v1/users/ann")
    assert got.headers["etag"] == a.headers["etag"]
    assert tcp.get("/v1/users/ann",
                   If_None_Match=got.headers["etag"]).status == 304
    again = tcp.ask("PUT", "/v1/users/ann",
                    {**got.json, "full_name": "Ann B"},
                    {"If-Match": got.headers["etag"]})
    assert again.status == 200 and again.json["full_name"] == "Ann B"
    assert again.json["created_at"] == got.json["created_at"]
    assert tcp.ask("PUT", "/v1/users/ann", {},
                   {"If-Match": got.headers["etag"]}).status == 412
    assert tcp.ask("PUT", "/v1/users/ann", {}).status == 428
    assert tcp.ask("POST", "/v1/users", {"name": "ann"}).status == 409
    assert tcp.ask("POST", "/v1/users", {"name": "Bad!"}).status == 422
    assert tcp.ask("POST", "/v1/users", {"name": "bob"}).status == 201


def test_a_project_with_jobs_stays(tcp):
    make(tcp, "project", "web", description="pages")
    job = b"nfo: 1\nname: j\nproject: web\ntasks: { t: { run: x } }\n"
    tcp.ask("POST", "/v1/projects/web/jobs", job,
            {"Content-Type": "application/yaml"})
    gone = {"If-Match": "*"}
    a = tcp.ask("DELETE", "/v1/projects/web", headers=gone)
    assert a.status == 409 and "jobs" in a.json["detail"]
    tcp.ask("DELETE", "/v1/projects/web/jobs/j", headers=gone)
    assert tcp.ask("DELETE", "/v1/projects/web", headers=gone).status == 204


def test_who_is_known_survives_a_restart(tcp):
    ann = somebody(tcp, "ann", "viewer")
    assert ann.ask("GET", "/v1/runs")[0] == 200
    tcp.stop()
    tcp.serve("--listen", f"127.0.0.1:{tcp.port}")
    assert ann.ask("GET", "/v1/runs")[0] == 200


# --- the command line

def test_the_command_line_makes_and_uses_a_token(tcp):
    made = tcp("token", "create", "ci", "--role", "viewer", "-p", "default")
    token = made.out.strip()
    assert re.fullmatch(r"nfo_[\w-]{43}", token) and "tok_" in made.err
    tcp.env["NFO_TOKEN"] = token
    server = ("--server", f"http://127.0.0.1:{tcp.port}")
    assert tcp("runs", "-o", "json", *server).code == 0
    assert "developer" in tcp("secret", "list", *server, code=3).err
    listed = tcp("token", "list").out.splitlines()
    assert len(listed) == 2 and "viewer" in listed[1]
    tcp("token", "rm", listed[1].split()[0])
    assert "not known" in tcp("runs", *server, code=3).err


def test_any_request_from_the_command_line(tcp):
    path = tcp.write("ann.json", '{"full_name": "Ann"}')
    assert '"Ann"' in tcp("api", "put", "/v1/users/ann", "--data", path).out
    assert "If-Match" in tcp("api", "DELETE", "/v1/users/ann", code=2).err
    tcp("api", "DELETE", "/v1/users/ann", "--header", "If-Match: *")
    assert "no such user" in tcp("api", "GET", "/v1/users/ann", code=2).err
    assert tcp("api", "GET", "/healthz").out == '{"status":"ok"}\n'
