"""The report of an evaluation: what it says, and that it needs nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.evaluation import Comparison, compare, evaluate
from airflow_movielens.recommending.evaluation.bootstrap import interval_of_mean
from airflow_movielens.recommending.evaluation.charts import Bar, bars, differences
from airflow_movielens.recommending.evaluation.report import html_of, sentence_of

CUT = 1_000 * slow.DAY
RATINGS = pl.DataFrame(
    [
        (user, (user * 7 + place * 3) % 40, 4.0 + (user + place) % 3 / 2, (0 if user < 40 else CUT) + place)
        for user in range(60)
        for place in range(20)
    ],
    schema=slow.SCHEMA,
    orient="row",
)
VOID = {"meta", "br"}


class Page(HTMLParser):
    """The texts of a page, and the tags that are open."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.tags, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)


@pytest.fixture(scope="module")
def evaluation():
    model, champion = train(RATINGS, ModelParameters(lambda_1=5.0)), train(RATINGS, ModelParameters())
    return evaluate(RATINGS, model, champion, cuts=[CUT], known_likes=(1, 3))


def test_the_page_needs_nothing_else(evaluation):
    html = html_of(evaluation)
    page = Page(html)
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert not any({"src", "href", "onclick", "style"} & set(attributes) for _, attributes in page.tags)
    assert not re.search(r"url\(|@import|https?:", html)
    assert "prefers-color-scheme: dark" in html
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags


def test_the_page_says_what_was_found(evaluation):
    page = Page(html_of(evaluation))
    text = "\n".join(page.texts)
    comparisons = evaluation.comparisons()
    for name in ("trending", "champion"):
        assert sentence_of(comparisons[name], name) in text
    assert "Of each of 20 users who were new, 1 or 3 likes were known." in text
    assert "20 users are too few to tell recommenders apart" not in text
    assert "After September 1972: no user returned in these windows." in text
    for name in evaluation.recommenders:
        assert f"{pl.Series(evaluation.gate_users[name]).mean():.3f}" in text
    drawings = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == len(evaluation.recommenders) + 2 * 2


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ((0.02, 0.01, 0.03, 0.0, 0.061, 0.0229, 0.1021),
         "For new users, this model is better than the trending movies by +6.1 % (95 % interval +2.3 % to +10.2 %)."),
        ((-0.02, -0.03, -0.01, 1.0, -0.06, -0.1, -0.03),
         "For new users, this model is worse than the trending movies by -6.0 % (95 % interval -10.0 % to -3.0 %)."),
        ((0.01, -0.01, 0.03, 0.1, 0.02, -0.00001, 0.09),
         "For new users, this model and the trending movies cannot be told apart: +2.0 % (95 % interval +0.0 % to +9.0 %)."),
        ((0.2, 0.1, 0.3, 0.0, 2.0, None, None),
         "For new users, this model is better than the trending movies by +0.200 (95 % interval +0.100 to +0.300)."),
        ((0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0), "For new users, this model equals the trending movies."),
    ],
)  # fmt: skip
def test_comparisons_in_words(figures, said):
    assert sentence_of(Comparison(*figures), "trending").replace("\N{MINUS SIGN}", "-") == said


def test_names_are_escaped():
    drawn = bars([Bar('<b>&"', 1.0, 0.5, 1.5, "1 & 2")])
    assert "<b>" not in drawn
    assert "&lt;b&gt;&amp;&quot;: 1 &amp; 2" in drawn


def test_the_scale_of_a_chart_is_that_of_all_rows():
    drawn = bars([Bar("a", 1.0, 0.5, 2.0, ""), Bar("b", 0.5, 0.5, 0.5, "")])
    (long, short) = (float(width) for width in re.findall(r'width="([\d.]+)%" height="14"', drawn))
    assert long == 2 * short
    points = differences([Bar("a", 1.0, -1.0, 2.0, ""), Bar("b", -1.0, -2.0, 0.0, "")], "worse", "better")
    first, second = (float(place) for place in re.findall(r'cx="([\d.]+)%"', points))
    assert first - 50 == pytest.approx(50 - second)


def test_relative_differences_are_shares_of_the_baseline():
    chance = np.random.default_rng(2)
    baseline = pl.Series(chance.random(300))
    comparison = compare(baseline * 1.2, baseline)
    assert comparison.relative == pytest.approx(0.2)
    assert (comparison.relative_low, comparison.relative_high) == (pytest.approx(0.2), pytest.approx(0.2))
    nothing = compare(baseline, baseline * 0)
    assert (nothing.relative, nothing.relative_low, nothing.relative_high) == (None, None, None)
    low, high = interval_of_mean(baseline)
    assert high - low == pytest.approx(2 * 1.96 * baseline.std() / 300**0.5, rel=0.1)
