"""The key that signs cursors: random, one for each store, in a file of its own that only its owner can read.

It lies in the folder of the store, so cursors outlive a restart, and all processes of the server share it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from movielens_api.system.atomic_files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32


def ensure_key(path: Path) -> None:
    """Write a random key, unless the file has one. With a new key, the server refuses all cursors it issued before.

    Args:
        path: The file. The caller holds the lock of the store.

    Raises:
        OSError: The file cannot be read or written.
    """
    if path.exists() and len(path.read_bytes()) == KEY_BYTES:
        return
    with replace_file(path) as file:
        file.write(secrets.token_bytes(KEY_BYTES))
