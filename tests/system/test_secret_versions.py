# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of secrets, and changes of the version that is meant."""
import json
import threading

SECRETS = "/v1/projects/default/secrets"
KEY = f"{SECRETS}/key"
OCTETS = {"Content-Type": "application/octet-stream"}


def put(nfo, value, status, path=KEY, **headers):
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    a = nfo.ask("PUT", path, value, {**OCTETS, **headers})
    assert a.status == status, a
    return a


def test_metadata_and_never_a_value(nfo):
    assert nfo.get(KEY).status == 404
    assert nfo.get(f"{KEY}/versions").status == 404
    assert put(nfo, b"value-one", 201).headers["etag"] == '"1"'
    assert put(nfo, b"value-two", 200).headers["etag"] == '"2"'
    a = nfo.get(KEY)
    assert a.headers["etag"] == '"2"'
    assert a.headers["cache-control"] == "no-store"
    assert set(a.json) == {"name", "version", "versions", "created_at",
                           "updated_at", "deleted", "max_versions",
                           "description"}
    assert (a.json["name"], a.json["version"], a.json["versions"]) == \
        ("key", 2, 2)
    assert a.json["created_at"] < a.json["updated_at"]
    assert nfo.get(SECRETS).json["items"] == [a.json]
    v = nfo.get(f"{KEY}/versions").json
    assert [i["version"] for i in v["items"]] == [2, 1]
    assert v["items"][0]["created_at"] == a.json["updated_at"]
    assert "value-" not in json.dumps([a.json, v])


def test_not_modified_and_head(nfo):
    put(nfo, b"value", 201)
    a = nfo.ask("GET", KEY, headers={"If-None-Match": '"1"'})
    assert (a.status, a.headers["etag"]) == (304, '"1"')
    assert nfo.ask("GET", KEY, headers={"If-None-Match": '"2"'}).status == 200
    a = nfo.ask("HEAD", KEY)
    assert (a.status, a.headers["etag"], a.body) == (200, '"1"', b"")
    assert nfo.ask("HEAD", f"{SECRETS}/absent").status == 404


def test_only_new(nfo):
    put(nfo, b"value", 201, If_None_Match="*")
    a = put(nfo, b"other", 412, If_None_Match="*")
    assert a.json["code"] == "stale"
    assert nfo.get(KEY).json["version"] == 1
    put(nfo, b"other", 412, If_None_Match='"1"')
    put(nfo, b"other", 200, If_None_Match='"7"')


def test_check_and_set(nfo):
    put(nfo, b"value", 412, If_Match='"1"')
    put(nfo, b"value", 412, If_Match="*")
    put(nfo, b"value", 201)
    put(nfo, b"value", 412, If_Match='"2"')
    put(nfo, b"value", 412, If_Match='W/"1"')
    put(nfo, b"value", 412, If_Match="nonsense")
    assert put(nfo, b"value", 200, If_Match='"1"').json["version"] == 2
    assert put(nfo, b"value", 200, If_Match='"7", "2"').json["version"] == 3
    assert put(nfo, b"value", 200, If_Match="*").json["version"] == 4
    a = nfo.ask("PUT", KEY, {"wrong": 1}, {"If-Match": '"4"'})
    assert (a.status, a.json["code"]) == (422, "bad-value")
    a = nfo.ask("PUT", KEY, {"value": "x" * 20000}, {"If-Match": '"4"'})
    assert a.json["version"] == 5
    assert nfo.get(KEY).json["version"] == 5


def test_of_many_at_once_one_wins(nfo):
    put(nfo, b"value", 201)
    answers = []

    def one():
        answers.append(nfo.ask("PUT", KEY, b"mine",
                               {**OCTETS, "If-Match": '"1"'}).status)
    threads = [threading.Thread(target=one) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(answers) == [200] + [412] * 7
    assert nfo.get(KEY).json["version"] == 2


def test_removed_with_its_version_and_made_anew(nfo):
    assert nfo.ask("DELETE", KEY).status == 404
    assert nfo.ask("DELETE", KEY, headers={"If-Match": "*"}).status == 412
    put(nfo, b"value", 201)
    put(nfo, b"value", 200)
    assert nfo.ask("DELETE", KEY, headers={"If-Match": '"1"'}).status == 412
    assert nfo.get(KEY).json["version"] == 2
    assert nfo.ask("DELETE", KEY, headers={"If-Match": '"2"'}).status == 204
    assert nfo.get(KEY).status == 404
    assert nfo.get(f"{KEY}/versions").status == 404
    assert put(nfo, b"value", 201, If_None_Match="*").json["version"] == 3
    assert nfo.ask("DELETE", KEY).status == 204


def test_ten_versions_are_kept(nfo):
    for i in range(12):
        put(nfo, b"value %d" % i, 200 if i else 201)
    v = nfo.get(f"{KEY}/versions").json["items"]
    assert [i["version"] for i in v] == list(range(12, 2, -1))
    assert nfo.get(KEY).json["versions"] == 10


def test_the_command_line(nfo):
    nfo("secret", "put", "key", "--if-version", "0", stdin=b"first")
    assert "version" in nfo("secret", "put", "key", "--if-version", "0",
                            stdin=b"second", code=2).err
    nfo("secret", "put", "key", "--if-version", "1", stdin=b"second")
    out = nfo("secret", "show", "key").out
    assert "version  2" in out and "kept     2" in out
    rows = nfo("secret", "versions", "key").out.splitlines()
    assert [r.split()[0] for r in rows] == ["VERSION", "2", "1"]
    assert json.loads(nfo("secret", "show", "key", "-o", "json").out)[
        "version"] == 2
    assert nfo("secret", "show", "absent", code=2).err
    assert nfo("secret", "put", "key", "--if-version", "x", stdin=b"v",
               code=2).err
    nfo("secret", "list", "--if-version", "1", code=2)


# --- many


def test_a_list_comes_in_pages_by_name(nfo):
    at = "/v1/projects/default/secrets"
    names = sorted(f"s{i:02}" for i in range(60))
    for name in reversed(names):
        assert nfo.ask("PUT", f"{at}/{name}", {"value": "x" * 20}
                       ).status == 201
    assert nfo.ask("PUT", "/v1/projects/other/secrets/a",
                   {"value": "x" * 20}).status == 201
    first = nfo.get(at)
    assert [x["name"] for x in first.json["items"]] == names[:50]
    assert f"cursor={first.json['next_cursor']}" in first.headers["link"]
    got, cursor, pages = [], "", 0
    while cursor is not None:
        a = nfo.get(f"{at}?limit=7" + (f"&cursor={cursor}" if cursor else ""))
        assert a.status == 200 and len(a.json["items"]) <= 7
        got += [x["name"] for x in a.json["items"]]
        cursor, pages = a.json["next_cursor"], pages + 1
    assert got == names and pages == 9
    # whoever puts or removes one meanwhile moves nothing
    cursor = nfo.get(f"{at}?limit=10").json["next_cursor"]
    assert nfo.ask("DELETE", f"{at}/{names[9]}").status == 204
    assert nfo.ask("PUT", f"{at}/a", {"value": "x" * 20}).status == 201
    a = nfo.get(f"{at}?limit=500&cursor={cursor}")
    assert [x["name"] for x in a.json["items"]] == names[10:]
    assert a.json["next_cursor"] is None and "link" not in a.headers
    # it is of this list
    other = "/v1/projects/other/secrets"
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for path in (f"{other}?cursor={cursor}", f"{at}?cursor=AAAA",
                 f"{at}?cursor={flipped}", f"{at}?limit=501",
                 f"{at}?limit=0", f"/v1/runs?cursor={cursor}"):
        a = nfo.get(path)
        assert (a.status, a.json["code"]) == (400, "bad-parameter"), path


def test_the_command_lists_all(nfo):
    at = "/v1/projects/default/secrets"
    names = [f"s{i:03}" for i in range(510)]
    for name in names:
        assert nfo.ask("PUT", f"{at}/{name}", {"value": "x" * 20}
                       ).status == 201
    lines = nfo("secret", "list").out.splitlines()
    assert [x.split()[0] for x in lines[1:]] == names
