"""The inbox by REST."""

from __future__ import annotations

from tests.handlers.api import Api, Person


async def like(api: Api, user: Person, by: Person, post: str = "post:1") -> None:
    """Somebody likes a post of theirs."""
    await api.contexts.notifications.notify(
        user.id, "social", event="post.liked", key=f"{post} {by.id}", by=by.id, subject=post, data={"n": 1}
    )


async def test_an_inbox_has_pages_and_an_unread_count(api: Api) -> None:
    """Newest first."""
    anna, bert = await api.person(), await api.person("Bert")
    for number in range(3):
        await like(api, anna, bert, f"post:{number}")
    first = (await anna.get("/notifications?limit=2")).data
    assert [each["subject"] for each in first["items"]] == ["post:2", "post:1"]
    assert (first["unread"], first["items"][0]["text"]) == (3, "Bert liked your post")
    assert first["items"][0]["actors"] == [{"user": bert.id, "name": "Bert"}]
    rest = (await anna.get(f"/notifications?cursor={first['next_cursor']}")).data
    assert [each["subject"] for each in rest["items"]] == ["post:0"]
    assert rest["next_cursor"] is None


async def test_what_was_read_stays_read(api: Api) -> None:
    """One by one, and all at once; again is the same."""
    anna, bert = await api.person(), await api.person("Bert")
    for number in range(3):
        await like(api, anna, bert, f"post:{number}")
    (newest, *_) = (await anna.get("/notifications")).data["items"]
    for _ in range(2):
        answer = await anna.post("/notifications/read", {"ids": [newest["id"]]})
        assert (answer.status, answer.data["unread"]) == (200, 2)
    assert (await anna.post("/notifications/read", {"all": True})).data["unread"] == 0
    items = (await anna.get("/notifications")).data["items"]
    assert [each["read"] for each in items] == [True, True, True]


async def test_what_is_in_another_inbox_is_not_there(api: Api) -> None:
    """And stays as it was."""
    anna, bert = await api.person(), await api.person("Bert")
    await like(api, anna, bert)
    (entry,) = (await anna.get("/notifications")).data["items"]
    answer = await bert.post("/notifications/read", {"ids": [entry["id"]]})
    assert (answer.status, answer.code) == (404, "not_found")
    for body in ({}, {"all": False}, {"ids": []}, {"ids": [entry["id"]], "all": True}, {"ids": ["x"]}):
        assert (await anna.post("/notifications/read", body)).status == 422
    assert (await anna.get("/notifications")).data["unread"] == 1
