# SPDX-License-Identifier: AGPL-3.0-or-later
"""auth/: tokens, AppRole, TLS certificates; jwt.py has the ones with a JWT."""
import uuid

from .answers import (DEFAULT_TTL, MAX_TTL, Answer, Refusal, duration, stamp,
                      strings)
from .backend import Backend, Roles, route


class Login(Roles):
    """A method with roles, whose login makes a token by the role."""

    def issue(self, role, *, alias=None, metadata=None, display=None):
        ttl = duration(role.get("token_ttl") or role.get("ttl"))
        max_ttl = duration(role.get("token_max_ttl") or role.get("max_ttl"))
        period = duration(role.get("token_period") or role.get("period"))
        kind = role.get("token_type") or "default"
        kind = "batch" if kind in ("batch", "default-batch") else "service"
        ttl = min(period or ttl or DEFAULT_TTL, max_ttl or MAX_TTL)
        policies = strings(role.get("token_policies") or role.get("policies"))
        token = self.store.make(
            policies, f"{self.mount.path}login", ttl=ttl, max_ttl=max_ttl,
            period=period, kind=kind, meta=metadata or None, ns=self.ns,
            num_uses=int(role.get("token_num_uses") or 0),
            default=not role.get("token_no_default_policy"),
            explicit_max_ttl=duration(role.get("token_explicit_max_ttl")),
            display_name=self.mount.path.removeprefix("auth/").rstrip("/")
            + (f"-{display}" if display else ""),
            entity=self.store.entity(self.mount, alias, metadata)
            if alias else None)
        return Answer(auth=self.store.auth(token))


class TokenRoutes(Backend):
    routes = (
        route("create", update="create"),
        route("create-orphan", update="create_orphan"),
        route("lookup-self", read="lookup_self", update="lookup_self"),
        route("lookup", update="lookup"),
        route("renew-self", update="renew_self"),
        route("renew", update="renew"),
        route("revoke-self", update="revoke_self"),
        route("revoke", update="revoke"),
        route("(?P<by>lookup|revoke)-accessor", update="by_accessor"),
        route("accessors/?", list="accessors"))

    def create(self, request, orphan=False):
        data, me = request.data, request.login
        ttl = duration(data.get("ttl"))
        policies = strings(data.get("policies")) or list(me.policies)
        warnings = [f'Policy "{p}" does not exist' for p in policies
                    if p not in self.ns.policies and p != "root"]
        if me.policies != ["root"] and set(policies) - set(me.policies):
            raise Refusal(400, "child policies must be subset of parent")
        kind = data.get("type") or "service"
        root = "root" in policies
        token = self.store.make(
            policies, "auth/token/create", kind=kind, ns=self.ns,
            ttl=ttl or (0 if root else DEFAULT_TTL), meta=data.get("meta"),
            default=not data.get("no_default_policy") and not root,
            num_uses=int(data.get("num_uses") or 0), id_=data.get("id"),
            renewable=data.get("renewable", True) and kind == "service",
            period=duration(data.get("period")),
            explicit_max_ttl=duration(data.get("explicit_max_ttl")),
            orphan=orphan or bool(data.get("no_parent")),
            parent=None if orphan or data.get("no_parent") else me,
            display_name="token" + (f"-{data['display_name']}"
                                    if data.get("display_name") else ""))
        return Answer(auth=self.store.auth(token), warnings=warnings)

    def create_orphan(self, request):
        return self.create(request, orphan=True)

    def lookup_self(self, request):
        return Answer(self.store.shown(request.login))

    def other(self, request):
        token = self.store.find(request.data.get("token", ""))
        if not token:
            raise Refusal(403, "bad token")
        return token

    def lookup(self, request):
        return Answer(self.store.shown(self.other(request)))

    def renewed(self, request, token):
        warnings = self.store.renew(token,
                                    duration(request.data.get("increment")))
        return Answer(auth=self.store.auth(token), warnings=warnings)

    def renew_self(self, request):
        return self.renewed(request, request.login)

    def renew(self, request):
        token = self.store.find(request.data.get("token", ""))
        if not token:
            raise Refusal(400, "token not found")
        return self.renewed(request, token)

    def revoke_self(self, request):
        if request.login.kind == "batch":
            raise Refusal(400, "batch tokens cannot be revoked")
        self.store.revoke(request.login)

    def revoke(self, request):
        token = self.store.find(request.data.get("token", ""))
        if token:
            self.store.revoke(token)

    def by_accessor(self, request, by):
        wanted = request.data.get("accessor")
        for token in list(self.store.tokens.values()):
            if wanted and token.accessor == wanted:
                if by == "revoke":
                    return self.store.revoke(token)
                return Answer({**self.store.shown(token), "id": ""})
        raise Refusal(403, "invalid accessor")

    def accessors(self, request):
        return Answer({"keys": sorted(t.accessor for t in
                                      self.store.tokens.values())})


class AppRole(Login):
    open = ("login",)
    routes = (
        route("login", update="login"),
        route("role", list="role_list"),
        route("role/(?P<name>[^/]+)", read="role_read", update="role_write",
              delete="role_delete"),
        route("role/(?P<name>[^/]+)/role-id", read="role_id",
              update="role_id_set"),
        route("role/(?P<name>[^/]+)/(?P<custom>custom-)?secret-id",
              update="secret_id"),
        route("role/(?P<name>[^/]+)/secret-id/(?P<verb>lookup|destroy)",
              update="secret_id_verb"))
    WRONG = "invalid role or secret ID"
    defaults = {"bind_secret_id": True, "local_secret_ids": False,
                "secret_id_bound_cidrs": None, "secret_id_num_uses": 0,
                "secret_id_ttl": 0, "token_bound_cidrs": [],
                "token_explicit_max_ttl": 0, "token_max_ttl": 0,
                "token_no_default_policy": False, "token_num_uses": 0,
                "token_period": 0, "token_policies": [],
                "token_strictly_bind_ip": False, "token_ttl": 0,
                "token_type": "default"}

    def __init__(self, core, ns, mount):
        super().__init__(core, ns, mount)
        self.ids, self.secret_ids = {}, {}

    def role_write(self, request, name):
        super().role_write(request, name)
        role = self.roles[name]
        for key in role:
            if key.endswith("ttl") or key == "token_period":
                role[key] = duration(role[key])
        role["token_policies"] = strings(role.pop("policies", None)
                                         or role["token_policies"])
        self.ids.setdefault(name, str(uuid.uuid4()))

    def role_id(self, request, name):
        self.role(name)
        return Answer({"role_id": self.ids[name]})

    def role_id_set(self, request, name):
        self.role(name)
        self.ids[name] = request.want("role_id")

    def secret_id(self, request, name, custom):
        role = self.role(name)
        ttl = duration(request.data.get("ttl"), role["secret_id_ttl"])
        uses = int(request.data.get("num_uses") or role["secret_id_num_uses"])
        value = request.want("secret_id") if custom else str(uuid.uuid4())
        it = {"role": name, "uses": uses, "left": uses, "ttl": ttl,
              "created": self.core.now(), "accessor": str(uuid.uuid4())}
        self.secret_ids[value] = it
        return Answer({"secret_id": value, "secret_id_ttl": ttl,
                       "secret_id_accessor": it["accessor"],
                       "secret_id_num_uses": uses})

    def known(self, value, role):
        it = self.secret_ids.get(value)
        if it and it["ttl"] and it["created"] + it["ttl"] <= self.core.now():
            del self.secret_ids[value]
            return None
        return it if it and it["role"] == role else None

    def secret_id_verb(self, request, name, verb):
        value = request.want("secret_id")
        it = self.known(value, name)
        if verb == "destroy":
            self.secret_ids.pop(value, None)
            return None
        if not it:
            return None
        ends = it["created"] + it["ttl"]
        return Answer({"secret_id_accessor": it["accessor"],
                       "secret_id_num_uses": it["left"],
                       "secret_id_ttl": it["ttl"], "metadata": {},
                       "cidr_list": [], "token_bound_cidrs": [],
                       "creation_time": stamp(it["created"]),
                       "last_updated_time": stamp(it["created"]),
                       "expiration_time": stamp(ends) if it["ttl"]
                       else "0001-01-01T00:00:00Z"})

    def login(self, request):
        role_id = request.data.get("role_id")
        if not role_id:
            raise Refusal(500, "missing role_id")  # as the real one says it
        name = next((n for n, i in self.ids.items() if i == role_id
                     and n in self.roles), None)
        if name is None:
            raise Refusal(400, self.WRONG)
        role = self.roles[name]
        if role["bind_secret_id"]:
            value = request.data.get("secret_id")
            if not value:
                raise Refusal(400, "missing secret_id")
            it = self.known(value, name)
            if not it:
                raise Refusal(400, self.WRONG)
            if it["uses"]:
                it["left"] -= 1
                if it["left"] == 0:
                    del self.secret_ids[value]
        return self.issue(role, alias=role_id, metadata={"role_name": name})


class Cert(Login):
    open = ("login",)
    routes = (
        route("login", update="login"),
        route("certs", list="role_list"),
        route("certs/(?P<name>[^/]+)", read="role_read", update="role_write",
              delete="role_delete"))

    def login(self, request):
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, padding
        if request.peer is None:
            raise Refusal(400, "client certificate must be supplied")
        peer = x509.load_der_x509_certificate(request.peer)
        cn = peer.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        cn = cn[0].value if cn else ""
        wanted = request.data.get("name")
        for name, role in self.roles.items():
            if wanted and name != wanted:
                continue
            allowed = strings(role.get("allowed_common_names"))
            if allowed and cn not in allowed:
                continue
            ca = x509.load_pem_x509_certificate(role["certificate"].encode())
            how = (ec.ECDSA(peer.signature_hash_algorithm),) \
                if isinstance(ca.public_key(), ec.EllipticCurvePublicKey) \
                else (padding.PKCS1v15(), peer.signature_hash_algorithm)
            try:
                ca.public_key().verify(peer.signature,
                                       peer.tbs_certificate_bytes, *how)
            except InvalidSignature:
                continue
            return self.issue(role, alias=cn, display=cn, metadata={
                "cert_name": name, "common_name": cn,
                "serial_number": str(peer.serial_number)})
        raise Refusal(400, "invalid certificate or no client certificate "
                      "supplied")
