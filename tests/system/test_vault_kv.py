# SPDX-License-Identifier: AGPL-3.0-or-later
"""Secrets of a KV engine: values, fields, what is gone, who is away, and servers
that answer what they should not."""
import pytest

from vaultkit import (KV, ONE, POLICY, READS, VALUE, everything, fails, job,
                      reads, serve, settings, succeeds)

# --- values

def test_a_field_is_a_file(vault):
    assert succeeds(vault, ONE, "wc -c < $x; stat -c %a $x") == [
        str(len(VALUE)), "400"]
    kept = everything(vault)
    assert VALUE.encode() not in kept and vault.token.encode() not in kept


def test_without_a_field_each_is_a_file_in_a_directory(vault):
    assert succeeds(vault, {"x": "{ vault: kv/app }"},
                    'ls $x; [ "$(cat $x/user)" = ann ]; wc -c < $x/token') == [
        "token", "user", str(len(VALUE))]


def test_it_is_masked_in_the_log(vault):
    log = " ".join(succeeds(vault, ONE, "cat $x; echo; base64 -w0 $x"))
    assert log.count("[REDACTED]") == 2 and "horse" not in log


def test_what_is_no_text_is_json(vault):
    vault.bao.kv(KV, "odd", {"n": 42, "real": 0.1, "on": True, "none": None,
                             "map": {"a": [1, "b"]}, "nul": "a\0b",
                             "utf8": "grüß", "empty": ""})
    sizes = succeeds(vault, {"x": "{ vault: kv/odd }"},
                     'cd $x; for f in *; do echo "$f:$(wc -c < $f)"; done')
    assert dict(x.split(":") for x in sizes) == {  # null is none
        "n": "2", "real": "3", "on": "4", "map": "13",
        "nul": "3", "utf8": "6", "empty": "0"}


def test_versions(vault):
    vault.bao.kv(KV, "app", {"token": "the second one"})
    assert succeeds(
        vault, {"a": "{ vault: kv/app, field: token, version: 1 }",
                "b": "{ vault: kv/app, field: token }"},
        "wc -c < $a; wc -c < $b") == [str(len(VALUE)), "14"]


def test_an_engine_of_version_1(cold, bao):
    bao.policy("jobs", 'path "old/*" { capabilities = ["read"] }')
    bao.kv("old", "app", {"token": VALUE}, version=1)
    serve(cold, bao)
    assert succeeds(cold, {"x": "{ vault: old/app, field: token }"},
                    "wc -c < $x") == [str(len(VALUE))]


def test_a_large_value(vault):
    vault.bao.kv(KV, "large", {"blob": "x1y2" * 50000})
    assert succeeds(vault, {"x": "{ vault: kv/large, field: blob }"},
                    "wc -c < $x") == ["200000"]


def test_the_mount_that_the_settings_name_is_not_asked_for(cold, bao):
    bao.policy("jobs", READS)
    bao.kv(KV, "app", {"token": VALUE})
    serve(cold, bao, kv={"kv": "2"})
    succeeds(cold, ONE, "true")
    assert [r for r in bao.requests
            if "mounts" in r.path and r.token == cold.token] == []


# --- what is not there

@pytest.mark.parametrize("secret, why", [
    ("{ vault: kv/other, field: token }", "kv/other: there is nothing"),
    ("{ vault: kv/app, field: nope }", 'no field "nope" (it has: token, user)'),
    ("{ vault: kv/app, field: token, version: 9 }", "there is nothing"),
    ("{ vault: sys/policy/jobs, field: token }", "is no KV engine"),
])
def test_what_is_not_there_is_said(vault, secret, why):
    assert why in fails(vault, secret)


def test_deleted_and_destroyed_are_told_apart(vault):
    bao = vault.bao
    bao.kv(KV, "app", {"token": "two"})
    bao.must("POST", "kv/delete/app", {"versions": [2]})
    bao.must("POST", "kv/destroy/app", {"versions": [1]})
    assert "version 2 was deleted" in fails(
        vault, "{ vault: kv/app, field: token }")
    assert "version 1 was destroyed" in fails(
        vault, "{ vault: kv/app, field: token, version: 1 }")


def test_denied(cold, bao):
    bao.policy("jobs", READS)
    bao.kv("closed", "app", {"token": VALUE})
    serve(cold, bao)
    assert "permission denied" in fails(
        cold, "{ vault: closed/app, field: token }")


def test_fields_that_cannot_be_files(vault):
    vault.bao.kv(KV, "names", {"a b": "1", "ok": "2"})
    assert "no name of a file" in fails(vault, "{ vault: kv/names }")
    assert succeeds(vault, {"x": '{ vault: kv/names, field: "a b" }'},
                    "wc -c < $x") == ["1"]


# --- the token

def test_a_token_that_is_replaced_is_read_anew(vault):
    bao = vault.bao
    one = job(ONE, "wc -c < $x")
    assert vault.run(one)["state"] == "succeeded"
    bao.must("POST", "auth/token/revoke", {"token": vault.token})
    vault.until(lambda: vault.run(one)["state"] == "failed")
    (vault.home / "token").write_text(bao.token(["jobs"]) + "\n")
    vault.until(lambda: vault.run(one)["state"] == "succeeded")


@pytest.mark.parametrize("mode, why", [(0o644, "others may read it"),
                                       (0o622, "others may change it")])
def test_a_token_that_others_have_is_not_used(vault, mode, why):
    (vault.home / "token").chmod(mode)
    assert why in fails(vault, "{ vault: kv/app, field: token }")


def test_a_link_is_no_token(vault):
    path = vault.home / "token"
    path.rename(vault.home / "real")
    path.symlink_to(vault.home / "real")
    assert "a link is not followed" in fails(
        vault, "{ vault: kv/app, field: token }")


# --- how often it is asked

def test_an_attempt_asks_once_for_all_fields(vault):
    vault.bao.kv(KV, "many", {f"f{i}": f"value number {i}" for i in range(5)})
    succeeds(vault, {f"x{i}": f"{{ vault: kv/many, field: f{i} }}"
                     for i in range(5)}, "true")
    assert len(reads(vault.bao, "kv/data/many")) == 1


def test_requests_are_as_vault_wants_them(vault):
    succeeds(vault, ONE, "true")
    (one,) = reads(vault.bao)
    headers = {k.lower(): v for k, v in one.headers.items()}
    assert headers["x-vault-request"] == "true"
    assert headers["x-vault-token"] == vault.token
    assert "accept-encoding" not in headers and "cookie" not in headers


# --- by another path

@pytest.mark.parametrize("known", (True, False))
def test_what_is_denied_is_not_had_by_the_path_below(cold, bao, known):
    """kv/data/app of kind read is kv/app, and a rule names only that."""
    bao.policy("jobs", READS)
    bao.kv(KV, "app", {"token": VALUE})
    path = settings(cold, bao, bao.token(["jobs"]),
                    **({"kv": {KV: "2"}} if known else {}))
    cold.write("policies/test.yaml", POLICY +
               '    deny: { secrets: ["vault:*:kv/app"] }\n')
    cold.serve("--policy", "policies", "--config", path)
    answer = cold.submit("nfo: 1\nname: test\n" + job(ONE, "cat $x"))
    assert answer.status == 403 and b"is denied" in answer.body, answer
    error = fails(cold, "{ vault: kv/data/app, kind: read }")
    assert "KV engine" in error, error
    assert bool(reads(bao)) != known
    # nor is it written to
    fails(cold, "{ vault: kv/data/app, kind: read, params: { data: x } }")
    assert not known or not reads(bao)
