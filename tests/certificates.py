"""Certificates for tests of HTTPS."""

import ssl
from pathlib import Path

import trustme


class Files:
    """An authority, and a server's certificate that it has signed, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.ca = folder / "ca.pem"
        self.issue()
        self.authority.cert_pem.write_to_path(self.ca)

    def issue(self) -> trustme.LeafCert:
        """Puts another certificate and its key in the place of those that are there."""
        issued = self.authority.issue_cert("127.0.0.1", "localhost")
        for path, blob in (
            (self.key, issued.private_key_pem),
            (self.cert, issued.cert_chain_pems[0]),
        ):
            # At once, so that no server reads half of one.
            blob.write_to_path(path.with_suffix(".new"))
            path.with_suffix(".new").rename(path)
        return issued

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client trusts."""
        return ssl.create_default_context(cafile=self.ca)

    def config(self, *, service=None, **changes) -> dict:
        """What makes a server use them."""
        paths = {"cert": str(self.cert), "key": str(self.key)} | changes
        return {"service": {"enable_tls": True} | (service or {}), "tls": paths}
