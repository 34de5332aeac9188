"""Values and files of JSON with random faults."""

from __future__ import annotations

import copy
import json

from hypothesis import strategies as st

DEEP = b"[" * 100_000

numbers = st.sampled_from([0, -1, 1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), True, False])
texts = st.text(max_size=8) | st.sampled_from(
    ["", "\0", "..", "/etc/passwd", "file:///etc/passwd", "s3://b/c", "\ud800", "a\nb", "9999-12-31", "0001-01-01",
     "2015-02-30", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "<script>", "{}"]
)  # fmt: skip
values = st.recursive(
    st.none() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def changed(draw, original):
    """Draw a value like the original, in which a few parts are replaced, removed or added."""
    found = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(places(found) or [(None, None)]))
        what = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if holder is None:
            return draw(values)
        if what == "remove":
            del holder[key]
        elif what == "replace":
            holder[key] = draw(values)
        elif isinstance(holder, dict):
            holder[draw(texts)] = draw(values)
        else:
            holder.insert(key, draw(values))
    return found


def places(value):
    """Return the places in a value: lists and objects with their indices and keys."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@st.composite
def damaged(draw, content):
    """Draw bytes like those of a JSON file: with other values, other bytes, or something else."""
    kind = draw(st.sampled_from(["values", "values", "bytes", "anything"]))
    if kind == "values":
        return json.dumps(draw(changed(json.loads(content)))).encode()
    if kind == "anything":
        return draw(
            st.binary(max_size=20) | st.sampled_from([b"", b"null", b"[]", b"{}", b"0", DEEP, b'{"a":' * 50_000])
        )
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(found)))
        found[place : place + draw(st.integers(0, 8))] = draw(
            st.binary(max_size=4) | st.sampled_from([b"{", b'"', b"9" * 5_000])
        )
    return bytes(found)
