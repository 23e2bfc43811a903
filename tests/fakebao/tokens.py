# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tokens, entities, leases and wrapped answers: what a clock runs out on."""
import base64
import uuid
from dataclasses import dataclass, field

from .answers import (DEFAULT_TTL, MAX_TTL, Answer, Refusal, dumps,
                      envelope, ordered, random_id, stamp)


@dataclass
class Alias:
    name: str
    metadata: dict


@dataclass
class Entity:
    id: str
    name: str
    metadata: dict = field(default_factory=dict)
    aliases: dict = field(default_factory=dict)  # by the mount's accessor


@dataclass
class Token:
    id: str
    policies: list
    path: str
    created: float
    ttl: int = 0          # 0: it does not end
    max_ttl: int = 0      # from its creation; 0: the server's
    explicit_max_ttl: int = 0
    period: int = 0
    num_uses: int = 0
    kind: str = "service"
    renewable: bool = True
    orphan: bool = True
    display_name: str = "token"
    meta: dict | None = None
    role: str | None = None
    accessor: str = ""
    entity: Entity | None = None
    parent: object = None
    ns: object = None
    expires: float = 0    # 0: never
    renewed: float = 0
    cubbyhole: dict = field(default_factory=dict)


@dataclass
class Lease:
    id: str
    path: str
    token: Token
    issued: float
    length: int           # of its last period, seconds
    max_ttl: int
    renewable: bool
    revoke: object        # called without arguments when it ends
    store: object
    expires: float = 0
    renewed: float = 0

    @property
    def ttl(self):
        return max(0, round(self.expires - self.store.now()))


@dataclass
class Wrapped:
    token: str
    accessor: str
    ttl: int
    created: float
    path: str
    body: bytes | None    # None: there was no content
    status: int
    inner: str | None     # accessor of a token inside


class Store:
    """All that a token can reach and that ends with it."""

    def __init__(self, now):
        self.now = now
        self.tokens, self.leases, self.wraps = {}, {}, {}
        self.entities = {}      # by (accessor of a mount, alias)
        self.revoked = []       # ids of leases that have ended, in order

    # --- tokens

    def make(self, policies, path, *, ttl=0, num_uses=0, kind="service",
             default=True, id_=None, **more):
        policies = sorted({*policies, *(["default"] if default else [])})
        if policies == ["root"] or "root" in policies:
            policies = ["root"]
        prefix = {"service": "s.", "batch": "b."}[kind]
        token = Token(id_ or prefix + random_id(24 if kind == "service"
                                                else 120),
                      policies, path, self.now(), ttl, num_uses=num_uses,
                      kind=kind, **more)
        token.accessor = random_id() if kind == "service" else ""
        if kind == "service" and token.ns.path:
            token.id += "." + token.ns.id
            token.accessor += "." + token.ns.id
        if kind == "batch":
            token.renewable = False
        token.expires = token.created + ttl if ttl else 0
        self.tokens[token.id] = token
        return token

    def entity(self, mount, alias, metadata):
        key = (mount.accessor, alias)
        if key not in self.entities:
            it = Entity(str(uuid.uuid4()), "entity_" + random_id(8).lower())
            self.entities[key] = it
        it = self.entities[key]
        it.aliases[mount.accessor] = Alias(alias, dict(metadata or {}))
        return it

    def find(self, id_):
        self.sweep()
        return self.tokens.get(id_)

    def use(self, token):
        """One use; the last one of a token that has few takes it away after
        the request (its caller calls .used())."""
        if token.num_uses > 0:
            token.num_uses -= 1
            if token.num_uses == 0:
                token.num_uses = -1

    def used(self, token):
        if token.num_uses == -1 and token.id in self.tokens:
            self.revoke(token)

    def revoke(self, token):
        self.tokens.pop(token.id, None)
        for child in [t for t in self.tokens.values() if t.parent is token]:
            self.revoke(child)
        for lease in [x for x in self.leases.values() if x.token is token]:
            self.end(lease)

    def renew(self, token, increment):
        """The warnings; a token that ends at its maximum is cut there."""
        if token.kind == "batch":
            raise Refusal(400, "batch tokens cannot be renewed")
        if not token.renewable or not token.expires:
            raise Refusal(400, "lease is not renewable")
        wanted = token.period or increment or token.ttl
        longest = token.explicit_max_ttl or token.max_ttl or \
            (0 if token.period else MAX_TTL)
        got, warnings = self.cut(wanted, longest, token.created)
        token.expires, token.renewed = self.now() + got, self.now()
        return warnings

    def cut(self, wanted, longest, since):
        warnings = []
        left = int(since + longest - self.now()) if longest else wanted
        if wanted > left:
            warnings = [f'TTL of "{go(wanted)}" exceeded the effective '
                        f'max_ttl of "{go(left)}"; TTL value is capped '
                        "accordingly"]
        return max(0, min(wanted, left)), warnings

    def ttl(self, token):
        return max(0, round(token.expires - self.now())) \
            if token.expires else 0

    def auth(self, token):
        return {"client_token": token.id, "accessor": token.accessor,
                "policies": token.policies, "token_policies": token.policies,
                "metadata": ordered(token.meta), "lease_duration": self.ttl(token),
                "renewable": token.renewable and bool(token.expires),
                "entity_id": token.entity.id if token.entity else "",
                "token_type": token.kind, "orphan": token.orphan,
                "mfa_requirement": None,
                "num_uses": max(token.num_uses, 0)}

    def shown(self, token):
        it = {"accessor": token.accessor, "creation_time": int(token.created),
              "creation_ttl": token.ttl, "display_name": token.display_name,
              "entity_id": token.entity.id if token.entity else "",
              "expire_time": stamp(token.expires) if token.expires else None,
              "explicit_max_ttl": token.explicit_max_ttl, "id": token.id,
              "issue_time": stamp(token.created), "meta": token.meta,
              "num_uses": token.num_uses, "orphan": token.orphan,
              "path": token.path, "policies": token.policies,
              "renewable": token.renewable and bool(token.expires),
              "ttl": self.ttl(token), "type": token.kind}
        if token.period:
            it["period"] = token.period
        if token.role:
            it["role"] = token.role
        if token.renewed:
            it["last_renewal"] = stamp(token.renewed)
            it["last_renewal_time"] = int(token.renewed)
        if token.ns.path:
            it["namespace_path"] = token.ns.path
        return it

    # --- leases

    def lease(self, path, token, ttl, revoke, max_ttl=0, renewable=True):
        """A lease that ends no later than its token, if that can end."""
        ttl = ttl or DEFAULT_TTL
        if token.kind == "batch":
            ttl = min(ttl, self.ttl(token))
        lease = Lease(f"{path}/{random_id()}", path, token, self.now(), ttl,
                      max_ttl or MAX_TTL, renewable, revoke, self)
        if token.ns.path:
            lease.id += "." + token.ns.id
        lease.expires = lease.issued + ttl
        self.leases[lease.id] = lease
        return lease

    def renew_lease(self, lease, increment):
        if not lease.renewable:
            raise Refusal(400, "lease is not renewable")
        got, warnings = self.cut(increment or lease.length, lease.max_ttl,
                                 lease.issued)
        lease.expires, lease.renewed = self.now() + got, self.now()
        return warnings

    def end(self, lease):
        if self.leases.pop(lease.id, None):
            self.revoked.append(lease.id)
            if lease.revoke:
                lease.revoke()

    # --- wrapped answers

    def wrap(self, ttl, path, answer, body=None):
        """The answer as one that can be fetched once."""
        if body is None and answer is not None:
            body = answer.body or dumps(envelope(answer))
        inner = None
        if answer is not None and answer.auth:
            inner = answer.auth["accessor"]
        elif answer is not None and "secret_id_accessor" in (answer.data or {}):
            inner = answer.data["secret_id_accessor"]
        it = Wrapped("s." + random_id(), random_id(), ttl, self.now(), path,
                     body, answer.status if answer else 204, inner)
        self.wraps[it.token] = it
        return it

    def unwrap(self, token, keep=False):
        self.sweep()
        it = self.wraps.get(token)
        if it is None:
            raise Refusal(400, "wrapping token is not valid or does not exist")
        if not keep:
            del self.wraps[token]
        return it

    def sweep(self):
        """What has run out by now ends: wraps, leases, tokens."""
        now = self.now()
        for it in [w for w in self.wraps.values() if w.created + w.ttl <= now]:
            del self.wraps[it.token]
        for it in [x for x in self.leases.values() if x.expires <= now]:
            self.end(it)
        for it in [t for t in self.tokens.values()
                   if t.expires and t.expires <= now]:
            self.revoke(it)


def go(seconds):
    """As Go prints a duration of whole seconds."""
    h, rest = divmod(int(seconds), 3600)
    m, s = divmod(rest, 60)
    if h:
        return f"{h}h{m}m{s}s"
    return f"{m}m{s}s" if m else f"{s}s"


def wrap_info(it):
    info = {"token": it.token, "accessor": it.accessor, "ttl": it.ttl,
            "creation_time": stamp(it.created), "creation_path": it.path}
    if it.inner:
        info["wrapped_accessor"] = it.inner
    return info


def wrapped(it):
    return dumps(envelope(Answer(), request_id="", wrap_info=wrap_info(it)))


def unb64(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Refusal(400, "illegal base64 data at input byte 0") from None
