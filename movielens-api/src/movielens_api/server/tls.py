"""TLS with a certificate and key from files."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path


def context(certificate: Path | None, key: Path | None, password_file: Path | None) -> ssl.SSLContext | None:
    """Return a context for TLS 1.2 or later.

    Args:
        certificate: A PEM file with the server's certificate and the intermediate ones.
        key: A PEM file with the certificate's private key.
        password_file: A file whose first line is the password of the key, if it has one.

    Returns:
        The context, or None without a certificate.

    Raises:
        StartupError: A file is missing, cannot be read, or has the wrong content.
    """
    if not certificate and not key and not password_file:
        return None
    if not certificate or not key:
        raise StartupError("TLS needs both --tls-certificate and --tls-key")
    for path in (certificate, key):
        _read(path)
    password = _read(password_file).partition("\n")[0].rstrip("\r") if password_file else ""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # With an empty password, an encrypted key fails. Without one, OpenSSL would prompt on the terminal.
        made.load_cert_chain(certificate, key, password)
    except (ssl.SSLError, ValueError) as error:
        raise StartupError(_explain(error, certificate, key, password_file)) from error
    return made


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror or error}") from error


def _explain(error: Exception, certificate: Path, key: Path, password_file: Path | None) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return f"{key} is not the key of the certificate {certificate}"
    if reason is None or "DECRYPT" in reason or "PASSWORD" in reason:
        hint = f"the password in {password_file} is wrong" if password_file else "--tls-key-password-file is missing"
        return f"cannot use {certificate} with {key}: one is not PEM, or the key is locked and {hint}"
    return f"cannot use {certificate} with {key}: {reason.lower().replace('_', ' ')}; both are PEM files"
