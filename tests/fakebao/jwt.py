# SPDX-License-Identifier: AGPL-3.0-or-later
"""auth/jwt and auth/kubernetes: signatures are checked for real, with keys
given as PEM, or fetched as a JWKS or by discovery."""
import base64
import fnmatch
import json
import ssl
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from .answers import Answer, Refusal, duration, strings
from .backend import route
from .logins import Login

UNKNOWN_KEY = ("error verifying token signature: no known key successfully "
               "validated the token signature")
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


class Bad(Exception):
    pass


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token):
    """(header, claims, what is signed, signature)"""
    try:
        head, claims, signature = token.split(".")
        return (json.loads(unb64(head)), json.loads(unb64(claims)),
                f"{head}.{claims}".encode(), unb64(signature))
    except ValueError:
        raise Bad("error verifying token signature: illegal base64 data at "
                  "input byte 0") from None


def signed(key, alg, text, signature):
    try:
        kind, hash_ = alg[:2], HASHES.get(alg[2:])
        if kind == "ES" and isinstance(key, ec.EllipticCurvePublicKey):
            half = len(signature) // 2
            der = utils.encode_dss_signature(
                int.from_bytes(signature[:half], "big"),
                int.from_bytes(signature[half:], "big"))
            key.verify(der, text, ec.ECDSA(hash_()))
        elif kind == "RS" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, padding.PKCS1v15(), hash_())
        elif kind == "PS" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, padding.PSS(
                padding.MGF1(hash_()), hash_.digest_size), hash_())
        elif alg == "EdDSA":
            key.verify(signature, text)
        else:
            return False
        return True
    except (InvalidSignature, AttributeError, TypeError):
        return False


def from_jwk(jwk):
    def number(name):
        return int.from_bytes(unb64(jwk[name]), "big")

    if jwk["kty"] == "EC":
        curve = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1,
                 "P-521": ec.SECP521R1}[jwk["crv"]]()
        return ec.EllipticCurvePublicNumbers(number("x"), number("y"),
                                             curve).public_key()
    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    from cryptography.hazmat.primitives.asymmetric import ed25519
    return ed25519.Ed25519PublicKey.from_public_bytes(unb64(jwk["x"]))


def fetch(url, ca):
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cadata=ca or None)
    with urllib.request.urlopen(url, timeout=10, context=context) as r:
        return json.loads(r.read(1 << 20))


class Jwt(Login):
    open = ("login",)
    routes = (
        route("login", update="login"),
        route("config", read="config_read", update="config_write"),
        route("role", list="role_list"),
        route("role/(?P<name>[^/]+)", read="role_read", update="role_write",
              delete="role_delete"))

    def __init__(self, core, ns, mount):
        super().__init__(core, ns, mount)
        self.config = None

    def config_read(self, request):
        if not self.config:
            raise Refusal(404)
        return Answer(self.config)

    def config_write(self, request):
        ways = ("oidc_discovery_url", "jwks_url", "jwt_validation_pubkeys")
        if sum(bool(request.data.get(w)) for w in ways) != 1:
            raise Refusal(400, "exactly one of 'jwt_validation_pubkeys', "
                          "'jwks_url' or 'oidc_discovery_url' must be set")
        for pem in self.pems(request.data):
            try:
                if pem.count("-----BEGIN") > 1:
                    raise Refusal(400, "error parsing public key: unexpected "
                                  "trailing data after parsed PEM block")
                serialization.load_pem_public_key(pem.encode())
            except ValueError:
                raise Refusal(400, "error parsing public key: data does not "
                              "contain any valid public keys") \
                    from None
        if request.data.get("oidc_discovery_url"):
            try:
                self.discover(request.data)
            except (OSError, ValueError, KeyError) as e:
                raise Refusal(400, "error checking oidc discovery URL: "
                              f"{e}") from None
        self.config = request.data

    @staticmethod
    def pems(config):
        given = config.get("jwt_validation_pubkeys") or []
        return [given] if isinstance(given, str) else given

    @staticmethod
    def discover(config):
        url = config["oidc_discovery_url"].rstrip("/")
        ca = config.get("oidc_discovery_ca_pem")
        found = fetch(url + "/.well-known/openid-configuration", ca)
        if found["issuer"].rstrip("/") != url:
            raise ValueError("oidc: issuer did not match the issuer returned "
                             "by provider")
        return fetch(found["jwks_uri"], ca)

    def keys(self):
        config = self.config
        if self.pems(config):
            return [(None, serialization.load_pem_public_key(p.encode()))
                    for p in self.pems(config)]
        found = self.discover(config) if config.get("oidc_discovery_url") \
            else fetch(config["jwks_url"], config.get("jwks_ca_pem"))
        return [(k.get("kid"), from_jwk(k)) for k in found["keys"]]

    def verify(self, token):
        header, claims, text, signature = parts(token)
        alg = header.get("alg", "")
        allowed = strings(self.config.get("jwt_supported_algs"))
        if alg not in (allowed or ("ES256", "ES384", "ES512", "RS256", "RS384",
                                   "RS512", "PS256", "PS384", "PS512",
                                   "EdDSA")):
            raise Bad(UNKNOWN_KEY)
        keys = [k for kid, k in self.keys()
                if kid is None or header.get("kid") in (None, kid)]
        if not any(signed(k, alg, text, signature) for k in keys):
            raise Bad(UNKNOWN_KEY)
        return claims

    def times(self, claims, role):
        now = self.core.now()

        def leeway(name, default):
            given = duration(role.get(name))
            return default if given == 0 else max(given, 0)

        skew = leeway("clock_skew_leeway", 60)
        exp, nbf, iat = (claims.get(k) for k in ("exp", "nbf", "iat"))
        if exp is None and nbf is None and iat is None:
            raise Bad("no issued at (iat), not before (nbf), or expiration "
                      "time (exp) claims in token")
        latest = exp if exp is not None else max(
            t for t in (iat, nbf) if t is not None) + \
            leeway("expiration_leeway", 150)
        if now > latest + skew:
            raise Bad("invalid expiration time (exp) claim: token is expired")
        first = nbf if nbf is not None else iat if iat is not None else \
            exp - leeway("not_before_leeway", 150)
        if now < first - skew:
            raise Bad("invalid not before (nbf) claim: token not yet valid")

    @staticmethod
    def audience(claims, role):
        got, bound = strings(claims.get("aud")), \
            strings(role.get("bound_audiences"))
        if bound and not set(got) & set(bound):
            raise Bad("invalid audience (aud) claim: audience claim does not "
                      "match any expected audience")
        if got and not bound:
            raise Refusal(400, "audience claim found in JWT but no audiences "
                          "bound to the role")

    @staticmethod
    def bound(claims, role):
        glob = role.get("bound_claims_type") == "glob"
        for name, wanted in (role.get("bound_claims") or {}).items():
            wanted = wanted if isinstance(wanted, list) else [wanted]
            if name not in claims:
                raise Refusal(400, f'error validating claims: claim "{name}" '
                              "is missing")
            got = claims[name] if isinstance(claims[name], list) \
                else [claims[name]]
            if not any(g == w or (glob and fnmatch.fnmatchcase(str(g), w))
                       for g in got for w in wanted):
                raise Refusal(400, f'error validating claims: claim "{name}" '
                              "does not match any associated bound claim "
                              "values")

    def login(self, request):
        if self.config is None:
            raise Refusal(400, "could not load configuration")
        name = request.data.get("role") or self.config.get("default_role")
        if not name:
            raise Refusal(400, "missing role")
        if name not in self.roles:
            raise Refusal(400, f'role "{name}" could not be found')
        role, token = self.roles[name], request.data.get("jwt")
        if not token:
            raise Refusal(400, "missing token")
        try:
            claims = self.verify(token)
            issuer = self.config.get("bound_issuer")
            if issuer and claims.get("iss") != issuer:
                raise Bad("invalid issuer (iss) claim")
            subject = role.get("bound_subject")
            if subject and claims.get("sub") != subject:
                raise Bad("invalid subject (sub) claim")
            self.times(claims, role)
            self.audience(claims, role)
        except (Bad, OSError) as e:
            raise Refusal(400, f"error validating token: {e}") from None
        self.bound(claims, role)
        user = claims.get(role["user_claim"])
        if user is None:
            raise Refusal(400, f'claim "{role["user_claim"]}" not found in '
                          "token")
        metadata = {to: claims[from_] for from_, to in
                    (role.get("claim_mappings") or {}).items()
                    if from_ in claims}
        return self.issue(role, alias=user, display=user,
                          metadata={"role": name, **metadata})


class Kubernetes(Jwt):
    """Checks with keys of its config's pem_keys; there is no cluster to ask."""

    def config_write(self, request):
        if not request.data.get("kubernetes_host"):
            raise Refusal(400, "no host provided")
        self.config = {**request.data, "jwt_validation_pubkeys":
                       request.data.get("pem_keys")}

    def login(self, request):
        name = request.data.get("role")
        if not name:
            raise Refusal(400, "missing role")
        if not request.data.get("jwt"):
            raise Refusal(400, "missing jwt")
        if name not in self.roles:
            raise Refusal(400, f'invalid role name "{name}"')
        role = self.roles[name]
        try:
            claims = self.verify(request.data["jwt"])
            self.times(claims, role)
        except Bad:
            raise Refusal(403, "permission denied") from None
        account = claims.get("kubernetes.io", {})
        namespace = account.get("namespace", "")
        user = account.get("serviceaccount", {})
        for value, bound in (
                (user.get("name"), "bound_service_account_names"),
                (namespace, "bound_service_account_namespaces")):
            allowed = strings(role.get(bound))
            if "*" not in allowed and value not in allowed:
                raise Refusal(403, "permission denied")
        return self.issue(
            role, alias=user.get("uid", ""), display=f"{namespace}-"
            f"{user.get('name')}", metadata={
                "role": name, "service_account_name": user.get("name", ""),
                "service_account_namespace": namespace,
                "service_account_uid": user.get("uid", ""),
                "service_account_secret_name": ""})
