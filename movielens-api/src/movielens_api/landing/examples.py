"""Calls to copy. They take user and password from the environment, so neither is ever on the page."""

import re
from datetime import date, timedelta
from urllib.parse import quote

from fastapi import Request

# Whatever else a Host header holds does not go into commands that people paste into a shell.
HOST = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

# One command, so that no line of it is read as the user's answer to the line before.
LOG_IN = """\
printf 'user: ' && read -r API_USER &&
printf 'password: ' && read -rs API_PASSWORD && echo &&
export API_USER API_PASSWORD"""

ONE_DAY = """\
curl -u "$API_USER:$API_PASSWORD" "{address}/ratings{day}\""""

AS_CSV = """\
curl -u "$API_USER:$API_PASSWORD" -H "Accept: text/csv" \\
  -o ratings.csv "{address}/ratings{year}\""""

PYTHON = """\
import os
from urllib.parse import urljoin

import requests

auth = os.environ["API_USER"], os.environ["API_PASSWORD"]
url = "{address}/ratings{day}"
while url:
    answer = requests.get(url, auth=auth, timeout=30)
    answer.raise_for_status()
    for rating in answer.json()["result"]:
        print(rating)
    following = answer.links.get("next")
    url = following and urljoin(answer.url, following["url"])"""


def address(request: Request) -> str:
    """Return where the visitor reached this server, as far as that is safe to paste into a shell."""
    host = request.headers.get("host", "")
    safe = host if HOST.fullmatch(host) else "localhost"
    return f"{request.scope['scheme']}://{safe}{quote(request.scope.get('root_path', ''))}"


def calls(address: str, last_day: date | None) -> list[tuple[str, str]]:
    """Return calls that find ratings, each below its title.

    Args:
        address: where the server is, without a slash at the end.
        last_day: a day with ratings; the call of a year asks for the one that ends with it.
    """
    day = year = ""
    if last_day and last_day < date.max:
        after = last_day + timedelta(days=1)
        day = f"?start_date={last_day}&end_date={after}"
        year = f"?start_date={last_day.year:04}-01-01&end_date={after}"
    titled = [
        ("Log in once per shell", LOG_IN),
        ("curl: the ratings of a day", ONE_DAY),
        ("curl: a year as CSV, all in one answer", AS_CSV),
        ("Python: page by page", PYTHON),
    ]
    return [(title, call.format(address=address, day=day, year=year)) for title, call in titled]
