"""What must hold at the end of a campaign, by the evidence in its folder. Each check returns faults, in words.

- ``evidence``: the evidence, read.
- ``history``: the order in which posts were applied.
- ``ratings``: nothing is lost, doubled or invented.
- ``files``: each fetched file is the window of one version; each ranking is that of its inputs.
- ``leftovers``: no other files are left.
- ``secrets``: no planted secret is written anywhere.
- ``processes``: no traceback in a log; memory, threads and open files are bounded.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.campaign.checks import files, leftovers, processes, ratings, secrets
from tests.campaign.checks.evidence import Evidence

CHECKS: dict[str, Callable[[Evidence], list[str]]] = {
    "every acknowledged rating is served once": ratings.check_served,
    "posts are applied one after another": ratings.check_order,
    "every fetched file is one version": files.check_fetched,
    "every ranking is that of its inputs": files.check_ranked,
    "no command fails": processes.check_commands,
    "nothing else is left": leftovers.check,
    "no secret is written": secrets.check,
    "no traceback": processes.check_logs,
    "memory, threads and open files are bounded": processes.check_resources,
}
