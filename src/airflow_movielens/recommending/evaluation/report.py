"""The report of an evaluation: one HTML page without scripts, readable alone."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from airflow_movielens.recommending.evaluation.bootstrap import interval_of_mean
from airflow_movielens.recommending.evaluation.sections import (
    MINUS,
    NAMES,
    by_cut,
    capitalised,
    known,
    month,
    returning,
    who_finds_most,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_movielens.recommending.evaluation.bootstrap import Comparison
    from airflow_movielens.recommending.evaluation.result import Evaluation
    from airflow_movielens.recommending.evaluation.sections import Section

_NOTHING = "none"
_STYLE = """
:root { color-scheme: light dark; --page: #fcfcfb; --text: #1b1b19; --muted: #62625d; --line: #dddcd6;
  --main: #1f66c7; --other: #aeada5; --whisker: #1b1b19; --card: #f3f2ee; }
@media (prefers-color-scheme: dark) { :root { --page: #171716; --text: #ecebe6; --muted: #a3a29a; --line: #3a3935;
  --main: #6ea6f5; --other: #6d6c66; --whisker: #ecebe6; --card: #21211f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 16px 48px; max-width: 760px; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.15rem; margin: 40px 0 6px; }
p { margin: 6px 0 12px; }
.muted, .label small { color: var(--muted); }
.lead { background: var(--card); border-left: 4px solid var(--main); padding: 12px 16px; margin: 20px 0;
  font-size: 1.1rem; }
.lead p { margin: 4px 0; }
.chart { margin: 12px 0 8px; }
.row { display: grid; grid-template-columns: 1fr auto; column-gap: 12px; padding: 7px 0 5px; }
.row svg { grid-column: 1 / 3; display: block; overflow: visible; }
.text { font-variant-numeric: tabular-nums; text-align: right; }
.ends { display: grid; grid-template-columns: 1fr auto 1fr; color: var(--muted); font-size: .85rem; gap: 12px; }
.ends span:last-child { text-align: right; }
rect.main, circle.main { fill: var(--main); } rect.other, circle.other { fill: var(--other); }
.whisker line { stroke: var(--whisker); stroke-width: 1.5; } line.zero { stroke: var(--muted); stroke-dasharray: 3 3; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 8px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { font-weight: 600; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
td:not(:first-child) { white-space: nowrap; }
tr.main td { font-weight: 600; }
summary { cursor: pointer; padding: 6px 0; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 16px; font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 480px) { dl { display: block; } dt { margin-top: 8px; color: var(--muted); }
  .row { grid-template-columns: 1fr; } .row svg { grid-column: 1; } .text { text-align: left; } }
"""


def html_of(evaluation: Evaluation) -> str:
    """Return the report as an HTML page."""
    parts = [
        _lead(evaluation),
        _section(who_finds_most(evaluation, _interval)),
        *(
            _section(by_cut(evaluation, baseline))
            for baseline in ("trending", "champion")
            if baseline in evaluation.recommenders
        ),
        _section(returning(evaluation)),
        _beyond(evaluation),
        _all_figures(evaluation),
        _how(evaluation),
    ]
    facts = evaluation.ratings
    subtitle = (
        f"{facts['ratings']:,} ratings of {facts['users']:,} users, {_day(facts['first'])} to {_day(facts['last'])}; "
        f"evaluated {_day(evaluation.made_at)}"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>How good the recommendations are</title><style>{_STYLE}</style></head>\n<body>"
        f'<h1>How good the recommendations are</h1><p class="muted">{escape(subtitle)}</p>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def sentence_of(comparison: Comparison, baseline: str) -> str:
    """Return what a comparison of the challenger says, in one sentence."""
    name, figures = NAMES[baseline], _relative(comparison)
    if comparison.mean == comparison.low == comparison.high == 0:
        return f"For new users, this model equals {name}."
    if comparison.low > 0:
        return f"For new users, this model is better than {name} by {figures}."
    if comparison.high < 0:
        return f"For new users, this model is worse than {name} by {figures}."
    return f"For new users, this model and {name} cannot be told apart: {figures}."


def _lead(evaluation: Evaluation) -> str:
    found = evaluation.comparisons()
    told = [sentence_of(found[name], name) for name in ("trending", "champion") if name in found]
    shuffled = found["shuffled"]
    tested = (
        "With its movies shuffled, the model is far worse, as it must be: the evaluation tells good from bad."
        if shuffled.low > 0
        else "With its movies shuffled, the model is not worse: this evaluation cannot tell good from bad."
    )
    return f'<div class="lead">{_paragraphs([*told, tested])}</div>'


def _section(section: Section) -> str:
    return f"<h2>{escape(section.heading)}</h2>{_paragraphs(section.sentences)}{section.chart}"


def _interval(figures: Sequence[float]) -> tuple[float, float]:
    import polars as pl

    return interval_of_mean(pl.Series(figures))


def _beyond(evaluation: Evaluation) -> str:
    latest = [entry for entry in evaluation.new_users if entry["cut"] == evaluation.cuts[-1]]
    entry = latest[len(latest) // 2]
    own, crowd = entry["figures"]["challenger"], entry["figures"]["trending"]
    whom = f"To the {entry['users']:,} users new since {month(entry['cut'])}, with {known(entry['known_likes'])}"
    coverage = (
        f"{whom}, the model recommends {own['coverage']:,} different movies, {_percent(own['coverage_share'])} of the "
        f"catalogue; the trending movies are {crowd['coverage']:,}."
    )
    popularity = (
        f"{capitalised(_percent(own['long_tail']))} of what it recommends is in the long tail: outside the most liked "
        "movies that together receive 80 % of all likes. A recommended movie was rated by one in "
        f"{2 ** (own['novelty'] or 0):.1f} users (geometric mean)."
    )
    cold = f"{_percent(own['cold_answered'])} of the users get a full list before their first rating."
    sentences = [coverage, popularity, cold]
    return f"<h2>Beyond accuracy</h2>{_paragraphs(sentences)}{_figures_table(entry, evaluation.recommenders)}"


def _all_figures(evaluation: Evaluation) -> str:
    tables = []
    for entry in [*evaluation.new_users, *evaluation.existing_users]:
        if not entry["users"]:
            continue
        kind = f"{known(entry['known_likes'])}, new" if "known_likes" in entry else "returning"
        heading = f"{kind} users since {_day(entry['cut'])}: {entry['users']:,}"
        tables.append(
            f"<details><summary>{escape(heading)}</summary>{_figures_table(entry, evaluation.recommenders)}</details>"
        )
    return f"<h2>All figures</h2>{''.join(tables)}"


def _figures_table(entry: Mapping[str, Any], recommenders: Sequence[str]) -> str:
    heads = ["", "NDCG@10", "recall@10", "movies", "of catalogue", "novelty, bits", "long tail", "cold answered"]
    rows = []
    for name in recommenders:
        figures = entry["figures"][name]
        cells = [
            capitalised(NAMES[name]),
            f"{figures['ndcg']:.3f}",
            f"{figures['recall']:.3f}",
            f"{figures['coverage']:,}",
            _percent(figures["coverage_share"]),
            _NOTHING if figures["novelty"] is None else f"{figures['novelty']:.2f}",
            _percent(figures["long_tail"]),
            _percent(figures.get("cold_answered")),
        ]
        drawn = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        kind = ' class="main"' if name == "challenger" else ""
        rows.append(f"<tr{kind}>{drawn}</tr>")
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _how(evaluation: Evaluation) -> str:
    facts: list[tuple[str, str]] = [("ratings", f"checksum {evaluation.ratings['checksum']}")]
    for name, model in evaluation.models.items():
        parameters = ", ".join(f"{key} {value}" for key, value in model["parameters"].items() if value is not None)
        seen = model["trained_on"]
        trained_on = f"trained on {seen['ratings']:,} ratings of {seen['users']:,} users"
        facts.append((NAMES[name], f"{parameters}; {trained_on}"))
        facts += [(f"at {_day(judged['cut'])}", judged["model"]) for judged in model["judged"]]
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    protocol = (
        "Nothing from after a moment reaches what is evaluated at it: neither ratings nor the catalogue nor what is "
        "trending. All movies are candidates, except those that the user has rated."
    )
    care = (
        "Users rate what the site shows them, popular movies above all. So all figures favour popular movies, and they "
        "say more about differences than about satisfaction."
    )
    return f"<h2>How it was evaluated</h2>{_paragraphs([protocol, care])}<dl>{items}</dl>"


def _relative(comparison: Comparison) -> str:
    bounds = (comparison.relative, comparison.relative_low, comparison.relative_high)
    if None in bounds:
        texts = [f"{value:+z.3f}" for value in (comparison.mean, comparison.low, comparison.high)]
    else:
        texts = [f"{100 * value:+z.1f} %" for value in bounds]  # type: ignore[operator]
    value, low, high = (text.replace("-", MINUS) for text in texts)
    return f"{value} (95 % interval {low} to {high})"


def _percent(share: float | None) -> str:
    return _NOTHING if share is None else f"{100 * share:.1f} %".replace(".0 %", " %")


def _paragraphs(sentences: Iterable[str]) -> str:
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def _day(time: str) -> str:
    return time[:10]
