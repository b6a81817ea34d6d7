"""HTTPS: the context that connections are made in, of the files that the configuration names."""

from __future__ import annotations

import logging
import ssl

import anyio

from asyncstore.config import Config, TlsConfig
from asyncstore.errors import InvalidArgumentError

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY = b"PRIVATE KEY-----"  # what stands before it names its kind

_logger = logging.getLogger("asyncstore.server")


def context_of(config: Config) -> ssl.SSLContext | None:
    """What a configuration asks for; None: plain HTTP.

    Raises:
        InvalidArgumentError: A file is missing, cannot be read or is not what it should be; or the
            key is that of another certificate.
    """
    if not config.service.enable_tls:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, config.tls)
    if config.service.verify_https_client_certificate:
        path = _checked(config.tls.ca_cert, "tls.ca_cert", _CERTIFICATE, "certificate")
        try:
            context.load_verify_locations(path)
        except ssl.SSLError as error:
            raise InvalidArgumentError(f"tls.ca_cert: {path} cannot be used: {error}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load_certificate(context: ssl.SSLContext, tls: TlsConfig) -> None:
    """Loads the certificate and its key; connections that begin afterwards use them.

    Raises:
        InvalidArgumentError: As in :func:`context_of`; then the context has those from before.
    """
    cert = _checked(tls.cert, "tls.cert", _CERTIFICATE, "certificate")
    key = _checked(tls.key, "tls.key", _KEY, "private key")
    try:
        context.load_cert_chain(cert, key, _no_passphrase)
    except ssl.SSLError as error:
        if "MISMATCH" in (error.reason or ""):
            sentence = f"tls.key: {key} is not the key of the certificate in {cert} (tls.cert)"
        else:
            sentence = f"tls.cert, tls.key: {cert} and {key} cannot be used: {error}"
        raise InvalidArgumentError(sentence) from error


async def renew(context: ssl.SSLContext, tls: TlsConfig) -> None:
    """Loads both again every ``cert_ttl`` seconds, until it is cancelled.

    Not on a thread: OpenSSL does not say that a context may be changed while connections begin.
    """
    while tls.cert_ttl is not None:
        await anyio.sleep(tls.cert_ttl)
        try:
            load_certificate(context, tls)
        except InvalidArgumentError as error:
            _logger.warning("the certificate stays the one from before: %s", error)


def _checked(path: str | None, setting: str, mark: bytes, what: str) -> str:
    """The path of a file that can be read and holds what it is to hold, in PEM."""
    if not path:
        raise InvalidArgumentError(f"{setting}: must be the path of a {what} in PEM format")
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        raise InvalidArgumentError(f"{setting}: {path} cannot be read: {error.strerror}") from error
    if mark not in text:
        raise InvalidArgumentError(f"{setting}: {path} holds no {what} in PEM format")
    return path


def _no_passphrase() -> str:
    # Without this OpenSSL would ask for it on the terminal, which a server has not.
    raise InvalidArgumentError("tls.key: is encrypted; it must be a key without a passphrase")
