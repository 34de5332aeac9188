"""The columns of a file under the names that it gives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def find_columns(given: Iterable[str], wanted: Sequence[str]) -> dict[str, str]:
    """Find each wanted column, in any case and with spaces or underscores: ``userId`` is ``USER_ID`` too.

    Args:
        given: The names in the file; others than the wanted ones are ignored.
        wanted: The names of the table.

    Returns:
        The file's name for each wanted name.

    Raises:
        ValueError: A column is missing, or there are two that could be meant.
    """
    names = list(given)
    found = {name: [other for other in names if _plain(other) == _plain(name)] for name in wanted}
    if missing := [name for name, others in found.items() if not others]:
        raise ValueError(
            f"lacks the columns {', '.join(missing)}; it has {', '.join(map(repr, names)) or 'none'}"[:300]
        )
    for name, others in found.items():
        if len(others) > 1:
            raise ValueError(f"has the column {name} more than once: {', '.join(map(repr, others))}")
    return {name: others[0] for name, others in found.items()}


def _plain(name: str) -> str:
    return re.sub(r"[\s_]", "", name).casefold()
