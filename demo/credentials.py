"""Passwords and keys: generated once per folder, so that a login stays valid from one `make up` to the next."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

AIRFLOW_USER = "admin"
API_USER = "airflow"


def _password() -> str:
    return secrets.token_urlsafe(12)


def _key() -> str:
    return secrets.token_urlsafe(32)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Credentials:
    """All secrets of a stack."""

    api_password: str = field(default_factory=_password, repr=False)
    airflow_password: str = field(default_factory=_password, repr=False)
    jwt_secret: str = field(default_factory=_key, repr=False)
    session_secret: str = field(default_factory=_key, repr=False)
    fernet_key: str = field(default_factory=_fernet_key, repr=False)

    @classmethod
    def load(cls, folder: Path) -> Credentials:
        """Read the folder's secrets, generating them the first time."""
        path = folder / "credentials.json"
        if path.exists():
            return cls(**json.loads(path.read_text()))
        credentials = cls()
        write_private(path, json.dumps(asdict(credentials)))
        return credentials


def write_private(path: Path, text: str) -> None:
    """Write a whole file that only its owner may read."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
