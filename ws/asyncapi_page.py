"""The AsyncAPI document for people: one page without scripts and without anything from elsewhere.

Everything folds and unfolds by the browser's own means, and is found by its search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

Json = dict[str, Any]


def page(document: Json) -> str:
    """The whole page."""
    operations: Json = document["operations"]
    commands = {name: each for name, each in operations.items() if each["action"] == "receive"}
    events = {name: each for name, each in operations.items() if each["action"] == "send"}
    channel = document["channels"]["socket"]
    info = document["info"]
    parts = [
        _head(info, commands, events),
        *_chapter("Commands", "what a client sends", commands, document),
        *_chapter("Events", "what the server says", events, document),
        '<h2 id="errors">Errors</h2>',
        _table(("code", "status", "meaning"), [each.values() for each in channel["x-errors"]]),
        '<h2 id="closes">Close codes</h2>',
        _table(("code", "what happened", "come back?"), [each.values() for each in channel["x-close-codes"]]),
        '<h2 id="shapes">Shapes</h2>',
        *(_shape(name, schema) for name, schema in document["components"]["schemas"].items()),
    ]
    return _PAGE.format(title=escape(info["title"]), style=_STYLE, body="\n".join(parts))


def _head(info: Json, commands: Json, events: Json) -> str:
    counts = {"commands": len(commands), "events": len(events)}
    nav = " ".join(
        f'<a href="#{name}">{counts.get(name, "")} {name}</a>'
        for name in (*counts, "errors", "closes", "shapes")
    )
    return (
        f"<h1>{escape(info['title'])}, live <small>version {escape(info['version'])}</small></h1>"
        f"<p>{_prose(info['description'])}</p>"
        '<p>For machines: <a href="../asyncapi.json">asyncapi.json</a> (AsyncAPI 3). '
        'The routes of REST: <a href="../docs">docs</a>.</p>'
        f"<nav>{nav}</nav>"
    )


# -- commands and events -------------------------------------------------------------------------------


def _chapter(title: str, about: str, operations: Json, document: Json) -> Iterator[str]:
    yield f'<h2 id="{title.lower()}">{title} <small>{about}</small></h2>'
    subject = ""
    for name, operation in sorted(operations.items()):
        now = name.split(".")[1]
        if now != subject:
            subject = now
            yield f"<h3>{escape(now)}</h3>"
        yield _operation(name, operation, document)


def _operation(name: str, operation: Json, document: Json) -> str:
    wire = name.partition(".")[2]
    messages = document["components"]["messages"]
    rows = [f"<dt>data</dt><dd>{_fields(messages[name]['payload']['properties']['data'], document)}</dd>"]
    if operation["action"] == "receive":
        result = messages[f"result.{wire}"]["payload"]["properties"]["data"]
        rows.append(f"<dt>result</dt><dd>{_fields(result, document)}</dd>")
        rows.append(f"<dt>who</dt><dd>{escape(operation['x-who'])}</dd>")
    else:
        rooms = ", ".join(operation["x-rooms"]).replace("*", "every room with a log") or "this socket alone"
        rows.append(f"<dt>said in</dt><dd>{escape(rooms)}</dd>")
    durable = " <em>durable</em>" if operation.get("x-durable") else ""
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(wire)}</code>{durable} '
        f"{_prose(operation['summary'])}</summary><dl>{''.join(rows)}</dl></details>"
    )


def _fields(schema: Json, document: Json) -> str:
    """The fields of a shape, one a line."""
    found = document["components"]["schemas"][_name(schema["$ref"])] if "$ref" in schema else schema
    return _members(found) or "<small>nothing</small>"


def _shape(name: str, schema: Json) -> str:
    about = _prose(schema.get("description", ""))
    body = _members(schema) or f"<p>{_type(schema)}</p>"
    return (
        f'<details id="shape-{escape(name)}"><summary><code>{escape(name)}</code> {about}</summary>'
        f"{body}</details>"
    )


def _members(schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows = [
        f"<li><code>{escape(name)}{'' if name in required else '?'}</code> {_type(field)}"
        f"{_limits(field)}</li>"
        for name, field in schema.get("properties", {}).items()
    ]
    return f"<ul>{''.join(rows)}</ul>" if rows else ""


# -- types ---------------------------------------------------------------------------------------------


def _type(schema: Json) -> str:
    """The type as words, shapes as links."""
    if "$ref" in schema:
        name = escape(_name(schema["$ref"]))
        return f'<a href="#shape-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type(each) for each in schema[several])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        items = schema.get("items", {})
        inner = ", ".join(_type(each) for each in items) if isinstance(items, list) else _type(items)
        return f"[{inner}]"
    return escape(str(schema.get("format") or schema.get("type", "anything")))


_SAID: Final = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("pattern", "{}"),
)


def _limits(schema: Json) -> str:
    sources = [schema, *schema.get("anyOf", ())]
    said = [
        words.format(f"{each[key]:,}" if isinstance(each[key], int) else each[key])
        for each in sources
        for key, words in _SAID
        if key in each
    ]
    return f" <small>{escape(', '.join(said))}</small>" if said else ""


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _prose(text: str) -> str:
    """A sentence; what stands in backticks is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{line-height:1.2}h2{margin-top:2.5rem;border-bottom:2px solid var(--line)}h3{margin:1.5rem 0 .3rem}
small,dt{opacity:.75;font-weight:normal}code{background:var(--soft);padding:.05rem .25rem;border-radius:3px}
nav a{display:inline-block;padding:.4rem .8rem .4rem 0}
details{border-top:1px solid var(--line)}summary{padding:.5rem 0;cursor:pointer}
summary>code:first-child{font-weight:bold}
em{font-size:.8em;border:1px solid;border-radius:3px;padding:0 .3rem}
dl{margin:.2rem 0 1rem 1.1rem}dd{margin:0 0 .6rem}ul{margin:.2rem 0;padding-left:1.1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;border-top:1px solid var(--line);
padding:.3rem .8rem .3rem 0;vertical-align:top}
details:target>summary{background:var(--soft)}
"""
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}: live</title><style>{style}</style></head>
<body>
{body}
</body></html>
"""
