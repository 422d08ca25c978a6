# SPDX-License-Identifier: ISC
"""Certificates, made when a test needs them."""
import ssl
import subprocess


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True, text=True)


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "ca.pem"
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", "/CN=Test authority", "-keyout", "ca.key",
                "-out", "ca.pem")

    def make(self, name, *names, days="30"):
        """A file with key and certificate for `names`."""
        alt = ",".join(
            ("IP:" if n.replace(".", "").isdigit() else "DNS:") + n
            for n in names)
        ext = self.folder / f"{name}.ext"
        ext.write_text(f"subjectAltName={alt}\n")
        openssl(self.folder, "req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj",
                f"/CN={names[0]}", "-keyout", f"{name}.key", "-out",
                f"{name}.csr")
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA",
                "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                days, "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        both = self.folder / f"{name}.pem"
        both.write_text((self.folder / f"{name}.key").read_text() +
                        (self.folder / f"{name}.crt").read_text())
        both.chmod(0o600)
        return both

    def server(self, name, *names, **kw):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.make(name, *names, **kw))
        return context

    def client(self):
        return ssl.create_default_context(cafile=self.file)
