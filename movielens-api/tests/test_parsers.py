"""Parsers of what others send or write, given random and damaged input: a right result or a clear refusal, nothing else."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from movielens_api.auth.credentials import parse_basic, parse_bearer
from movielens_api.auth.users_file import Users, read
from movielens_api.errors import DamagedUsersError
from movielens_api.formats import FORMATS
from movielens_api.http import cursors, etags, negotiation
from movielens_api.http.cursors import BadCursorError, Cursor
from movielens_api.http.ingest import NewRating, NotJsonError, OwnRating, RowParser, TooManyRowsError, WrongRowsError
from movielens_api.http.parameters import MAX_LIMIT, RatingsQuery, read_query
from movielens_api.recommendations.registry import UnusableRegistryError, champion_of
from movielens_api.store.cursor_key import KEY_BYTES
from movielens_api.table.snapshots import Origin, SnapshotGoneError

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
fuzzed = settings(
    max_examples=EXAMPLES,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON, NDJSON = "application/json", "application/x-ndjson"
DEEP = b"[" * 100_000
PARSERS: dict[type[OwnRating], RowParser[Any]] = {kind: RowParser(kind) for kind in (OwnRating, NewRating)}
LARGEST = {"userId": 2**31 - 1, "movieId": 2**31 - 1, "timestamp": 253_402_300_799}


# Posted rows, compared with Python's own parser of JSON.


class NotRatingsError(Exception):
    """The body does not hold ratings."""


def refuse(_text: str) -> None:
    raise NotRatingsError


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotRatingsError
    return found


def expected_rows(body: bytes, media_type: str, kind: type[OwnRating]) -> list[dict[str, Any]]:
    """Return the rows in a body as JSON and the documentation define them."""
    names = set(kind.model_fields)
    try:
        text = body.decode()
        texts = [text] if media_type == JSON else [line for line in text.split("\n") if line.strip(" \t\r")]
        found = [json.loads(each, object_pairs_hook=unique, parse_constant=refuse) for each in texts]
    except (ValueError, RecursionError):
        raise NotRatingsError from None
    rows = found[0] if media_type == JSON else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) and is_rating(row, names) for row in rows):
        raise NotRatingsError
    return rows


def is_rating(row: dict[str, Any], names: set[str]) -> bool:
    numbers = {name: row[name] for name in names - {"rating"} if name in row}
    rating = row.get("rating")
    return (
        set(row) == names
        and type(rating) in (int, float)
        and rating in [half / 2 for half in range(1, 11)]
        and all(type(number) is int and (name == "timestamp") <= 1 for name, number in numbers.items())
        and all((0 if name == "timestamp" else 1) <= number <= LARGEST[name] for name, number in numbers.items())
    )


scalars = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-3, 2**33),
    some.integers(),
    some.floats(),
    some.text(max_size=5),
    some.sampled_from([0.5, 5, 5.5, 2**31 - 1, 2**31, LARGEST["timestamp"], LARGEST["timestamp"] + 1, 1e300]),
)
good = some.fixed_dictionaries(
    {
        "userId": some.integers(1, 2**31 - 1),
        "movieId": some.integers(1, 2**31 - 1),
        "rating": some.integers(1, 10).map(lambda half: half / 2),
        "timestamp": some.integers(0, LARGEST["timestamp"]),
    }
)
columns = some.sampled_from(["userId", "movieId", "rating", "timestamp", "more", "\ud800"])
PIECES = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\r", b" ", b"\t", b"\x0b", b"\x0c", b"\0", b"\xff",
          b"0", b"-", b"+", b".", b"e", b"E", b"1e1", b"NaN", b"null", b"true", b"Infinity", b"-0", b"00", b"\\ud800",
          b"\\u0072ating", b'"rating":4,', b"\xef\xbb\xbf", b"/**/", b"\xc2\xa0", b"\xe2\x80\xa8"]  # fmt: skip


@some.composite
def bodies(draw: some.DrawFn) -> tuple[bytes, str, type[OwnRating]]:
    """Draw a body, mostly of good rows, with a few wrong values and wrong bytes."""
    media_type, kind = draw(some.sampled_from([JSON, NDJSON])), draw(some.sampled_from([OwnRating, NewRating]))
    rows = draw(some.lists(good, max_size=4))
    if kind is OwnRating and draw(some.integers(0, 9)):
        rows = [{name: value for name, value in row.items() if name != "userId"} for row in rows]
    for _ in range(draw(some.integers(0, 1))):
        if rows:
            draw(some.sampled_from(rows))[draw(columns)] = draw(scalars)
    separators = draw(some.sampled_from([(",", ":"), (", ", ": ")]))
    texts = [json.dumps(row, separators=separators) for row in rows]
    body = bytearray(f"[{','.join(texts)}]" if media_type == JSON else "\n".join(texts), "utf-8")
    for _ in range(draw(some.integers(0, 2))):
        place = draw(some.integers(0, len(body)))
        body[place : place + draw(some.integers(0, 3))] = draw(some.sampled_from([b"", *PIECES]))
    return bytes(body), media_type, kind


@fuzzed
@given(bodies())
@example((b"\x0b\n\x0c", NDJSON, NewRating))
def test_posted_rows_are_exactly_those_of_the_json_standard(drawn: tuple[bytes, str, type[OwnRating]]) -> None:
    body, media_type, kind = drawn
    try:
        found = [row.model_dump() for row in PARSERS[kind].parse(body, media_type)]
    except (NotJsonError, TooManyRowsError, WrongRowsError):
        with pytest.raises(NotRatingsError):
            expected_rows(body, media_type, kind)
    else:
        assert found == expected_rows(body, media_type, kind)


@fuzzed
@given(body=some.binary(max_size=300), media_type=some.sampled_from([JSON, NDJSON]))
def test_any_bytes_as_posted_rows(body: bytes, media_type: str) -> None:
    try:
        PARSERS[NewRating].parse(body, media_type)
    except (NotJsonError, TooManyRowsError, WrongRowsError):
        return
    assert expected_rows(body, media_type, NewRating) == []


# Cursors

ORIGIN = Origin(b"digest", b"lineage", b"k" * KEY_BYTES)
counts = some.integers(0, 2**64 - 1)
cursor_values = some.builds(Cursor, some.just(b""), counts, counts, counts, counts, some.integers(0, MAX_LIMIT)).map(
    lambda cursor: Cursor(ORIGIN.identify(cursor.version), *list(vars(cursor).values())[1:])
)


@fuzzed
@given(cursor=cursor_values, place=some.integers(0, 87), put=some.text(max_size=3), removed=some.integers(0, 3))
def test_a_cursor_is_read_as_it_was_written_or_not_at_all(cursor: Cursor, place: int, put: str, removed: int) -> None:
    token = cursor.token(ORIGIN.key)
    assert cursors.read(token, ORIGIN) == cursor
    changed = token[:place] + put + token[place + removed :]
    if changed != token:
        with pytest.raises((BadCursorError, SnapshotGoneError)):
            cursors.read(changed, ORIGIN)


@fuzzed
@given(
    some.text(max_size=100)
    | some.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=", min_size=88, max_size=88)
)
def test_any_text_as_a_cursor(token: str) -> None:
    with pytest.raises((BadCursorError, SnapshotGoneError)):
        cursors.read(token, ORIGIN)


# Query parameters

numbers = some.integers(-(2**70), 2**70).map(str) | some.sampled_from(
    ["", "0", "-0", "007", "1e3", "+1", " 1", "\uff11"]
)
dates = some.dates().map(str) | some.sampled_from(
    ["", "0000-01-01", "2015-02-30", "2015-1-1", "20150101", "\u0661\u0669\u0669\u0665-01-01"]
)
parameters = some.lists(
    some.tuples(some.sampled_from(["offset", "limit"]), numbers)
    | some.tuples(some.sampled_from(["start_date", "end_date"]), dates)
    | some.tuples(some.just("cursor") | some.text(max_size=5), some.text(max_size=220)),
    max_size=5,
    unique_by=lambda pair: pair[0],
)


@fuzzed
@given(given_pairs=parameters, junk=some.sampled_from([b"", b"&", b"&&=", b"&%", b"&%zz=%00", b"&a=%ff%fe"]))
def test_a_query_is_read_strictly(given_pairs: list[tuple[str, str]], junk: bytes) -> None:
    written = urlencode(given_pairs, errors="replace").encode() + junk
    request = Request({"type": "http", "query_string": written, "headers": []})
    sent = dict(parse_qsl(written.decode("latin-1"), keep_blank_values=True))
    try:
        query = read_query(RatingsQuery, request)
    except RequestValidationError:
        assert not is_right_query(sent)
    else:
        assert is_right_query(sent)
        assert {name: str(getattr(query, name)) for name in sent} == {
            name: str(int(text)) if name in {"offset", "limit"} else text for name, text in sent.items()
        }


def is_right_query(sent: dict[str, str]) -> bool:
    most = {"offset": 2**63 - 1, "limit": MAX_LIMIT}
    numbers_are_right = all(
        text.isascii() and text.lstrip("-").isdigit() and len(text.lstrip("-")) < 20 and text.count("-") < 2
        and 0 <= int(text) <= most[name]
        for name, text in sent.items() if name in most
    )  # fmt: skip
    days = [sent[name] for name in ("start_date", "end_date") if name in sent]
    return (
        numbers_are_right
        and set(sent) <= set(RatingsQuery.model_fields)
        and all(is_day(day) for day in days)
        and days == sorted(days)
        and len(sent.get("cursor", "")) <= 200
    )


def is_day(text: str) -> bool:
    try:
        return len(text) == 10 and text.isascii() and str(date.fromisoformat(text)) == text
    except ValueError:
        return False


# Headers

TYPES = ("application/json", *FORMATS)
CODINGS = ("zstd", "gzip")
accepts = some.lists(
    some.sampled_from([*TYPES, *CODINGS, "*/*", "application/*", "*", "identity", ";q=", ";q=0", "0.5", "1.001", ",",
                       ";", '"', '\\"', "=", " ", "\t", "q", "Q=1", "é", "\xff"]) | some.text(max_size=3),
    max_size=12,
).map("".join)  # fmt: skip


@fuzzed
@given(accepts)
def test_any_accept_header(header: str) -> None:
    assert negotiation.media_type(header, TYPES) in {None, *TYPES}
    assert negotiation.coding(header, CODINGS) in {"identity", *CODINGS}


qualities = some.sampled_from([None, "0", "0.000", "0.1", "0.5", "0.999", "1", "1.0", "1.000"])


@fuzzed
@given(
    some.dictionaries(some.sampled_from([*TYPES, "*/*", "application/*", "text/*", "image/png"]), qualities, min_size=1)
)
def test_the_most_acceptable_format_is_chosen(wanted: dict[str, str | None]) -> None:
    header = ", ".join(name if quality is None else f"{name};q={quality}" for name, quality in wanted.items())

    def quality(media_type: str) -> float:
        for pattern in (media_type, media_type.split("/", maxsplit=1)[0] + "/*", "*/*"):
            if pattern in wanted:
                return float(wanted[pattern] or "1")
        return 0.0

    chosen = negotiation.media_type(header, TYPES)
    assert (0.0 if chosen is None else quality(chosen)) == max(map(quality, TYPES))


@fuzzed
@given(header=some.text(max_size=40), tag=some.text("0123456789abcdef", min_size=1, max_size=24))
def test_any_if_none_match_header(header: str, tag: str) -> None:
    assert not etags.matches(header.replace("*", ""), f'"{tag}"') or f'"{tag}"' in header
    quoted = header.replace('"', "")
    assert etags.matches(f'{quoted},"x", W/"{tag}",', f'"{tag}"')


@fuzzed
@given(some.binary(max_size=60) | some.binary(max_size=40).map(lambda junk: b"basic " + junk))
def test_any_authorization_header(header: bytes) -> None:
    for parse in (parse_basic, parse_bearer):
        found = parse(header)
        assert found is None or len(b"".join(found) if isinstance(found, tuple) else found) <= len(header)


# Files


def damaged_bytes(content: bytes) -> some.SearchStrategy[bytes]:
    """Draw the content with up to three faults."""

    @some.composite
    def damaged(draw: some.DrawFn) -> bytes:
        found = bytearray(content)
        for _ in range(draw(some.integers(1, 3))):
            place = draw(some.integers(0, len(found)))
            put = some.binary(max_size=4) | some.sampled_from([*PIECES, DEEP, b"9" * 5_000, b'"tokens":[{}],'])
            found[place : place + draw(some.integers(0, 8))] = draw(put)
        return bytes(found)

    return damaged()


def users_in_json() -> bytes:
    users = Users().add("ann", "write", "$scrypt$ln=4,r=8,p=1$" + "A" * 22 + "$" + "A" * 43)
    return users.add_token("ann", "t", "read", "secret", None).model_dump_json(indent=1).encode()


@fuzzed
@given(content=damaged_bytes(users_in_json()) | some.binary(max_size=50))
@example(content=b'{"one\\nother\\u001b[31m": 1}')
def test_a_damaged_users_file_is_refused_or_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "users.json"
    path.write_bytes(content)
    try:
        found = read(path)
    except DamagedUsersError as error:
        said = str(error)
        assert str(path) in said
        assert said.isprintable()
    else:
        assert all(token.sha256 for user in found.users.values() for token in user.tokens)


EVENT = json.dumps(
    {"number": 1, "action": "promote", "champion": "20261129T000000Z-0123abcd", "challenger": None}
).encode()


@fuzzed
@given(content=damaged_bytes(EVENT) | some.binary(max_size=50))
@example(content=DEEP)
def test_a_damaged_event_of_a_registry_is_refused_or_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history").mkdir(exist_ok=True)
    (tmp_path / "history" / "00000001.json").write_bytes(content)
    try:
        champion = champion_of(tmp_path)
    except UnusableRegistryError as error:
        said = str(error)
        assert "history/00000001.json" in said
    else:
        assert champion is None or len(champion) == len("20261129T000000Z-0123abcd")
