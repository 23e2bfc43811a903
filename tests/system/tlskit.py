# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates made on the spot, and connections that show them."""
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess

import nfo as programs


def openssl(*args, **more):
    subprocess.run(["openssl", *map(str, args)], check=True,
                   capture_output=True, **more)


class CA:
    """A root of its own, in a directory."""

    def __init__(self, where, name="root"):
        self.where, self.name = where, name
        where.mkdir(exist_ok=True)
        self.pem, self.key = where / f"{name}.pem", where / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj",
                f"/CN={name}", "-keyout", self.key, "-out", self.pem)

    def sign(self, name, *, san="", usage="clientAuth", days=30):
        """(certificate, key); the usual way of openssl."""
        pem, key = self.where / f"{name}.pem", self.where / f"{name}.key"
        csr, ext = self.where / f"{name}.csr", self.where / f"{name}.ext"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", key, "-out", csr)
        ext.write_text(f"extendedKeyUsage={usage}\n"
                       + (f"subjectAltName={san}\n" if san else ""))
        openssl("x509", "-req", "-in", csr, "-CA", self.pem, "-CAkey",
                self.key, "-CAcreateserial", "-days", days, "-extfile", ext,
                "-out", pem)
        key.chmod(0o600)
        return pem, key

    def server(self, name="server"):
        return self.sign(name, san="DNS:localhost,IP:127.0.0.1,IP:::1",
                         usage="serverAuth")


def fingerprint(pem):
    der = ssl.PEM_cert_to_DER_cert(pem.read_text())
    import hashlib
    return "sha256:" + hashlib.sha256(der).hexdigest()


def install(pair, where):
    """A pair where the server looks for one, each file by renaming."""
    for from_, to in zip(pair, where):
        new = to.with_suffix(".new")
        shutil.copy(from_, new)
        new.chmod(0o600)
        os.rename(new, to)


def context(ca, cert=None, version=None):
    c = ssl.create_default_context(cafile=str(ca.pem))
    if cert:
        c.load_cert_chain(*map(str, cert))
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def connect(port, ca, cert=None, version=None, host="127.0.0.1"):
    return http.client.HTTPSConnection(
        host, port, timeout=programs.LIMIT,
        context=context(ca, cert, version))


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def listening(nfo, scheme="https"):
    """The ports that the server says it has."""
    said = (nfo.home / "serve.err").read_text()
    return [int(n) for n in re.findall(
        rf"listens on {scheme}://\S+?:(\d+)\b(?![:\]])", said)]
