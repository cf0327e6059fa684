"""What an attacker puts where a text belongs: operators of MongoDB, in shapes that some parser unpacks."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

OPERATORS = (
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$in",
    "$nin",
    "$or",
    "$and",
    "$not",
    "$exists",
    "$regex",
    "$options",
    "$expr",
    "$function",
    "$accumulator",
    "$where",
    "$set",
    "$unset",
    "$inc",
    "$rename",
    "$push",
    "$out",
    "$merge",
    "$lookup",
    "$$ROOT",
    "$oid",
    "$date",
    "$numberLong",
)
SCRIPTS = ("sleep(5000)", "this.password", "1;return true", "function(){while(1);}")
# They look like `$` and `.`, and some normal forms of Unicode make them that.
LOOK_ALIKES = ("\uff04", "\ufe69", "\u2024", "\uff0e", "\u0000$", "%24", "\\u0024")

operands = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from(["", ".*", "^a", *SCRIPTS]),
    st.lists(st.sampled_from(["", "a", None, 1]), max_size=3),
)
names = st.one_of(
    st.sampled_from(OPERATORS),
    st.tuples(st.sampled_from(["a", "", "__proto__", "0"]), st.sampled_from(OPERATORS)).map(".".join),
    st.tuples(st.sampled_from(LOOK_ALIKES[:-3]), st.sampled_from(["ne", "gt", "where"])).map("".join),
    st.sampled_from(["a.b", ".", "..", "$", "constructor", "__proto__", "_id"]),
)
documents = st.dictionaries(names, operands, min_size=1, max_size=3)
nested = st.recursive(
    documents,
    lambda inner: st.one_of(
        st.dictionaries(names, inner, min_size=1, max_size=2), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)
deep = st.integers(20, 28).map(lambda depth: _wrapped({"$ne": None}, depth))

no_texts: st.SearchStrategy[Any] = st.one_of(
    documents,
    nested,
    deep,
    st.lists(operands, max_size=4),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
)
"""Operators and all else that is no text, as JSON can say it."""

texts: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(OPERATORS),
    st.sampled_from(['{"$ne": null}', '{"$gt": ""}', "[$ne]=", "';return true;//", *SCRIPTS]),
    st.tuples(st.sampled_from(LOOK_ALIKES), st.sampled_from(["ne", "where: 1"])).map("".join),
    st.tuples(st.sampled_from(["a", "x\u0301"]), st.sampled_from(LOOK_ALIKES), st.just("b")).map("".join),
)
"""Texts that look like operators: they are texts, and mean nothing."""


def _wrapped(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = {"$not": value} if level % 2 else [value]
    return value
