"""TLS: the trusted authorities, the client certificate, and messages for common problems with certificates."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError

if TYPE_CHECKING:
    from airflow_movielens.client.settings import ClientSettings

_UNTRUSTED = "comes from an authority that is not trusted: give its certificate as ca_file, if you trust it"
# X509_V_ERR_* of OpenSSL
_CERTIFICATE_PROBLEMS = {
    7: _UNTRUSTED,
    9: "is not valid yet: is this machine's clock right?",
    10: "has expired",
    18: "is self-signed: give the file that holds it as ca_file, if you trust it",
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: "is for another host name",
    64: "is for another IP address",
}
_NO_TLS = (
    "the API does not speak TLS at this address: check host and port. Without TLS (schema http), credentials would "
    "travel unencrypted"
)
_HANDSHAKE_PROBLEMS = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the API asks for a client certificate: give client_certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the API refuses the TLS connection: does it ask for a client certificate?",
    "TLSV1_ALERT_UNKNOWN_CA": "the API does not trust the client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the API refuses the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the API refuses the client certificate: it has expired",
}


def build_ssl_context(settings: ClientSettings, trusted: str) -> ssl.SSLContext:
    """Build the TLS context that all connections of a client share.

    Args:
        settings: The client's settings: whether to verify the server, and the client certificate.
        trusted: The file or folder with the certificates of the trusted authorities.

    Raises:
        FatalError: A file is unusable; the message names the file and the reason.
    """
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context()
    context.check_hostname = settings.verify_tls
    context.verify_mode = ssl.CERT_REQUIRED if settings.verify_tls else ssl.CERT_NONE
    if settings.verify_tls:
        _trust(context, trusted)
    if settings.client_certificate:
        _show(context, settings.client_certificate, settings.client_key)
    elif settings.client_key:
        raise FatalError("client_key is given without client_certificate: give both")
    return context


def _trust(context: ssl.SSLContext, trusted: str) -> None:
    is_folder = Path(trusted).is_dir()
    try:
        context.load_verify_locations(None if is_folder else trusted, trusted if is_folder else None)
    except OSError as error:
        raise FatalError(f"the CA file {trusted!r} cannot be used: {_reason(error)}") from error


def _show(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    for path in filter(None, (certificate, key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise FatalError(f"the client certificate's file {path!r} cannot be read: {_reason(error)}") from error
    files = f"{certificate!r} with key {key!r}" if key else repr(certificate)
    try:
        context.load_cert_chain(certificate, key, password=_refuse_to_ask)
    except (OSError, ValueError) as error:
        raise FatalError(f"the client certificate {files} cannot be used: {_reason(error)}") from error


def _refuse_to_ask() -> str:
    # OpenSSL would ask at the terminal and wait forever.
    raise ValueError("the key is encrypted: give a key without a passphrase")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it is not usable PEM, or key and certificate do not match ({error.reason or 'nothing found in it'})"
    return str(getattr(error, "strerror", None) or error)


def hopeless_tls_problem(error: ssl.SSLError) -> str | None:
    """Return what is wrong if a retry cannot help; None if it may help."""
    if isinstance(error, ssl.SSLCertVerificationError):
        problem = _CERTIFICATE_PROBLEMS.get(error.verify_code, f"cannot be trusted ({error.verify_message})")
        return f"the API's certificate {problem}"
    return _HANDSHAKE_PROBLEMS.get(error.reason or "")
