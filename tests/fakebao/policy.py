# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policies: their text, and which rule counts for a path.  The order of rules
is OpenBao's (vault/acl.go): an exact path, else of those with * at the end or
+ for a segment the one whose first wildcard comes last, and so on."""
import json
import re

from .answers import Refusal

CAPABILITIES = {"create", "read", "update", "delete", "list", "patch", "scan",
                "sudo", "deny"}
DEFAULT = """
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }
path "sys/renew" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "cubbyhole/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "sys/wrapping/wrap" { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
path "sys/tools/hash" { capabilities = ["update"] }
path "sys/tools/hash/*" { capabilities = ["update"] }
"""
RESPONSE_WRAPPING = """
path "cubbyhole/response" { capabilities = ["create", "read"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
"""
# What wants sudo beside the capability of the operation.
ROOT_PATHS = re.compile(
    r"sys/(audit(/.*)?|raw(/.*)?|seal|step-down|rotate|revoke-(prefix|force)/.*"
    r"|leases/revoke-(prefix|force)/.*|leases/lookup/.*)"
    r"|auth/token/(create-orphan|accessors/?|revoke-orphan)")


def parse(text):
    """[(path, capabilities)] of HCL or JSON; what is not known is refused."""
    if text.lstrip().startswith("{"):
        rules = [(p, r) for p, r in json.loads(text).get("path", {}).items()]
        found = [(p, r.get("capabilities", [])) for p, r in rules]
    else:
        bare = re.sub(r"^\s*(#|//).*$", "", text, flags=re.M)
        block = re.compile(r'\s*path\s+"([^"]+)"\s*\{([^{}]*)\}\s*')
        found, at = [], 0
        while bare[at:].strip():
            m = block.match(bare, at)
            if not m:
                raise Refusal(400, "failed to parse policy: "
                              f"{bare[at:].strip()[:40]!r}")
            at = m.end()
            inner = re.fullmatch(r"\s*capabilities\s*=\s*\[([^\]]*)\]\s*",
                                 m[2])
            if not inner:
                raise Refusal(400, f"failed to parse policy: path {m[1]!r}: "
                              "only capabilities are known here")
            found.append((m[1], re.findall(r'"([^"]*)"', inner[1])))
    for path, capabilities in found:
        if unknown := set(capabilities) - CAPABILITIES:
            raise Refusal(400, "failed to parse policy: path "
                          f'"{path}": invalid capability "{unknown.pop()}"')
    return found


def filled(path, entity):
    """The templates of a path; None if the entity lacks a value."""
    def value(match):
        words = match[1].strip().split(".")
        if words[:2] != ["identity", "entity"] or entity is None:
            raise KeyError(match[1])
        if words[2:] == ["id"]:
            return entity.id
        if words[2:] == ["name"]:
            return entity.name
        if words[2] == "metadata":
            return entity.metadata[words[3]]
        if words[2] == "aliases":
            alias = entity.aliases[words[3]]
            if words[4:] == ["name"]:
                return alias.name
            if words[4] == "metadata":
                return alias.metadata[".".join(words[5:])]
        raise KeyError(match[1])

    try:
        return re.sub(r"\{\{([^}]*)\}\}", value, path)
    except KeyError:
        return None


def matches(rule, path):
    glob, body = rule.endswith("*"), rule.rstrip("*")
    pattern = "/".join("[^/]+" if s == "+" else re.escape(s)
                       for s in body.split("/"))
    return re.fullmatch(pattern + (".*" if glob else ""), path, re.S)


def weight(rule):
    """The larger, the more it counts."""
    wild = [i for i in (rule.find("+"), rule.find("*")) if i >= 0]
    return (min(wild), not rule.endswith("*"),
            -sum(s == "+" for s in rule.split("/")), len(rule), rule)


def capabilities(rules, path):
    """The capabilities that rules ({path: set}) give on a path."""
    if path in rules and "+" not in path and not path.endswith("*"):
        return rules[path]
    found = [r for r in rules if ("+" in r.split("/") or r.endswith("*"))
             and matches(r, path)]
    if not found:
        return set()
    return rules[max(found, key=weight)]


def rules_of(texts, entity):
    """All rules of some policies' texts as one table; deny wins."""
    table = {}
    for text in texts:
        for path, capability in parse(text):
            path = filled(path, entity)
            if path is not None:
                table.setdefault(path, set()).update(capability)
    return {p: {"deny"} if "deny" in c else c for p, c in table.items()}


def shown(found):
    return sorted(found) or ["deny"]
