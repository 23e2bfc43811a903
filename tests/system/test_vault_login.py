# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each way to log in to a Vault, the life of what it brings, and its end; and
that nothing of it is ever written anywhere."""
import base64
import json
import os
import pathlib
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, utils

KV = "kv"
READS = f'path "{KV}/data/*" {{ capabilities = ["read"] }}'
VALUE = "correct/horse+battery$staple"
POLICY = """policy: test
rules:
  - name: all
    projects: ["*"]
    submitters: ["*"]
    allow:
      profiles: [default]
      networks: [none]
      secrets: ["store:{project}/*", "vault:**"]
      deliver: [file, fd, stdin]
"""
JOB = """secrets:
  x: { vault: kv/app, field: token }
tasks:
  t:
    run: test "$(cat $NFO_SECRETS/x)" = 'correct/horse+battery$staple'
    secrets: [x]
"""


class Vaulted:
    """A server whose provider is the double; what must not be written."""

    def __init__(self, nfo, bao):
        self.nfo, self.bao, self.hidden = nfo, bao, set()
        bao.policy("jobs", READS)
        bao.kv(KV, "app", {"token": VALUE})
        nfo.write("policies/test.yaml", POLICY)

    def file(self, name, text, mode=0o600):
        """A file as something that rotates it would write it."""
        self.hide(text.strip())
        path = self.nfo.write(name + ".new", text)
        path.chmod(mode)
        path.rename(self.nfo.home / name)
        return str(self.nfo.home / name)

    def hide(self, *texts):
        self.hidden |= set(texts)

    def serve(self, **more):
        given = {"address": self.bao.address, "kv": {KV: "2"},
                 "timeout": "5s", **more}
        path = self.nfo.write("server.yaml",
                              json.dumps({"secret_providers": [given]}))
        self.nfo.serve("--policy", "policies", "--config", path)

    def run(self, state="succeeded"):
        run = self.nfo.run(JOB)
        assert run["state"] == state, self.told(run)
        return run

    def told(self, run):
        return json.dumps(self.nfo.fresh(run)) + \
            (self.nfo.home / "serve.err").read_text()

    def fails(self, *says):
        told = self.told(self.run("failed"))
        for text in says:
            assert text in told, told
        assert '"kind":"secret"' in told.replace(" ", ""), told

    def logins(self, mount):
        return self.bao.asked(f"POST auth/{mount}/login")

    def written_nowhere(self):
        """Neither what was given nor any token that was made of it."""
        for record in self.bao.requests:
            self.hide(record.token)
        self.hidden -= {"", self.bao.root_token}
        assert self.hidden
        for root, dirs, names in os.walk(self.nfo.state):
            for name in names:
                path = pathlib.Path(root) / name
                if path.is_file():
                    self.not_in(path.read_bytes(), path)
        self.not_in((self.nfo.home / "serve.err").read_bytes(), "stderr")
        for pid in self.nfo.processes():
            for name in ("environ", "cmdline"):
                try:
                    content = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
                except OSError:
                    continue
                self.not_in(content, f"{pid}/{name}")

    def not_in(self, content, where):
        for text in self.hidden:
            assert text.encode() not in content, (where, text)


@pytest.fixture
def vault(cold, bao):
    it = Vaulted(cold, bao)
    yield it
    if cold.processes():
        it.written_nowhere()


# --- JWTs of a key of our own

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key().public_bytes(
    ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(**claims):
    now = int(time.time())
    head = {"alg": "ES256", "typ": "JWT"}
    body = {"iss": "https://ci.example", "aud": "bao", "sub": "nfo",
            "iat": now, "exp": now + 600, **claims}
    text = ".".join(b64(json.dumps(x).encode()) for x in (head, body))
    r, s = utils.decode_dss_signature(
        KEY.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


# --- the methods

def test_approle(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id + "\n"))
    vault.run()
    vault.run()
    assert len(vault.logins("approle")) == 1  # one for all
    (login,) = vault.logins("approle")
    assert login.data == {"role_id": role_id, "secret_id": secret_id}
    assert not login.token and "secret" not in login.target


def test_approle_without_a_secret_id(vault):
    role_id, _ = vault.bao.approle("nfo", ["jobs"], bind_secret_id=True)
    vault.bao.must("POST", "auth/approle/role/nfo", {
        "token_policies": ["jobs"], "bind_secret_id": False})
    vault.hide("nothing-to-hide")
    vault.serve(auth="approle", role_id=role_id)
    vault.run()
    assert "secret_id" not in vault.logins("approle")[0].data


def test_approle_that_is_wrong_is_told_once(vault):
    role_id, _ = vault.bao.approle("nfo", ["jobs"])
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", "not-the-right-one"))
    vault.fails("invalid role or secret ID", "login")
    vault.fails("invalid role or secret ID")
    assert len(vault.logins("approle")) <= 2
    # the right one is put there: nothing has to be started anew
    _, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.file("sid", secret_id)

    def works():
        return vault.nfo.run(JOB)["state"] == "succeeded"
    vault.nfo.until(works)


def wrapped(vault, path="auth/approle/role/nfo/secret-id", body=None):
    answer = vault.bao.must("POST", path, body or {},
                            headers={"X-Vault-Wrap-TTL": "300"})
    return answer["wrap_info"]["token"]


def serve_wrapped(vault, token, **more):
    role_id, _ = vault.bao.approle("nfo", ["jobs"], **more)
    vault.serve(auth="approle", role_id=role_id, auth_role="nfo",
                secret_id_wrapped=True,
                secret_id_file=vault.file("sid", token))


def test_a_wrapped_secret_id_is_looked_at_then_opened_once(vault):
    vault.bao.approle("nfo", ["jobs"])
    token = wrapped(vault)
    serve_wrapped(vault, token)
    vault.run()
    names = [r.path for r in vault.bao.requests if r.path.startswith("sys/w")
             or r.path.endswith("login")]
    assert names == ["sys/wrapping/lookup", "sys/wrapping/unwrap",
                     "auth/approle/login"]
    vault.hide(vault.logins("approle")[0].data["secret_id"])
    # the token is revoked: a new login, with what was in the wrapping
    (alive,) = vault.bao.tokens
    vault.bao.must("POST", "auth/token/revoke", {"token": alive.id})
    vault.run()
    assert len(vault.bao.asked("POST sys/wrapping/unwrap")) == 1
    assert len(vault.logins("approle")) == 2


def test_a_wrapping_from_elsewhere_is_not_opened(vault):
    vault.bao.approle("nfo", ["jobs"])
    vault.bao.approle("other", ["jobs"])
    token = wrapped(vault, "auth/approle/role/other/secret-id")
    serve_wrapped(vault, token)
    vault.fails("auth/approle/role/other/secret-id", "somebody else's")
    assert not vault.bao.asked("POST sys/wrapping/unwrap")
    assert not vault.logins("approle")


def test_a_wrapping_that_was_opened_is_said_to_be(vault):
    vault.bao.approle("nfo", ["jobs"])
    token = wrapped(vault)
    vault.bao.must("POST", "sys/wrapping/unwrap", {"token": token})
    serve_wrapped(vault, token)
    vault.fails("was it used")
    assert not vault.bao.asked("POST sys/wrapping/unwrap")
    # a new one is taken as it is put there
    vault.file("sid", wrapped(vault))
    vault.nfo.until(lambda: vault.nfo.run(JOB)["state"] == "succeeded")


def test_an_unwrapping_without_an_answer_is_not_tried_again(vault):
    vault.bao.approle("nfo", ["jobs"])
    token = wrapped(vault)
    vault.bao.fault("POST sys/wrapping/unwrap", "lost")
    serve_wrapped(vault, token)
    vault.fails("put a new one")
    vault.fails("put a new one")
    assert len(vault.bao.asked("POST sys/wrapping/unwrap")) == 1


def test_a_login_without_an_answer_is_not_repeated_blindly(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"],
                                           secret_id_num_uses=1)
    vault.bao.fault("POST auth/approle/login", "lost", times=1)
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.nfo.run(JOB, wait=None)
    vault.bao.wait("POST auth/approle/login")
    vault.bao.clear()
    said = vault.nfo.home / "serve.err"
    vault.nfo.until(lambda: "used up" in said.read_text())


def jwt_role(vault, mount="jwt", **more):
    vault.bao.enable(f"auth/{mount}", "jwt")
    vault.bao.must("POST", f"auth/{mount}/config",
                   {"jwt_validation_pubkeys": [PUBLIC]})
    vault.bao.must("POST", f"auth/{mount}/role/nfo", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bao"],
        "token_policies": ["jobs"], **more})


def test_jwt_of_a_file_that_rotates(vault):
    jwt_role(vault, token_ttl="4s", token_max_ttl="4s")
    first = jwt(jti="1")
    vault.serve(auth="jwt", auth_role="nfo",
                jwt_file=vault.file("jwt", first, 0o644))
    vault.run()
    assert vault.logins("jwt")[0].data == {"role": "nfo", "jwt": first}
    second = jwt(jti="2")
    vault.file("jwt", second, 0o644)
    vault.bao.wait(("POST auth/jwt/login", 2))  # when the first nears its end
    assert vault.logins("jwt")[1].data["jwt"] == second
    vault.run()


def test_jwt_that_the_role_does_not_take(vault):
    jwt_role(vault, bound_claims={"team": "web"})
    vault.serve(auth="jwt", auth_role="nfo",
                jwt_file=vault.file("jwt", jwt(team="ops")))
    vault.fails("does not match any associated bound claim")


def test_what_is_no_jwt_is_not_sent(vault):
    jwt_role(vault)
    vault.serve(auth="jwt", auth_role="nfo",
                jwt_file=vault.file("jwt", "a.whole.other/file"))
    vault.fails("that is no JWT")
    assert not vault.logins("jwt")


def test_kubernetes(vault):
    vault.bao.enable("auth/kubernetes", "kubernetes")
    vault.bao.must("POST", "auth/kubernetes/config", {
        "kubernetes_host": "https://k8s.example", "pem_keys": [PUBLIC]})
    vault.bao.must("POST", "auth/kubernetes/role/nfo", {
        "bound_service_account_names": ["runner"],
        "bound_service_account_namespaces": ["ci"],
        "token_policies": ["jobs"]})
    account = {"namespace": "ci", "serviceaccount": {"name": "runner",
                                                     "uid": "u-1"}}
    vault.serve(auth="kubernetes", auth_role="nfo", jwt_file=vault.file(
        "jwt", jwt(**{"kubernetes.io": account}), 0o644))
    vault.run()


def test_certificate(cold, tls_bao):
    vault = Vaulted(cold, tls_bao)
    cert, key = tls_bao.client_pair("nfo")
    tls_bao.enable("auth/cert", "cert")
    tls_bao.must("POST", "auth/cert/certs/nfo", {
        "certificate": pathlib.Path(tls_bao.ca_file).read_text(),
        "allowed_common_names": ["nfo"], "token_policies": ["jobs"]})
    vault.hide(pathlib.Path(key).read_text().splitlines()[1])
    vault.serve(auth="cert", auth_role="nfo", client_cert=cert,
                client_key=key, ca_file=tls_bao.ca_file)
    vault.run()
    (login,) = vault.logins("cert")
    assert login.data == {"name": "nfo"} and login.peer
    vault.written_nowhere()


def test_a_second_factor_is_told(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.bao.fault("POST auth/approle/login", "replace", body=json.dumps({
        "auth": {"client_token": "", "mfa_requirement": {
            "mfa_request_id": "d0c9eec7", "mfa_constraints": {}}}}).encode())
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.fails("MFA")


# --- the life of a token

def test_it_is_renewed_and_never_made_anew(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"], token_ttl="3s")
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    vault.bao.wait(("POST auth/token/renew-self", 2))
    vault.run()
    assert len(vault.logins("approle")) == 1


def test_at_its_longest_life_there_is_another(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"], token_ttl="4s",
                                           token_max_ttl="6s")
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    vault.bao.wait(("POST auth/approle/login", 2))
    vault.run()
    assert len(vault.bao.asked("POST auth/token/renew-self")) < 4
    # the first one is not left behind
    vault.bao.wait("POST auth/token/revoke-self")


def test_one_that_was_revoked_is_noticed_once(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    (alive,) = vault.bao.tokens
    vault.bao.must("POST", "auth/token/revoke", {"token": alive.id})
    before = len(vault.bao.requests)
    vault.run()
    asked = [f"{r.method} {r.path}" for r in vault.bao.requests[before:]
             if r.path != "auth/token/revoke-self"]
    assert asked == ["GET kv/data/app", "GET auth/token/lookup-self",
                     "POST auth/approle/login", "GET kv/data/app"], asked


def test_a_path_that_is_not_allowed_is_no_storm(vault):
    vault.bao.policy("jobs", 'path "kv/data/other" { capabilities = '
                     '["read"] }')
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    for _ in range(3):
        vault.fails("permission denied")
    assert len(vault.logins("approle")) == 1
    assert len(vault.bao.asked("GET kv/data/app")) <= 6


def test_a_batch_token_is_replaced(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"], token_ttl="3s",
                                           token_type="batch")
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    vault.bao.wait(("POST auth/approle/login", 2))
    vault.run()
    assert not vault.bao.asked("POST auth/token/renew-self")
    vault.nfo.stop()
    assert not vault.bao.asked("POST auth/token/revoke-self")


def test_a_token_of_few_uses(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"], token_num_uses=2)
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    for _ in range(5):
        vault.run()
    assert len(vault.logins("approle")) == 3


def test_our_login_is_revoked_when_we_leave(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    assert len(vault.bao.tokens) == 1
    vault.nfo.stop()
    assert vault.bao.tokens == []


def test_a_token_that_was_given_stays(vault):
    token = vault.bao.token(["jobs"])
    vault.serve(auth="token", token_file=vault.file("token", token))
    vault.run()
    vault.nfo.stop()
    assert [t.id for t in vault.bao.tokens] == [token]
    assert not vault.bao.asked("POST auth/token/revoke-self")


def test_a_token_file_that_rotates(vault):
    first = vault.bao.token(["jobs"])
    vault.serve(auth="token", token_file=vault.file("token", first))
    vault.run()
    second = vault.bao.token(["jobs"])
    vault.file("token", second)
    vault.bao.must("POST", "auth/token/revoke", {"token": first})
    vault.run()
    assert vault.bao.asked("GET kv/data/app")[-1].token == second


def test_a_given_token_is_renewed_as_well(vault):
    token = vault.bao.token(["jobs"], ttl="3s")
    vault.serve(auth="token", token_file=vault.file("token", token))
    vault.run()
    vault.bao.wait(("POST auth/token/renew-self", 2))
    vault.run()


def test_answers_that_are_none(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    echo = {"auth": {"client_token": "a b c", "lease_duration": 3600}}
    vault.bao.fault("POST auth/approle/login", "replace",
                    body=json.dumps(echo).encode())
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.fails("can be none")


def test_an_error_that_echoes_the_request_is_masked(vault):
    role_id, _ = vault.bao.approle("nfo", ["jobs"])
    vault.bao.fault("POST auth/approle/login", "echo")
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", "wrong-but-secret-all-same"))
    vault.fails("login")


def test_all_who_come_at_once_share_one_login(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    slow = vault.bao.fault("POST auth/approle/login", "delay")
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    runs = [vault.nfo.run(JOB, wait=None) for _ in range(12)]
    vault.bao.wait("POST auth/approle/login")
    slow.clear()
    for run in runs:
        vault.nfo.until_state(run, "succeeded")
    assert len(vault.logins("approle")) == 1


def test_a_token_that_ended_while_it_was_sealed(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"], token_ttl="1h")
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    vault.bao.seal()
    run = vault.nfo.run(JOB, wait=None)
    vault.nfo.until_state(run, "blocked")
    vault.bao.advance(2 * 3600)
    vault.bao.unseal()
    vault.nfo.until_state(run, "succeeded")
    assert len(vault.logins("approle")) == 2


def test_a_new_keeper_logs_in_anew(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    keeper = vault.nfo.role("keeper")
    os.kill(keeper, 9)
    vault.nfo.until(lambda: vault.nfo.role("keeper") not in (0, keeper))
    vault.nfo.until(lambda: vault.nfo.get("/readyz").status == 200)
    vault.run()
    assert len(vault.logins("approle")) == 2
