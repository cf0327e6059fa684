"""Sessions are summed up soon after their end: nothing of other workers has to be waited for here."""

from __future__ import annotations

import pytest

from fittracker.contexts import Contexts


@pytest.fixture(autouse=True)
def hurry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """For both workers, where a test has them."""
    for name in ("contexts", "other"):
        if name in request.fixturenames:
            worker = request.getfixturevalue(name)
            assert isinstance(worker, Contexts)
            monkeypatch.setattr(worker.lessons.results, "_settle_s", 0.02)
