# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates for the server and for its clients, good ones and others."""
import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec

KINDS = ("good", "wrong_name", "expired", "unknown_ca")


class Authority:
    def __init__(self, where, name):
        self.where, self.name = where, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = self.sign(self.key, name, ca=True)
        self.path = self.write(f"{name}.pem", self.pem(self.cert))

    @staticmethod
    def pem(cert):
        return cert.public_bytes(ser.Encoding.PEM)

    def write(self, name, data):
        path = os.path.join(self.where, name)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as f:
            f.write(data)
        return path

    def sign(self, key, cn, *, ca=False, names=(), days=30):
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME,
                                                cn)])
        issuer = subject if ca else self.cert.subject
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(issuer).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=60))
                   .not_valid_after(now + datetime.timedelta(days=days))
                   .add_extension(x509.BasicConstraints(ca, None), True))
        if ca:
            builder = builder.add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                False)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(list(names)), False)
        return builder.sign(self.key, hashes.SHA256())

    def pair(self, cn, **more):
        """(certificate, key): paths; only their owner may read the key."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8,
                                ser.NoEncryption())
        return (self.write(f"{cn}.crt", self.pem(self.sign(key, cn, **more))),
                self.write(f"{cn}.key", pem))


class Tls:
    """ca_file is what a client should trust; kind says how it then is."""

    def __init__(self, where, kind):
        assert kind in KINDS, kind
        self.authority = Authority(where, "ca")
        self.ca_file = self.authority.path
        signer = Authority(where, "other") if kind == "unknown_ca" \
            else self.authority
        names = [x509.DNSName("elsewhere.example")] if kind == "wrong_name" \
            else [x509.DNSName("localhost"),
                  x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        pair = signer.pair("server", names=names,
                           days=-1 if kind == "expired" else 30)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(*pair)
        self.context.load_verify_locations(self.ca_file)
        self.context.verify_mode = ssl.CERT_OPTIONAL
