# SPDX-License-Identifier: ISC
"""Certificates, made when a test needs them."""
import hashlib
import ssl
import subprocess


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True, text=True)


def fingerprint(pem):
    """SHA-256 of the first certificate of a file."""
    text = pem.read_text()
    begin = text.index("-----BEGIN CERTIFICATE")
    end = text.index("-----END CERTIFICATE-----") + 25
    der = ssl.PEM_cert_to_DER_cert(text[begin:end])
    return hashlib.sha256(der).hexdigest()


KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["rsa:2048"]}


class Authority:
    def __init__(self, folder, above=None):
        """`above`: the authority that signed this one; its files then hold
        the whole chain but the root."""
        self.folder, self.above = folder, above
        self.file = folder / "ca.pem"
        name = "Test authority" if above is None else "Second authority"
        words = ["req", "-newkey", *KEYS["ec"], "-nodes", "-subj",
                 f"/CN={name}", "-keyout", "ca.key"]
        if above is None:
            openssl(folder, *words, "-x509", "-days", "30", "-out", "ca.pem")
            return
        openssl(folder, *words, "-out", "ca.csr")
        (folder / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n")
        openssl(folder, "x509", "-req", "-in", "ca.csr", "-CA", above.file,
                "-CAkey", above.folder / "ca.key", "-CAcreateserial",
                "-days", "30", "-extfile", "ca.ext", "-out", "ca.pem")

    def below(self):
        folder = self.folder / "second"
        folder.mkdir()
        return Authority(folder, self)

    def make(self, name, *names, days="30", key="ec"):
        """A file with key and certificate for `names`."""
        alt = ",".join(
            ("IP:" if n.replace(".", "").isdigit() else "DNS:") + n
            for n in names)
        ext = self.folder / f"{name}.ext"
        ext.write_text(f"subjectAltName={alt}\n")
        openssl(self.folder, "req", "-newkey", *KEYS[key], "-nodes", "-subj",
                f"/CN={names[0]}", "-keyout", f"{name}.key", "-out",
                f"{name}.csr")
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA",
                "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                days, "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        chain = "" if self.above is None else self.file.read_text()
        both = self.folder / f"{name}.pem"
        both.write_text((self.folder / f"{name}.key").read_text() +
                        (self.folder / f"{name}.crt").read_text() + chain)
        both.chmod(0o600)
        return both

    def server(self, name, *names, **kw):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.make(name, *names, **kw))
        return context

    def client(self):
        return ssl.create_default_context(cafile=self.file)
