# SPDX-License-Identifier: AGPL-3.0-or-later
"""sys/: health, seal, leases, wrapping, mounts, policies, capabilities."""
from . import policy
from .answers import (Answer, Refusal, dumps, duration,
                      listed, random_id, stamp)
from .backend import Backend, route
from .tokens import wrapped


def plain(value, status=200):
    return Answer(body=dumps(value), status=status)


def answer_open(core, request):
    """What also answers while the server is sealed; None if it is not that."""
    table = {"sys/health": ("GET HEAD", health),
             "sys/seal-status": ("GET", seal_status),
             "sys/leader": ("GET", leader),
             "sys/init": ("GET", initialised),
             "sys/unseal": ("PUT POST", unseal)}
    if request.path not in table:
        return None
    methods, handler = table[request.path]
    if request.method not in methods.split():
        raise Refusal(405)
    return handler(core, request)


def health(core, request):
    def code(name, default):
        try:
            return int(request.query.get(name, [default])[0])
        except ValueError:
            raise Refusal(400) from None

    if request.headers.get("X-Vault-Namespace"):
        raise Refusal(400, "operation unavailable in namespaces")
    status = code("activecode", 200)
    if core.sealed:
        status = code("sealedcode", 503)
    elif core.standing_by and "standbyok" not in request.query:
        status = code("standbycode", 429)
    said = {"initialized": True, "sealed": core.sealed,
            "standby": core.sealed or core.standing_by,
            "performance_standby": False,
            "replication_performance_mode": "unknown" if core.sealed
            else "disabled",
            "replication_dr_mode": "unknown" if core.sealed else "disabled",
            "server_time_utc": int(core.now()), "version": core.version}
    if not core.sealed:
        said["cluster_name"], said["cluster_id"] = core.cluster
    answer = plain(said, status)
    if request.method == "HEAD":
        answer.body = b""
    return answer


def seal_status(core, request=None):
    said = {"type": "shamir", "initialized": True, "sealed": core.sealed,
            "t": 1, "n": 1, "progress": 0, "nonce": "",
            "version": core.version, "build_date": "", "migration": False}
    if not core.sealed:
        said["cluster_name"], said["cluster_id"] = core.cluster
    return plain({**said, "recovery_seal": False, "storage_type": "inmem"})


def leader(core, request):
    return plain({"ha_enabled": core.standing_by,
                  "is_self": False,
                  "active_time": "0001-01-01T00:00:00Z",
                  "leader_address": core.leader or "",
                  "leader_cluster_address": ""})


def initialised(core, request):
    return plain({"initialized": True})


def unseal(core, request):
    core.parse(request)
    if request.data.get("reset"):
        return seal_status(core)
    key = request.data.get("key")
    if not key:
        raise Refusal(400, "'key' must be specified in request body as JSON, "
                      "or 'reset' set to true")
    if len(key) < 22:
        raise Refusal(400, "invalid key: key is shorter than minimum 16 bytes")
    if key != core.unseal_key:
        raise Refusal(400, "failed to decrypt keyring: cipher: message "
                      "authentication failed")
    core.sealed = False
    return seal_status(core)


class System(Backend):
    open = ("internal/ui/mounts", "wrapping/.*", "health")
    routes = (
        route("wrapping/wrap", update="wrap"),
        route("wrapping/lookup", update="lookup", read="lookup"),
        route("wrapping/unwrap", update="unwrap"),
        route("wrapping/rewrap", update="rewrap"),
        route("leases/renew(/(?P<id>.+))?", update="renew"),
        route("renew(/(?P<id>.+))?", update="renew"),
        route("leases/revoke(/(?P<id>.+))?", update="revoke"),
        route("revoke(/(?P<id>.+))?", update="revoke"),
        route("leases/lookup", update="lease"),
        route("leases/lookup/(?P<prefix>.*)", list="lease_list"),
        route("leases/revoke-(prefix|force)/(?P<prefix>.+)",
              update="revoke_prefix"),
        route("capabilities-self", update="capabilities_self"),
        route("capabilities", update="capabilities"),
        route("mounts", read="mounts"),
        route("mounts/(?P<path>.+?)/?", read="mount_read",
              update="mount_write", delete="mount_delete"),
        route("auth", read="auths"),
        route("auth/(?P<path>.+?)/?", read="auth_read", update="auth_write",
              delete="auth_delete"),
        route("polic(y|ies/acl)", read="policies", list="policies"),
        route("polic(y|ies/acl)/(?P<name>[^/]+)", read="policy_read",
              update="policy_write", delete="policy_delete"),
        route("internal/ui/mounts/(?P<path>.+)", read="ui_mount"),
        route("namespaces", list="namespaces"),
        route("namespaces/(?P<path>.+?)/?", read="namespace_read",
              update="namespace_write", delete="namespace_delete"),
        route("seal", update="seal"),
        route("step-down", update="step_down"))

    # --- wrapped answers

    def wrap(self, request):
        ttl = duration(request.headers.get("X-Vault-Wrap-TTL"))
        if ttl <= 0:
            raise Refusal(400, "endpoint requires response wrapping to be "
                          "used")
        it = self.store.wrap(ttl, request.path, Answer(request.data))
        return Answer(body=wrapped(it))

    def lookup(self, request):
        it = self.store.unwrap(request.data.get("token", ""), keep=True)
        return Answer({"creation_path": it.path, "creation_ttl": it.ttl,
                       "creation_time": stamp(it.created)})

    def unwrap(self, request):
        it = self.store.unwrap(request.data.get("token", ""))
        if it.status == 204:
            return None
        return Answer(body=it.body.rstrip(b"\n"), status=it.status)

    def rewrap(self, request):
        it = self.store.unwrap(request.data.get("token", ""))
        new = self.store.wrap(it.ttl, it.path, None, body=it.body)
        return Answer(body=wrapped(new))

    # --- leases

    def named(self, request, id):
        return id or request.data.get("lease_id") or \
            request.data.get("url_lease_id") or ""

    def renew(self, request, id):
        id = self.named(request, id)
        if not id:
            raise Refusal(400, "lease_id must be specified")
        lease = self.store.leases.get(id)
        if not lease:
            raise Refusal(400, "lease not found")
        warnings = self.store.renew_lease(
            lease, duration(request.data.get("increment")))
        return Answer(lease=lease, warnings=warnings)

    def revoke(self, request, id):
        id = self.named(request, id)
        if not id:
            raise Refusal(400, "lease_id must be specified")
        lease = self.store.leases.get(id)
        if lease:
            self.store.end(lease)
        # OpenBao does it at once unless asked not to, Vault when asked to.
        if request.data.get("sync", not self.core.lazy) in (False, "false"):
            return Answer(body=b"", status=202)
        return None

    def revoke_prefix(self, request, prefix):
        for lease in [x for x in self.store.leases.values()
                      if x.id.startswith(prefix)]:
            self.store.end(lease)

    def lease(self, request):
        lease = self.store.leases.get(request.data.get("lease_id", ""))
        if not lease:
            raise Refusal(400, "invalid lease")
        return Answer({
            "id": lease.id, "issue_time": stamp(lease.issued),
            "expire_time": stamp(lease.expires), "ttl": lease.ttl,
            "last_renewal": stamp(lease.renewed) if lease.renewed else None,
            "renewable": lease.renewable})

    def lease_list(self, request, prefix):
        from .kv import keys
        return keys(self.store.leases, prefix)

    # --- who may what

    def capabilities_self(self, request, token=None):
        paths = request.data.get("paths") or request.data.get("path") or []
        paths = [paths] if isinstance(paths, str) else paths
        if not paths:
            raise Refusal(400, "paths must be supplied")
        found = {}
        for path in paths:
            got = self.core.capabilities(token or request.login,
                                         path.lstrip("/"), self.ns)
            found[path] = policy.shown(got)
        return Answer({**found, "capabilities": found[paths[-1]]}
                      if len(paths) == 1 else found, top=True)

    def capabilities(self, request):
        token = self.store.find(request.data.get("token", ""))
        if not token:
            raise Refusal(400, "invalid token")
        return self.capabilities_self(request, token)

    # --- mounts of engines and logins

    def shown(self, mount):
        return {"accessor": mount.accessor, "config": {
            "default_lease_ttl": duration(mount.config.get(
                "default_lease_ttl")), "force_no_cache": False,
            "max_lease_ttl": duration(mount.config.get("max_lease_ttl"))},
            "deprecation_status": "supported",
            "description": mount.description,
            "external_entropy_access": False, "local": False,
            "options": mount.options, "plugin_version": "",
            "running_plugin_version": f"v{self.core.version}+builtin.bao",
            "running_sha256": "", "seal_wrap": False, "type": mount.type,
            "uuid": mount.uuid}

    def mounts(self, request):
        return Answer({p: self.shown(m) for p, m in self.ns.mounts.items()
                       if not p.startswith("auth/")}, top=True)

    def mount_read(self, request, path):
        if path + "/" not in self.ns.mounts:
            raise Refusal(400, f"No secret engine mount at {path}/")
        return Answer(self.shown(self.ns.mounts[path + "/"]), top=True)

    def mount_write(self, request, path, where="", table=None):
        from .core import BACKENDS
        path, type_ = f"{where}{path}/", request.data.get("type", "")
        table = table or BACKENDS
        options = request.data.get("options")
        if type_ == "kv-v2":
            type_, options = "kv", {"version": "2"}
        if not type_:
            raise Refusal(400, "backend type must be specified as a string")
        if path in self.ns.mounts:
            raise Refusal(400, f"path is already in use at {path}")
        if type_ not in table:
            raise Refusal(400, f"plugin not found in the catalog: {type_}")
        self.ns.mount(path, type_, table[type_],
                      description=request.data.get("description", ""),
                      options=options,
                      config=request.data.get("config") or {})

    def mount_delete(self, request, path):
        self.ns.mounts.pop(path + "/", None)

    def auths(self, request):
        return Answer({p.removeprefix("auth/"): self.shown(m)
                       for p, m in self.ns.mounts.items()
                       if p.startswith("auth/")}, top=True)

    def auth_read(self, request, path):
        if f"auth/{path}/" not in self.ns.mounts:
            raise Refusal(400, f"No auth engine at {path}/")
        return Answer(self.shown(self.ns.mounts[f"auth/{path}/"]), top=True)

    def auth_write(self, request, path):
        from .core import LOGINS
        self.mount_write(request, path, "auth/", LOGINS)

    def auth_delete(self, request, path):
        self.mount_delete(request, f"auth/{path}")

    def ui_mount(self, request, path):
        mount = self.ns.route(path)
        if mount is None or not self.sees(request.login, mount):
            raise Refusal(403, listed("preflight capability check returned "
                          "403, please ensure client's policies grant access "
                          f'to path "{path}/"').strip("\n").replace(
                              "1 error occurred:\n\t* ", ""))
        return Answer({**self.shown(mount), "path": mount.path})

    def sees(self, token, mount):
        if token.policies == ["root"]:
            return True
        return any(p.startswith(mount.path) or
                   (p.endswith("*") and mount.path.startswith(p[:-1]))
                   for p, c in self.core.rules(token).items() if "deny" not in c)

    # --- policies

    def policies(self, request):
        names = sorted([*self.ns.policies, "root"])
        return Answer({"keys": names, "policies": names}, top=True)

    def policy_read(self, request, name):
        if name not in self.ns.policies:
            raise Refusal(404)
        return Answer({"name": name, "policy": self.ns.policies[name]})

    def policy_write(self, request, name):
        text = request.data.get("policy", "")
        policy.parse(text)
        if name == "root":
            raise Refusal(400, 'cannot update "root" policy')
        self.ns.policies[name] = text

    def policy_delete(self, request, name):
        self.ns.policies.pop(name, None)

    # --- namespaces

    def namespace(self, path):
        ns = self.core.namespaces.get(f"{self.ns.path}{path}/")
        if not ns:
            raise Refusal(404)
        return Answer({"custom_metadata": {}, "id": ns.id, "locked": False,
                       "path": ns.path, "tainted": False, "uuid": ns.uuid})

    def namespace_read(self, request, path):
        return self.namespace(path)

    def namespace_write(self, request, path):
        from .core import Namespace
        full = f"{self.ns.path}{path}/"
        if full not in self.core.namespaces:
            self.core.namespaces[full] = Namespace(self.core, full,
                                                   random_id(6))
        return self.namespace(path)

    def namespace_delete(self, request, path):
        self.core.namespaces.pop(f"{self.ns.path}{path}/", None)

    def namespaces(self, request):
        from .kv import keys
        mine = self.ns.path
        return keys([p[len(mine):] for p in self.core.namespaces
                     if p.startswith(mine) and p != mine], "")

    # --- the server itself

    def seal(self, request):
        self.core.sealed = True

    def step_down(self, request):
        self.core.standing_by = True
