from __future__ import annotations

from config.settings import Settings
from fittracker.caller import SYSTEM
from fittracker.clock import Clock
from fittracker.dev.notes import Account, Notes
from fittracker.dev.people import ATHLETES, open_people
from fittracker.opening import open_contexts


async def settled(settings: Settings, before: Notes | None, *, demo: bool) -> Notes:
    """What `fittracker dev` would write down."""
    async with open_people(settings, Clock()) as (people, _):
        developer, others, session = await people.settle(before, demo=demo)
        return Notes(url="http://x", server={}, developer=developer, people=others, session=session)


async def signs_in(settings: Settings, account: Account) -> bool:
    """Whether the noted password opens the account."""
    async with open_contexts(settings, Clock()) as contexts:
        _, person = await contexts.accounts.sign_in.login(account.email, account.password, SYSTEM)
    return bool(person["_id"] == account.user)


async def test_the_developer_alone(settings: Settings) -> None:
    """Without the demonstration there is one verified account, whose password is in the notes."""
    notes = await settled(settings, None, demo=False)
    assert notes.people == []
    assert notes.session is None
    assert await signs_in(settings, notes.developer)


async def test_the_demonstration_has_a_coach_who_may_watch_everybody(settings: Settings) -> None:
    """By grants, and in a live session to which the developer belongs as well."""
    notes = await settled(settings, None, demo=True)
    coach, *athletes = notes.people
    assert coach.role == "trainer"
    assert len(athletes) == len(ATHLETES)
    assert len({each.password for each in notes.accounts}) == len(notes.accounts)
    async with open_contexts(settings, Clock()) as contexts:
        for athlete in athletes:
            assert await contexts.grants.allows(coach.user, athlete.user, "heart_rate")
            physiology = await contexts.users.physiology(athlete.user)
            assert physiology.zones is not None
        assert notes.session is not None
        for account in notes.accounts:
            assert await contexts.coaching.belongs(notes.session, account.user)


async def test_the_next_start_finds_the_same_people(settings: Settings) -> None:
    """The same ids, passwords and session; also after a start without the demonstration."""
    before = await settled(settings, None, demo=True)
    assert await settled(settings, before, demo=True) == before
    alone = await settled(settings, before, demo=False)
    assert await settled(settings, alone, demo=True) == before


async def test_lost_notes_lead_to_new_passwords_for_the_same_people(settings: Settings) -> None:
    """dev.json was deleted, the database was not."""
    before = await settled(settings, None, demo=False)
    after = await settled(settings, None, demo=False)
    assert after.developer.user == before.developer.user
    assert after.developer.password != before.developer.password
    assert await signs_in(settings, after.developer)
