"""Every collection says whose it is: one that does not is found here."""

from __future__ import annotations

from fittracker.belongings import BELONGINGS, IMPERSONAL, of_collection
from fittracker.mongo import INDEXES
from fittracker.portability.import_run import ORDER

SECRETS = ("password", "fingerprint", "refresh", "previous", "totp", "key", "sealed", "letter", "token")


def test_every_collection_belongs_to_somebody_or_to_nobody() -> None:
    """A new one has to be thought about: what a deletion does with it, and whether it is handed out."""
    owned = [each.collection for each in BELONGINGS]
    assert len(owned) == len(set(owned))
    without_index = {"audit_start", "inboxes", "follow_counts"}
    assert {*owned, *IMPERSONAL} == {each.collection for each in INDEXES} | without_index
    assert not {*owned} & {*IMPERSONAL}


def test_what_is_kept_says_why_and_what_is_deleted_says_whose_it_is() -> None:
    """And what is in no export says why not."""
    for each in BELONGINGS:
        assert each.owners or each.blanked, each.collection
        assert each.end == "deleted" or each.reason, each.collection
        assert each.exported or each.reason, each.collection
        assert bool(each.exported) == bool(each.fields), each.collection
        assert {*each.exported_for} <= {*each.owners}, each.collection
    assert [each.collection for each in BELONGINGS if each.end == "kept"] == ["audit"]
    assert all(IMPERSONAL.values())


def test_no_secret_is_in_an_export() -> None:
    """By name; tests of exports look for their values."""
    for each in BELONGINGS:
        for field in each.fields:
            assert not any(secret in field for secret in SECRETS), f"{each.collection}.{field}"


def test_what_is_imported_is_known_to_imports() -> None:
    """And only that."""
    assert {each.exported for each in BELONGINGS if each.imported} == {*ORDER}
    assert of_collection("workouts").imported
