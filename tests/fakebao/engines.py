# SPDX-License-Identifier: AGPL-3.0-or-later
"""Engines that make something when asked: database users, certificates of
X.509 and SSH, ciphertext.  All of it is real but for the database."""
import base64
import datetime
import os
import subprocess
import tempfile
import threading
import uuid

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .answers import (DAY, DEFAULT_TTL, Answer, Refusal, duration, random_id,
                      stamp, strings)
from .backend import Roles, route
from .tokens import unb64

PEM = ser.Encoding.PEM
NO_AIA = (
    "This mount hasn't configured any authority information access (AIA) "
    "fields; this may make it harder for systems to find missing certificates "
    "in the chain or to validate revocation status of certificates. Consider "
    "updating /config/urls or the newly generated issuer with this "
    "information.")
NO_PRINCIPALS = (
    "refusing to issue unsafe, globally-valid certificate with no principals "
    "specified; set valid_principals or default_user")


class User:
    """What the callback of a database makes; drop() ends it."""

    def __init__(self, role, username, password):
        self.role, self.username, self.password = role, username, password
        self.dropped = threading.Event()

    def drop(self):
        self.dropped.set()


def make_user(role):
    return User(role, f"v-approle-{role[:8]}-{random_id(20)}-1",
                "A1a-" + random_id(16))


class Database(Roles):
    """FakeBao.users has the users that were made; FakeBao.make_user, if set,
    is called with the role's name and returns something like a User."""
    routes = (
        route("config/(?P<name>[^/]+)", read="config_read",
              update="config_write"),
        route("roles", list="role_list"),
        route("(static-)?roles/(?P<name>[^/]+)", read="role_read",
              update="role_write", delete="role_delete"),
        route("creds/(?P<name>[^/]+)", read="creds"),
        route("static-creds/(?P<name>[^/]+)", read="static"))

    def __init__(self, core, ns, mount):
        super().__init__(core, ns, mount)
        self.configs, self.users, self.fixed = {}, [], {}

    def config_read(self, request, name):
        if name not in self.configs:
            raise Refusal(404)
        return Answer({k: v for k, v in self.configs[name].items()
                       if k != "password"})

    def config_write(self, request, name):
        self.configs[name] = request.data

    def creds(self, request, name):
        if name not in self.roles:
            raise Refusal(400, f"unknown role: {name}")
        role = self.roles[name]
        user = self.core.make_user(name)
        self.users.append(user)
        lease = self.store.lease(
            request.path, request.login, duration(role.get("default_ttl")),
            user.drop, duration(role.get("max_ttl")))
        return Answer({"username": user.username, "password": user.password},
                      lease=lease)

    def static(self, request, name):
        if name not in self.roles:
            raise Refusal(400, f"unknown role: {name}")
        user = self.fixed.setdefault(name, self.core.make_user(name))
        since = self.fixed.setdefault(name + "/since", self.core.now())
        period = duration(self.roles[name].get("rotation_period"), DAY)
        return Answer({"username": self.roles[name].get("username",
                                                        user.username),
                       "password": user.password, "rotation_period": period,
                       "last_vault_rotation": stamp(since),
                       "ttl": int(period - (self.core.now() - since)
                                  % period)})


class Pki(Roles):
    routes = (
        route("root/generate/(?P<kind>internal|exported)", update="generate"),
        route("roles", list="role_list"),
        route("roles/(?P<name>[^/]+)", read="role_read", update="role_write",
              delete="role_delete"),
        route("issue/(?P<name>[^/]+)", update="issue"),
        route("sign/(?P<name>[^/]+)", update="sign"),
        route("revoke", update="revoke"),
        route("cert/ca", read="ca"), route("ca/pem", read="ca_pem"))
    open = ("cert/ca", "ca/pem", "ca", "crl")

    def __init__(self, core, ns, mount):
        super().__init__(core, ns, mount)
        self.key = self.cert = None
        self.revoked = {}

    def build(self, subject, public, issuer, seconds, sans=(), ca=False):
        now = datetime.datetime.fromtimestamp(int(self.core.now()),
                                              datetime.UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME,
                                             subject)])
        builder = (x509.CertificateBuilder().subject_name(name)
                   .issuer_name(issuer or name).public_key(public)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(seconds=30))
                   .not_valid_after(now + datetime.timedelta(seconds=seconds))
                   .add_extension(x509.BasicConstraints(ca, None), ca))
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName(s) for s in sans]), False)
        return builder.sign(self.key, hashes.SHA256())

    def generate(self, request, kind):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = self.build(request.want("common_name"),
                               self.key.public_key(), None,
                               duration(request.data.get("ttl"), DEFAULT_TTL),
                               ca=True)
        self.issuer = {"issuer_id": str(uuid.uuid4()), "issuer_name": "",
                       "key_id": str(uuid.uuid4()), "key_name": ""}
        return Answer({**self.shown(self.cert, False), **self.issuer},
                      warnings=[NO_AIA])

    def role_write(self, request, name):
        super().role_write(request, name)
        return self.role_read(request, name)

    def ca(self, request):
        return Answer({"certificate": text(self.cert), "revocation_time": 0})

    def ca_pem(self, request):
        return Answer(body=text(self.cert).encode(), headers={
            "Content-Type": "application/pem-certificate-chain"})

    def shown(self, cert, chain=True):
        data = {"certificate": text(cert), "issuing_ca": text(self.cert),
                "expiration": int(cert.not_valid_after.replace(
                    tzinfo=datetime.UTC).timestamp()),
                "serial_number": serial(cert)}
        if chain:
            data["ca_chain"] = [text(self.cert)]
            data["not_before"] = int(cert.not_valid_before.replace(
                tzinfo=datetime.UTC).timestamp())
        return data

    def ready(self, name, data):
        if name not in self.roles:
            raise Refusal(400, f"unknown role: {name}")
        if self.cert is None:
            raise Refusal(400, "unable to fetch corresponding issuer for "
                          "default: no default issuer currently configured")
        role, cn = self.roles[name], data.get("common_name", "")
        domains = strings(role.get("allowed_domains"))
        fine = role.get("allow_any_name") or any(
            (role.get("allow_bare_domains") and cn == d) or
            (role.get("allow_subdomains") and cn.endswith("." + d))
            for d in domains)
        if not fine:
            raise Refusal(400, f"common name {cn} not allowed by this role")
        longest = duration(role.get("max_ttl"))
        wanted = duration(data.get("ttl"), duration(role.get("ttl"))
                          or longest or DEFAULT_TTL)
        return cn, min(wanted, longest or wanted)

    def issue(self, request, name):
        cn, seconds = self.ready(name, request.data)
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self.build(cn, key.public_key(), self.cert.subject, seconds,
                          [cn, *strings(request.data.get("alt_names"))])
        private = key.private_bytes(PEM, ser.PrivateFormat.TraditionalOpenSSL,
                                    ser.NoEncryption())
        return self.with_lease(request, name, seconds, {
            **self.shown(cert), "private_key": private.decode().strip(),
            "private_key_type": "ec"})

    def sign(self, request, name):
        try:
            csr = x509.load_pem_x509_csr(request.want(
                "csr", '"csr" is empty').encode())
        except ValueError:
            raise Refusal(400, "csr contains no data") \
                from None
        if not csr.is_signature_valid:
            raise Refusal(400, "request signature invalid")
        cns = csr.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        cn, seconds = self.ready(name, {
            **request.data, "common_name": cns[0].value if cns
            else request.data.get("common_name", "")})
        cert = self.build(cn, csr.public_key(), self.cert.subject, seconds,
                          [cn])
        return self.with_lease(request, name, seconds, self.shown(cert))

    def with_lease(self, request, name, seconds, data):
        lease = None
        if self.roles[name].get("generate_lease"):
            lease = self.store.lease(
                request.path, request.login, seconds, lambda:
                self.revoked.setdefault(data["serial_number"],
                                        self.core.now()), renewable=False)
        return Answer(data, lease=lease)

    def revoke(self, request):
        number = request.want("serial_number")
        at = self.revoked.setdefault(number, self.core.now())
        return Answer({"revocation_time": int(at), "state": "revoked",
                       "revocation_time_rfc3339": stamp(at)})


def text(cert):
    return cert.public_bytes(PEM).decode().strip()


def serial(cert):
    digits = f"{cert.serial_number:x}"
    digits = digits.zfill(len(digits) + len(digits) % 2)
    return ":".join(digits[i:i + 2] for i in range(0, len(digits), 2))


class Ssh(Roles):
    """Signs with ssh-keygen."""
    routes = (
        route("config/ca", update="configure", read="ca"),
        route("public_key", read="public_key"),
        route("roles", list="role_list"),
        route("roles/(?P<name>[^/]+)", read="role_read", update="role_write",
              delete="role_delete"),
        route("sign/(?P<name>[^/]+)", update="sign"))
    open = ("public_key",)

    def __init__(self, core, ns, mount):
        super().__init__(core, ns, mount)
        self.private = self.public = None
        self.serial = 0

    def configure(self, request):
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                            "-C", "", "-f", f"{d}/ca"], check=True)
            with open(f"{d}/ca", "rb") as f:
                self.private = f.read()
            with open(f"{d}/ca.pub") as f:
                self.public = f.read()
        self.issuer = str(uuid.uuid4())
        return Answer({"public_key": self.public, "issuer_id": self.issuer,
                       "issuer_name": ""})

    def ca(self, request):
        if not self.public:
            raise Refusal(400, "keys haven't been configured yet")
        return Answer({"public_key": self.public})

    def public_key(self, request):
        return Answer(body=(self.public or "").encode(),
                      headers={"Content-Type": "text/plain"})

    def principals(self, role, data, kind):
        host = kind == "host"
        allowed = strings(role.get("allowed_domains" if host
                                   else "allowed_users"))
        wanted = strings(data.get("valid_principals")) or \
            strings(role.get("default_user"))
        if not wanted and not role.get("allow_empty_principals"):
            raise Refusal(400, NO_PRINCIPALS)
        for one in wanted:
            if "*" not in allowed and one not in allowed and \
                    one != role.get("default_user"):
                raise Refusal(400, f"{one} is not a valid value for "
                              "valid_principals")
        return wanted

    def sign(self, request, name):
        if name not in self.roles:
            raise Refusal(400, f"Unknown role: {name}")
        role, data = self.roles[name], request.data
        key = data.get("public_key")
        if not key:
            raise Refusal(400, "missing public_key")
        kind = data.get("cert_type") or "user"
        if kind not in ("user", "host"):
            raise Refusal(400, "cert_type must be either 'user' or 'host'")
        if not role.get(f"allow_{kind}_certificates"):
            raise Refusal(400, f"cert_type '{kind}' is not allowed by role")
        longest = duration(role.get("max_ttl")) or DEFAULT_TTL
        wanted = duration(data.get("ttl")) or duration(role.get("ttl")) \
            or longest
        who = self.principals(role, data, kind)
        return self.certify(request, key, kind, who, min(wanted, longest))

    def certify(self, request, key, kind, who, seconds):
        self.serial = int.from_bytes(os.urandom(8), "big") >> 1
        now = datetime.datetime.fromtimestamp(self.core.now())
        span = ":".join(f"{now + datetime.timedelta(seconds=s):%Y%m%d%H%M%S}"
                        for s in (-30, seconds))
        with tempfile.TemporaryDirectory() as d:
            for file, content in (("ca", self.private),
                                  ("key.pub", key.encode())):
                fd = os.open(f"{d}/{file}", os.O_WRONLY | os.O_CREAT, 0o600)
                with os.fdopen(fd, "wb") as f:
                    f.write(content)
            done = subprocess.run(
                ["ssh-keygen", "-q", "-s", f"{d}/ca", "-I",
                 f"vault-{request.login.display_name}", "-z",
                 str(self.serial), "-V", span,
                 *(["-h"] if kind == "host" else []),
                 *(["-n", ",".join(who)] if who else []), f"{d}/key.pub"],
                capture_output=True)
            if done.returncode:
                raise Refusal(400, "failed to parse public_key as SSH key: "
                              "illegal base64 data at input byte 0")
            with open(f"{d}/key-cert.pub") as f:
                words = f.read().split()
        return Answer({"serial_number": f"{self.serial:016x}",
                       "issuer_id": self.issuer,
                       "signed_key": " ".join(words[:2]) + "\n"})


class Transit(Roles):
    routes = (
        route("keys", list="role_list"),
        route("keys/(?P<name>[^/]+)", update="key_make", read="key_read",
              delete="role_delete"),
        route("keys/(?P<name>[^/]+)/rotate", update="rotate"),
        route("(?P<verb>encrypt|decrypt|rewrap)/(?P<name>[^/]+)",
              update="crypt"))

    def exists(self, rest, token):
        verb, _, name = rest.partition("/")
        return verb != "encrypt" or name in self.roles

    def key_make(self, request, name):
        if name not in self.roles:
            self.roles[name] = {"made": [int(self.core.now())],
                                "keys": [AESGCM.generate_key(256)]}
        return self.key_read(request, name)

    def key_read(self, request, name):
        key = self.role(name)
        return Answer({"name": name, "type": "aes256-gcm96", "keys": {
            str(n): made for n, made in enumerate(key["made"], 1)},
            "latest_version": len(key["keys"]), "derived": False,
            "allow_plaintext_backup": False, "auto_rotate_period": 0,
            "imported_key": False, "min_available_version": 0,
            "soft_deleted": False,
            "exportable": False, "deletion_allowed": False,
            "min_decryption_version": 1, "min_encryption_version": 0,
            "supports_decryption": True, "supports_derivation": True,
            "supports_encryption": True, "supports_signing": False})

    def rotate(self, request, name):
        key = self.role(name)
        key["keys"].append(AESGCM.generate_key(256))
        key["made"].append(int(self.core.now()))
        return self.key_read(request, name)

    def crypt(self, request, verb, name):
        if name not in self.roles and verb == "encrypt":
            self.key_make(request, name)
        if name not in self.roles:
            raise Refusal(400, "encryption key not found")
        extra = unb64(request.data.get("associated_data") or "") \
            if verb != "rewrap" else b""
        if verb == "encrypt":
            plain = request.data.get("plaintext")
            if plain is None:
                raise Refusal(400, "missing plaintext to encrypt")
            return self.encrypt(name, unb64(plain), extra)
        sealed = request.data.get("ciphertext")
        if not sealed:
            raise Refusal(400, "missing ciphertext to decrypt")
        plain = self.decrypt(name, sealed, extra)
        if verb == "rewrap":
            return self.encrypt(name, plain, extra)
        return Answer({"plaintext": base64.b64encode(plain).decode()})

    def encrypt(self, name, plain, extra):
        keys, nonce = self.roles[name]["keys"], os.urandom(12)
        sealed = nonce + AESGCM(keys[-1]).encrypt(nonce, plain, extra or None)
        return Answer({"ciphertext": f"vault:v{len(keys)}:"
                       + base64.b64encode(sealed).decode(),
                       "key_version": len(keys)})

    def decrypt(self, name, given, extra):
        head, _, body = given.partition(":v")
        version, _, body = body.partition(":")
        keys = self.roles[name]["keys"]
        if head != "vault" or not version.isdigit():
            raise Refusal(400, "invalid ciphertext: no prefix")
        if not 0 < int(version) <= len(keys):
            raise Refusal(400, "invalid ciphertext: version is too new")
        raw = unb64(body)
        if len(raw) < 12:
            raise Refusal(400, "invalid ciphertext length")
        try:
            return AESGCM(keys[int(version) - 1]).decrypt(
                raw[:12], raw[12:], extra or None)
        except (ValueError, InvalidTag):
            raise Refusal(400, "cipher: message authentication failed") \
                from None
