"""Credentials that a server repeats are hidden however it writes them, and tracebacks do not show them."""

from __future__ import annotations

import dataclasses
import json
import pickle
import traceback
from base64 import b64decode, b64encode

import pytest
import requests
from unit.client_reads import DAY_2, ROWS
from unit.raw_server import listen, says
from unit.scripted_server import page_of
from unit.secret_forms import FORMS

from airflow_movielens.client import ClientSettings, DataError, FatalError, MovielensClient, MovielensError
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.http.masking import Secrets

PASSWORD = 'S3cr\u00e9t <&"/\\+ w\u00f6rd'
TOKEN = "eyJhbGciOi-J_IUzI1NiJ9"


def secrets(password=PASSWORD, **settings):
    return Secrets(ClientSettings("http://api", "user", password, **settings))


@pytest.mark.parametrize("secret", [PASSWORD, "hunter2!", TOKEN, "p%40ss&amp;", "a\\nb\\u0041c", "12345678"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_password_is_hidden(secret, form):
    written = FORMS[form](secret)
    shown = secrets(secret).hide(f"You sent {written}, which is wrong.")
    assert shown.startswith("You sent ")
    assert shown.endswith(", which is wrong.")
    assert "***" in shown
    # What is around it, such as other parts of the same base64, may stay.
    assert len(shown.removeprefix("You sent ").removesuffix(", which is wrong.").replace("***", "")) <= max(
        8, len(written) - len(secret)
    )
    assert secret.casefold() not in shown.casefold()
    assert written not in shown


def test_a_token_and_the_password_of_a_proxy_are_hidden():
    proxy = "http://me:pr%6Fxy-word@proxy:3128"
    hidden = Secrets(ClientSettings("http://api", token=TOKEN), proxy)
    assert hidden.hide(f"{TOKEN} {TOKEN.upper()} proxy-word PROXY%2DWORD") == "*** *** *** ***"


@pytest.mark.parametrize(
    "text", ["", "nothing & nobody; 100 % \\u00", "http://api/ratings?offset=1&limit=2&cursor=a%3D%3D"]
)
@pytest.mark.parametrize("password", [PASSWORD, "abc", "", "+ - +", " "])
def test_other_text_stays(text, password):
    assert secrets(password).hide(text) == text


def test_a_short_or_blank_password_is_not_looked_for_in_words():
    assert secrets("the").hide("the theatre") == "the theatre"
    assert secrets("- - -").hide("a - - - b") == "a *** b"


def responding(status, headers, body):
    """Return a client whose API always gives the same response."""
    headers = {"Content-Type": "application/json", **headers}
    return MovielensClient("http://api", "user", PASSWORD, retries=0, transport=lambda *_: (status, headers, body))


def said_by(error):
    """Return all that a log may show of an error."""
    lines = "".join(traceback.format_exception(error))
    return lines + repr(getattr(error, "bad_rows", "")) + repr(error.exchange)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_a_server_repeats_is_shown(form):
    written = FORMS[form](PASSWORD)
    row = page_of([ROWS[0] | {"rating": written, "more": [written, {written: 1}]}], {}).encoded()
    responses = [
        (400, {}, json.dumps({"detail": written}).encode()),
        (500, {}, written.encode()),
        (200, {"Content-Type": "text/html"}, written.encode()),
        (200, {}, row),
        (200, {}, page_of(ROWS, {}, total=written).encoded()),
    ]
    for status, headers, body in responses:
        with responding(status, headers, body) as client, pytest.raises(MovielensError) as caught:
            list(client.get_ratings(DAY_2.start, DAY_2.end))
        assert "***" in str(caught.value)
        assert written not in said_by(caught.value)


@pytest.mark.parametrize("written", [PASSWORD, b64encode(PASSWORD.encode()).decode()])
@pytest.mark.parametrize(
    "form",
    [
        "HTTP/1.1 {}",
        "HTTP/1.1 200 OK\r\n{}: x",
        "HTTP/1.1 200 OK\r\nContent-Length: {}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "HTTP/1.1 302 {0}\r\nLocation: http://{0}",
        "{}",
    ],
)
def test_the_causes_of_an_error_show_no_credentials(form, written):
    with listen(says(form.format(written).encode() + b"\r\n\r\n")) as port:
        with MovielensClient(f"http://127.0.0.1:{port}", "user", PASSWORD, retries=0) as client:
            with pytest.raises(MovielensError) as caught:
                list(client.get_ratings(DAY_2.start, DAY_2.end))
            with pytest.raises(MovielensError) as counted:
                client.count_ratings(DAY_2.start, DAY_2.end)
    for error in (caught.value, counted.value):
        told = said_by(error)
        assert not [secret for secret in (written, repr(written)[1:-1], repr(written.encode())[2:-1]) if secret in told]


def test_a_bad_row_is_quarantined_without_credentials(tmp_path):
    rows = [ROWS[0], ROWS[1] | {"rating": PASSWORD, PASSWORD: [PASSWORD.upper()]}]
    body = page_of(rows, {}).encoded()
    with responding(200, {"Snapshot": "s1"}, body) as client:
        fetch_ratings(client, DAY_2, LocalOutput(tmp_path / "r.csv"), on_bad_rows="quarantine")
    (line,) = (tmp_path / "r.csv.quarantine.ndjson").read_text().splitlines()
    assert json.loads(line)["row"] == ROWS[1] | {"rating": "***", "***": ["***"]}
    assert PASSWORD not in line


@pytest.mark.parametrize("form", FORMS)
def test_a_snapshot_is_copied_without_credentials(tmp_path, form):
    written = "".join(FORMS[form]("hunter2!").split("\n"))
    with MovielensClient(
        "http://api",
        "user",
        "hunter2!",
        transport=lambda *_: (
            200,
            {"Content-Type": "application/json", "Snapshot": f"s1-{written}"},
            page_of(ROWS[:5], {}).encoded(),
        ),
    ) as client:
        manifest = fetch_ratings(client, DAY_2, LocalOutput(tmp_path / "r.csv"))
    assert "***" in manifest.snapshot
    assert written not in json.dumps(manifest.to_dict())


@pytest.mark.parametrize("name", ["", "x" * 201, "s\u00fc\u00df", "a\x1b[2J", "tab\t"])
def test_a_snapshot_with_an_unusual_name_is_refused(name):
    with responding(200, {"Snapshot": name}, page_of(ROWS[:5], {}).encoded()) as client:
        with pytest.raises(DataError, match=r"has the Snapshot .* expected 1 to 200 printable ASCII characters"):
            list(client.get_ratings(DAY_2.start, DAY_2.end))


SHOWN = [PASSWORD, PASSWORD.encode().decode("latin-1"), b64encode(f"user:{PASSWORD}".encode()).decode()]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[",
        b"HTTP/1.1 302 OK\r\nLocation: /\r\n\r\n",
        None,
    ],
)
def test_a_traceback_with_local_variables_shows_no_credentials(answer):
    with listen(says(answer or b"")) as port:
        with MovielensClient(
            f"http://127.0.0.1:{port if answer is not None else 1}", "user", PASSWORD, retries=0
        ) as client:
            with pytest.raises(MovielensError) as caught:
                list(client.get_ratings(DAY_2.start, DAY_2.end))
    lines = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "transport.py" in lines
    assert not [secret for secret in SHOWN if secret in lines or repr(secret)[1:-1] in lines]


def test_a_traceback_of_a_wrong_setting_shows_no_credentials():
    with pytest.raises(FatalError) as caught:
        MovielensClient("http://api", "user", PASSWORD, TOKEN, page_size=0)
    lines = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    # The caller's own frame is not ours.
    ours = lines.partition("client.py")[2]
    assert "settings.py" in ours
    assert not [secret for secret in (*SHOWN, TOKEN) if secret in ours or repr(secret)[1:-1] in ours]


def test_settings_and_session_show_no_credentials():
    with MovielensClient("http://api", "user", PASSWORD) as client:
        settings, session = client.settings, client.session
        prepared = session.prepare_request(requests.Request("GET", "http://api/ratings"))
        shown = repr([dataclasses.asdict(settings), settings, vars(session), vars(session.auth), prepared.headers])
        assert b64decode(prepared.headers["Authorization"].split()[1]).decode() == f"user:{PASSWORD}"
    assert not [secret for secret in SHOWN if secret in shown or repr(secret)[1:-1] in shown]
    with pytest.raises(TypeError, match="Secret is not JSON serializable"):
        json.dumps(dataclasses.asdict(settings))
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert settings.password.reveal() == PASSWORD
