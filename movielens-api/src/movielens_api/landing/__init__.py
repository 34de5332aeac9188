"""The landing page at ``/``: the loaded data, ratings per year, and calls to copy. It loads nothing from other sites.

- ``chart``: ratings per year as an SVG chart and as a table.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import quote

from movielens_api import __version__
from movielens_api.http import content_security
from movielens_api.landing import chart
from movielens_api.landing.chart import ratings_per_year, shown

if TYPE_CHECKING:
    from fastapi import Request

    from movielens_api.table.catalogue import Catalogue
    from movielens_api.table.snapshots import Snapshot

# Other Host headers are not put into commands, because people paste these into a shell.
_HOST = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

# One command, so that `read` does not take the next line as its input.
LOG_IN = """\
printf 'user: ' && read -r API_USER &&
printf 'password: ' && read -rs API_PASSWORD && echo &&
export API_USER API_PASSWORD"""

ONE_DAY = """\
curl -u "$API_USER:$API_PASSWORD" "{address}/ratings{day}\""""

AS_CSV = """\
curl -u "$API_USER:$API_PASSWORD" -H "Accept: text/csv" \\
  -o ratings.csv "{address}/ratings{year}\""""

RECOMMENDATIONS = """\
curl -u "$API_USER:$API_PASSWORD" "{address}/users/1/recommendations\""""

PYTHON = """\
import os
from urllib.parse import urljoin

import requests

auth = os.environ["API_USER"], os.environ["API_PASSWORD"]
url = "{address}/ratings{day}"
while url:
    response = requests.get(url, auth=auth, timeout=30)
    response.raise_for_status()
    for rating in response.json()["result"]:
        print(rating)
    link = response.links.get("next")
    url = link and urljoin(response.url, link["url"])"""

FOLDER = files(__name__)
_STYLE = (FOLDER / "page.css").read_text(encoding="utf-8")
_SCRIPT = (FOLDER / "page.js").read_text(encoding="utf-8")
_PAGE = Template((FOLDER / "page.html").read_text(encoding="utf-8"))
HEADERS = content_security.headers(
    script_src=[content_security.inline(_SCRIPT)], style_src=[content_security.inline(_STYLE)], img_src=["data:"]
)
NOTHING = "<p>There are no ratings yet.</p>"
_CHART = Template("""\
<figure>
$drawing
<details>
<summary>Show the numbers</summary>
<table>
<caption>Ratings per year (UTC)</caption>
<thead><tr><th scope="col">Year</th><th scope="col">Ratings</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
</details>
</figure>""")
_CALL = Template("""\
<section class="call" aria-labelledby="call-$number">
<h3 id="call-$number">$title</h3>
<button type="button" hidden aria-describedby="call-$number">Copy</button>
<pre tabindex="0" aria-labelledby="call-$number"><code>$call</code></pre>
</section>""")


def address(request: Request) -> str:
    """Return the URL under which the visitor reached this server, if it is safe to paste into a shell."""
    host = request.headers.get("host", "")
    safe = host if _HOST.fullmatch(host) else "localhost"
    return f"{request.scope['scheme']}://{safe}{quote(request.scope.get('root_path', ''))}"


def calls(address: str, last_day: date | None, *, recommends: bool = False) -> list[tuple[str, str]]:
    """Return the titles and texts of calls that return ratings, and of one that returns recommendations.

    Args:
        address: The URL of the server, without a slash at the end.
        last_day: The last day with ratings, if any. The call for a year ends with it.
        recommends: Whether the server recommends movies.
    """
    day = year = ""
    if last_day and last_day < date.max:
        after = last_day + timedelta(days=1)
        day = f"?start_date={last_day}&end_date={after}"
        year = f"?start_date={last_day.year:04}-01-01&end_date={after}"
    titled = [
        ("Log in once per shell", LOG_IN),
        ("curl: the ratings of a day", ONE_DAY),
        ("curl: a year as CSV, in one response", AS_CSV),
        ("Python: page by page", PYTHON),
        *([("curl: movies for a user", RECOMMENDATIONS)] if recommends else []),
    ]
    return [(title, call.format(address=address, day=day, year=year)) for title, call in titled]


def render(catalogue: Catalogue, snapshot: Snapshot, address: str, model: str | None = None) -> bytes:
    """Write the page.

    Args:
        catalogue: The loaded dataset.
        snapshot: The state of the ratings to show.
        address: The URL under which the visitor reached the server.
        model: The version of the model that recommends movies, if any.
    """
    days = snapshot.ratings.days()
    years = shown(ratings_per_year(snapshot.ratings))
    page = _PAGE.substitute(
        style=_STYLE,
        script=_SCRIPT,
        facts="\n".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in _facts(catalogue, snapshot, model).items()
        ),
        chart=_CHART.substitute(drawing=chart.svg(years), rows=chart.table(years)) if years else NOTHING,
        calls="\n".join(
            _CALL.substitute(number=number, title=escape(title), call=escape(call))
            for number, (title, call) in enumerate(
                calls(address, days[1] if days else None, recommends=model is not None)
            )
        ),
    )
    # The path of a dataset may contain bytes that are not UTF-8.
    return page.encode(errors="replace")


def _facts(catalogue: Catalogue, snapshot: Snapshot, model: str | None) -> dict[str, str]:
    days = snapshot.ratings.days()
    facts = {
        "Ratings": f"{len(snapshot.ratings):,}",
        "Movies": f"{catalogue.movies.height:,}",
        "Users": f"{snapshot.ratings.users.height:,}",
        "First day": str(days[0]) if days else "none",
        "Last day": str(days[1]) if days else "none",
        # A dataset may be a path, and visitors should not see its folder.
        "Dataset": Path(catalogue.name).resolve().name or "unnamed",
        "Snapshot": snapshot.name,
        "Version": __version__,
    }
    return {**facts, "Model": model} if model else facts
