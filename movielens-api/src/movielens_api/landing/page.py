"""The page, put together."""

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from movielens_api import __version__, content_security
from movielens_api.catalogue import Catalogue
from movielens_api.landing import chart
from movielens_api.landing.examples import calls
from movielens_api.landing.years import ratings_per_year, shown
from movielens_api.snapshots import Snapshot

FOLDER = files(__name__.rpartition(".")[0])
STYLE = (FOLDER / "page.css").read_text(encoding="utf-8")
SCRIPT = (FOLDER / "page.js").read_text(encoding="utf-8")
PAGE = Template((FOLDER / "page.html").read_text(encoding="utf-8"))
HEADERS = content_security.headers(
    script_src=[content_security.inline(SCRIPT)], style_src=[content_security.inline(STYLE)], img_src=["data:"]
)
NOTHING = "<p>There are no ratings yet.</p>"
CHART = Template("""\
<figure>
$drawing
<details>
<summary>The numbers</summary>
<table>
<caption>Ratings per year (UTC)</caption>
<thead><tr><th scope="col">Year</th><th scope="col">Ratings</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
</details>
</figure>""")
CALL = Template("""\
<section class="call" aria-labelledby="call-$number">
<h3 id="call-$number">$title</h3>
<button type="button" hidden aria-describedby="call-$number">Copy</button>
<pre tabindex="0" aria-labelledby="call-$number"><code>$call</code></pre>
</section>""")


def render(catalogue: Catalogue, snapshot: Snapshot, address: str) -> bytes:
    """Write the page.

    Args:
        catalogue: what is loaded.
        snapshot: the state of the ratings to tell of.
        address: where the visitor reached the server.
    """
    days = snapshot.ratings.days()
    page = PAGE.substitute(
        style=STYLE,
        script=SCRIPT,
        facts="\n".join(_fact(name, value) for name, value in _facts(catalogue, snapshot).items()),
        chart=_chart(shown(ratings_per_year(snapshot.ratings))),
        calls="\n".join(
            CALL.substitute(number=number, title=escape(title), call=escape(call))
            for number, (title, call) in enumerate(calls(address, days[1] if days else None))
        ),
    )
    # A path of a dataset may hold bytes that are no UTF-8.
    return page.encode(errors="replace")


def _facts(catalogue: Catalogue, snapshot: Snapshot) -> dict[str, str]:
    days = snapshot.ratings.days()
    return {
        "Ratings": f"{len(snapshot.ratings):,}",
        "Movies": f"{catalogue.movies.height:,}",
        "Users": f"{snapshot.ratings.users.height:,}",
        "First day": str(days[0]) if days else "none",
        "Last day": str(days[1]) if days else "none",
        # A dataset may be a path, and where it lies is nobody's business.
        "Dataset": Path(catalogue.name).resolve().name or "unnamed",
        "Snapshot": snapshot.name,
        "Version": __version__,
    }


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _chart(counts: dict[int, int]) -> str:
    return CHART.substitute(drawing=chart.svg(counts), rows=chart.table(counts)) if counts else NOTHING
