# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a request to an answer: namespaces, mounts, who asks and what may be
asked, wrapping.  It knows nothing of sockets."""
import json
import threading
import time
import uuid
from dataclasses import dataclass, field

from . import engines, jwt, kv, logins, policy, system
from .answers import (DENIED, Answer, Refusal, dumps, duration, envelope,
                      errors, listed, random_id)
from .backend import METHODS
from .tokens import Store, wrapped

# Asked about itself a token is looked at in its own namespace.
SELF = {f"auth/token/{verb}-self" for verb in ("lookup", "renew", "revoke")}
LARGEST = 32 << 20
BACKENDS = {"kv": kv.make, "cubbyhole": kv.Cubbyhole,
            "database": engines.Database, "pki": engines.Pki,
            "ssh": engines.Ssh, "transit": engines.Transit}
LOGINS = {"approle": logins.AppRole, "jwt": jwt.Jwt, "oidc": jwt.Jwt,
          "kubernetes": jwt.Kubernetes, "cert": logins.Cert,
          "token": logins.TokenRoutes}


@dataclass
class Mount:
    path: str             # with / at the end
    type: str
    description: str = ""
    options: dict | None = None
    config: dict = field(default_factory=dict)
    accessor: str = ""
    uuid: str = ""
    backend: object = None


class Namespace:
    def __init__(self, core, path, id_="root"):
        self.core, self.path, self.id = core, path, id_
        self.mounts, self.policies = {}, {"default": policy.DEFAULT}
        self.uuid = str(uuid.uuid4())
        self.mount("sys/", "system", system.System)
        self.mount("auth/token/", "token", LOGINS["token"])
        self.mount("cubbyhole/", "cubbyhole", BACKENDS["cubbyhole"])

    def mount(self, path, type_, make, **more):
        name = type_ if not path.startswith("auth/") else f"auth_{type_}"
        it = Mount(path, type_, accessor=f"{name}_{random_id(8).lower()}",
                   uuid=str(uuid.uuid4()), **more)
        it.backend = make(self.core, self, it)
        self.mounts[path] = it
        return it

    def route(self, path):
        """The mount of a path, with the longest name."""
        found = [m for p, m in self.mounts.items()
                 if path.startswith(p) or path + "/" == p]
        return max(found, key=lambda m: len(m.path), default=None)


class Core:
    """One server's whole state, behind one lock."""

    def __init__(self, root_token="root", version="2.4.0"):
        self.lock = threading.RLock()
        self.offset = 0.0
        self.version = version
        self.sealed, self.leader = False, None  # leader: as .standby() says
        self.standing_by = False
        self.unseal_key = random_id(44)
        self.cluster = (f"vault-cluster-{random_id(8).lower()}",
                        str(uuid.uuid4()))
        self.store = Store(self.now)
        self.namespaces = {"": Namespace(self, "")}
        self.root = self.store.make(["root"], "auth/token/create",
                                    id_=root_token, default=False,
                                    display_name="root", ns=self.ns())
        self.root_token = root_token
        self.lazy = False  # leases are revoked later unless asked, as Vault
        self.make_user = engines.make_user
        self.audit = []

    def ns(self, path=""):
        return self.namespaces[path]

    def now(self):
        return time.time() + self.offset

    # --- one request

    def answer(self, request):
        """(status, headers, body) of a request."""
        with self.lock:
            self.store.sweep()
            headers = {"Cache-Control": "no-store",
                       "Content-Type": "application/json"}
            asked_ns = request.headers.get("X-Vault-Namespace")
            if asked_ns:
                headers["X-Vault-Namespace"] = asked_ns
            try:
                answer = self.handle(request)
            except Refusal as no:
                body = dumps(envelope(no.answer)).rstrip() if no.answer \
                    else errors(*no.errors)
                return no.status, {**headers, **no.headers}, body
            finally:
                if request.login:
                    self.store.used(request.login)
            if answer is None:
                return 204, headers, b""
            body = answer.body
            if body is None:
                body = dumps(envelope(answer))
            return answer.status, {**headers, **answer.headers}, body

    def handle(self, request):
        if len(request.body) > LARGEST:
            raise Refusal(413, "http: request body too large")
        self.enter(request)
        request.mount = request.ns.route(request.path)
        open_ = system.answer_open(self, request)
        if open_ is not None:
            return open_
        if self.sealed:
            raise Refusal(503, "Vault is sealed")
        if self.standing_by:
            self.refer(request)
        self.parse(request)
        if request.method not in METHODS:
            raise Refusal(405)
        unauthenticated = request.mount is not None and \
            request.mount.backend.is_open(self.below(request))
        if not unauthenticated or request.path.startswith("sys/wrapping/"):
            self.admit(request)
        if request.mount is None:
            raise Refusal(404, f'no handler for route "{request.path}". '
                          "route entry not found.")
        request.rest = self.below(request)
        ttl = duration(request.headers.get("X-Vault-Wrap-TTL"))
        answer = request.mount.backend(request)
        if answer and ttl > 0 and not request.path.startswith("sys/wrapping/"):
            it = self.store.wrap(ttl, request.path, answer)
            return Answer(body=wrapped(it))
        return answer

    @staticmethod
    def below(request):
        return request.path[len(request.mount.path):]

    def enter(self, request):
        """The namespace, by header and by the head of the path."""
        name = (request.headers.get("X-Vault-Namespace") or "").strip("/")
        path = name + "/" if name else ""
        if path not in self.namespaces:
            raise Refusal(404, "namespace not found")
        inner = max((n for n in self.namespaces
                     if n.startswith(path)
                     and (path + request.path).startswith(n)), key=len)
        request.path = request.path[len(inner) - len(path):]
        request.ns = self.namespaces[inner]

    def refer(self, request):
        if not self.leader:
            raise Refusal(500, "local node not active but active cluster node "
                          "not found")
        raise Refusal(307, answer=None, headers={
            "Location": f"{self.leader}/v1/{request.path}"})

    def parse(self, request):
        listing = request.query.get("list", [""])[0]
        if request.method == "GET" and listing:
            if listing in ("1", "t", "T", "TRUE", "true", "True"):
                request.method = "LIST"
            elif listing not in ("0", "f", "F", "FALSE", "false", "False"):
                raise Refusal(400)
        kind = request.headers.get("Content-Type")
        if request.method == "PATCH" and not kind:
            raise Refusal(400, "mime: no media type")
        if request.method == "PATCH" and \
                kind != "application/merge-patch+json":
            raise Refusal(415)
        if request.method in ("GET", "HEAD", "LIST", "DELETE"):
            request.data = {k: v[0] for k, v in request.query.items()}
            return
        try:
            request.data = json.loads(request.body or b"{}")
            assert isinstance(request.data, dict)
        except (ValueError, AssertionError):
            raise Refusal(400, "error parsing JSON") from None

    # --- who asks

    def admit(self, request):
        token = self.store.find(request.token) if request.token else None
        wrap = self.store.wraps.get(request.token)
        if wrap and request.path in ("sys/wrapping/unwrap",
                                     "sys/wrapping/lookup"):
            request.data.setdefault("token", request.token)
            return
        if request.path == "sys/wrapping/lookup" and not token:
            return
        if request.path == "sys/wrapping/unwrap" and not token:
            raise Refusal(400, "wrapping token is not valid or does not exist")
        if token and request.path in SELF:
            request.ns = token.ns
            request.mount = request.ns.route(request.path)
        if not token:
            raise Refusal(403, DENIED)
        if not request.ns.path.startswith(token.ns.path):
            raise Refusal(403, listed(DENIED))
        request.login = token
        self.store.use(token)
        if not request.path.startswith("sys/internal/ui/mounts/") and \
                not self.allowed(request, token):
            raise Refusal(403, listed(DENIED))

    def rules(self, token):
        texts = [token.ns.policies.get(p, "") for p in token.policies]
        return policy.rules_of(texts, token.entity)

    def capabilities(self, token, path, ns=None):
        if token.policies == ["root"]:
            return {"root"}
        if ns is not None and ns is not token.ns:
            path = ns.path[len(token.ns.path):] + path
        return policy.capabilities(self.rules(token), path)

    def allowed(self, request, token):
        got = self.capabilities(token, request.path, request.ns)
        if "root" in got:
            return True
        if request.method == "LIST" and not request.path.endswith("/"):
            got = got or self.capabilities(token, request.path + "/",
                                           request.ns)
        if policy.ROOT_PATHS.fullmatch(request.path) and "sudo" not in got:
            return False
        want = METHODS[request.method]
        if want == "update" and request.mount is not None and \
                not request.mount.backend.exists(self.below(request), token):
            want = "create"
        return want in got and "deny" not in got

