"""Server, writers, fetches and rankings under random disturbances, and what must hold afterwards.

`python -m tests.campaign --minutes 20 --seed 7`; the same `--folder` continues a campaign.

- ``plan``: all that follows from the seed: users, ratings, and the chance of each part.
- ``journal``: what has happened, so that a campaign can be continued and checked.
- ``api``: the server under test.
- ``network``, ``gateway``: a connection that delays, cuts and trickles; a gateway that leaves headers out.
- ``writers``, ``fetches``, ``rankings``, ``loiterers``: the clients.
- ``commands``: the processes of ``movielens``, and what disturbs them.
- ``disturbances``: what disturbs the server.
- ``run``: a campaign from its start to its evidence.
- ``checks``: what must hold, by the evidence alone.
- ``report``: the figures.

What is proven, for the disturbances that occurred:

- Each acknowledged rating is served exactly once after a restart, and nothing that was not posted as a whole is.
- The posts are applied one after another, each as a whole: the versions that their responses name leave no gap and do
  not overlap.
- Each fetched file equals the window of one version, which lies between two posts. A named snapshot is that version. A
  file has all ratings that were acknowledged before the fetch began, and none that were posted after it ended.
- Each ranking equals the ranking of its input files, as its manifest names them, computed again by the same code.
- No other files are left, no planted secret is written anywhere, no log has a traceback, and the server's memory,
  threads and open files are bounded.

What is not: the loss of power (processes are killed, not the machine), ratings that replace others with the same
identity (no two ratings of a campaign have the same), and the ranking formulas. The order of events depends on the
machine: a seed repeats the same plan, not the same moments.
"""

from __future__ import annotations

import sys
from pathlib import Path

# The helpers of the tests import each other as they do in pytest.
sys.path.append(str(Path(__file__).parents[1]))
