# SPDX-License-Identifier: AGPL-3.0-or-later
"""Users, groups, roles and projects from the command line."""
import json

import pytest


def shown(nfo, kind, name):
    return json.loads(nfo(kind, "show", name, "--output", "json").out)


def test_a_user_a_group_and_a_role(nfo):
    nfo("user", "put", "ann", "--full-name", "Ann Example", "--uid", "4711")
    nfo("user", "put", "bob")
    nfo("group", "put", "devs", "--member", "ann", "--member", "bob")
    nfo("role", "put", "web-devs", "--role", "developer", "--in", "web",
        "--in", "api", "--member", "group/devs", "--member", "user/ann")
    assert shown(nfo, "user", "ann")["uid"] == 4711
    assert shown(nfo, "group", "devs")["members"] == ["ann", "bob"]
    role = shown(nfo, "role", "web-devs")
    assert role["role"] == "developer" and role["projects"] == ["web", "api"]
    assert role["members"] == ["group/devs", "user/ann"]
    listed = nfo("user", "list").out.splitlines()
    assert listed[0].split()[:2] == ["NAME", "full_name"] and len(listed) == 3
    assert "web,api" in nfo("role", "list").out
    nfo("role", "rm", "web-devs")
    assert "no such role" in nfo("role", "show", "web-devs", code=2).err


def test_what_put_does_not_name_stays(nfo):
    nfo("user", "put", "ann", "--full-name", "Ann", "--email", "a@example.com")
    nfo("user", "put", "ann", "--disabled", "true")
    ann = shown(nfo, "user", "ann")
    assert ann["full_name"] == "Ann" and ann["email"] == "a@example.com"
    assert ann["disabled"] is True
    nfo("user", "put", "ann", "--disabled", "false", "--full-name", "")
    ann = shown(nfo, "user", "ann")
    assert ann["disabled"] is False and ann["full_name"] == ""
    nfo("group", "put", "devs", "--member", "ann")
    nfo("group", "put", "devs", "--description", "all of them")
    assert shown(nfo, "group", "devs")["members"] == ["ann"]
    path = nfo.write("devs.json", '{"members": []}')
    nfo("group", "put", "devs", "--data", path)
    assert "description" not in shown(nfo, "group", "devs")
    nfo("group", "put", "devs", "--data", "-", stdin='{"members": ["ann"]}')
    assert shown(nfo, "group", "devs")["members"] == ["ann"]


def test_a_project(nfo):
    nfo("project", "put", "web", "--max-running", "2", "--paused", "true")
    assert "paused: true" in nfo("project", "show", "web").out
    nfo("project", "put", "web", "--paused", "false")
    web = shown(nfo, "project", "web")
    assert web["max_running"] == 2 and web["paused"] is False
    nfo("project", "rm", "web")


@pytest.mark.parametrize("args, says", (
    (("user", "put", "ann", "--uid", "many"), "uid"),
    (("user", "put", "Bad!"), "name"),
    (("user", "put", "ann", "--disabled", "maybe"), "disabled"),
    (("role", "put", "r", "--member", "user/x"), "role"),
    (("group", "put", "g", "--member", "nobody"), "nobody"),
    (("user", "rm", "nobody"), "no such user"),
    (("user", "put"), "usage"), (("role", "list", "x"), "usage"),
    (("project", "put", "p", "--data", "/nowhere"), "/nowhere")), ids=str)
def test_what_is_wrong_is_said(nfo, args, says):
    assert says in nfo(*args, code=2).err
