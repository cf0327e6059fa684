"""What every list asks for: how many, and from where."""

from __future__ import annotations

from marshmallow import Schema

from fittracker.paging import LARGEST
from handlers.fields import Text, WholeText


class PageQuery(Schema):
    """How many, and from where."""

    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)
