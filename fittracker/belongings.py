"""What a person owns: for every collection who its documents belong to, what of them is handed out, and what
becomes of them when the account is deleted.

A collection of `fittracker.mongo.INDEXES` is in `BELONGINGS` or in `IMPERSONAL`; a test fails otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

End = Literal["deleted", "kept"]


@dataclass(frozen=True, slots=True)
class Belonging:
    """A collection with something of people in it.

    `owners`: fields that hold a person's id; a document that names the person in one of them is theirs.
    `exported_for`: those of the owners who get it in their export; all of them where it is empty.
    `spelled`: fields that hold an id behind a word, such as a room `user:<id>`; those documents go as well.
    `named`: fields of other people's documents, lists of ids, that the person is taken out of.
    `blanked`: the same for single ids, which become null.
    `exported`: the name of its file in an export, "" where it is in none, and why.
    `fields`: what of a document is exported, and nothing beside it; a dot leads into sub-documents.
    `imported`: whether an export's rows of it can be taken in again.
    `end`: what a deletion does with the person's documents, and why where they are kept.
    """

    collection: str
    owners: tuple[str, ...] = ()
    exported_for: tuple[str, ...] = ()
    spelled: tuple[tuple[str, str], ...] = ()
    named: tuple[str, ...] = ()
    blanked: tuple[str, ...] = ()
    exported: str = ""
    fields: tuple[str, ...] = ()
    imported: bool = False
    end: End = "deleted"
    reason: str = ""


PROFILE: Final = Belonging(
    "users",
    owners=("_id",),
    exported="profile",
    fields=(
        "email",
        "role",
        "name",
        "birth_date",
        "sex",
        "weight_kg",
        "height_cm",
        "resting_hr",
        "max_hr",
        "time_zone",
        "zones",
        "preferences",
        "verified_at",
        "created_at",
    ),
    imported=True,
    reason="deleted last of all: while it is there, a deletion that was interrupted goes on",
)
STREAMS: Final = Belonging(
    "heart_streams",
    owners=("user",),
    exported="heart_streams",
    fields=("session", "sport", "device", "opened_at", "seen_at", "closed_at", "physiology"),
    imported=True,
)
SAMPLES: Final = Belonging(
    "heart_batches",
    owners=("user",),
    exported="heart_samples",
    fields=("to", "t", "bpm", "seq", "rr", "contact", "day"),
    imported=True,
)
WORKOUTS: Final = Belonging(
    "workouts",
    owners=("user",),
    exported="workouts",
    fields=(
        "stream",
        "session",
        "sport",
        "device",
        "source",
        "started_at",
        "ended_at",
        "duration_s",
        "summary",
        "curve",
        "zones",
        "created_at",
    ),
    imported=True,
)

MEASUREMENTS: Final = Belonging(
    "measurements",
    owners=("user",),
    exported="measurements",
    fields=("kind", "value", "at", "note", "created_at"),
    imported=True,
)

MESSAGES: Final = Belonging(
    "room_events",
    spelled=(("room", "user:"),),
    blanked=("by",),
    exported="messages",
    # What they said, unsealed; what others said is theirs to hand out.
    fields=("room", "at", "text", "reply_to", "edited_at"),
    reason="the numbers of a room have no gaps: places stay, without words and without who said them",
)

BELONGINGS: Final = (
    PROFILE,
    STREAMS,
    SAMPLES,
    WORKOUTS,
    MEASUREMENTS,
    Belonging(
        "coaching_sessions",
        owners=("trainer",),
        named=("athletes", "entered"),
        exported="sessions",
        # Who else took part is theirs to hand out.
        fields=("title", "state", "starts_at", "capacity", "created_at"),
    ),
    Belonging("session_tallies", owners=("user",), reason="repetitions on their way into a summary"),
    Belonging(
        "session_cues", owners=("by", "to"), reason="counted in the summary; the words are in the rooms"
    ),
    Belonging(
        "session_results",
        owners=("user",),
        exported="session_results",
        fields=(
            "session",
            "ended_at",
            "heart",
            "reps",
            "faults",
            "exercises",
            "cues",
            "feedback",
            "workouts",
        ),
    ),
    Belonging(
        "grants",
        owners=("athlete", "trainer"),
        exported="grants",
        fields=("athlete", "trainer", "data", "until", "created_at", "ended_at"),
    ),
    Belonging(
        "sessions",
        owners=("user",),
        exported="sign_ins",
        fields=("device", "address", "created_at", "last_used_at", "expires_at", "ended_at", "reason"),
    ),
    Belonging(
        "device_tokens",
        owners=("user",),
        exported="device_tokens",
        fields=("name", "scopes", "created_at"),
    ),
    Belonging(
        "blocks",
        owners=("user", "other"),
        exported_for=("user",),  # nobody learns who has blocked them
        exported="blocks",
        fields=("other", "created_at"),
    ),
    Belonging(
        "reports",
        owners=("reporter", "user"),
        exported_for=("reporter",),
        blanked=("handled_by",),
        exported="reports",
        fields=("user", "reason", "text", "state", "created_at"),
    ),
    Belonging(
        "avatars",
        owners=("user",),
        exported="avatar",
        # The picture as WebP, in base64.
        fields=("large", "changed_at"),
    ),
    Belonging("weekly_sent", owners=("_id.u",), reason="which summaries were mailed, for a month"),
    Belonging("weekly_rounds", blanked=("after",), reason="where the sender of summaries goes on"),
    Belonging("idempotency_keys", owners=("user",), reason="answers that are in the account anyway"),
    MESSAGES,
    Belonging(
        "notifications",
        owners=("user",),
        named=("actors",),
        blanked=("by",),
        exported="notifications",
        # Who caused it is theirs to hand out.
        fields=("kind", "event", "subject", "data", "count", "at", "changed_at", "read_at"),
    ),
    Belonging(
        "conversations",
        named=("members",),
        blanked=("owner",),
        reason="a conversation is of everybody in it; it is theirs who stay",
    ),
    Belonging(
        "push_subscriptions",
        owners=("user",),
        exported="push_subscriptions",
        fields=("host", "created_at"),
    ),
    Belonging(
        "notification_facts",
        owners=("user",),
        blanked=("by",),
        reason="what the inbox was made of; it is exported as the inbox",
    ),
    Belonging("inboxes", owners=("_id",), reason="how often an inbox has changed"),
    Belonging("notification_news", owners=("user",), reason="what devices are about to be told"),
    Belonging("notification_deliveries", owners=("user",), reason="what is about to be pushed or mailed"),
    Belonging("chat_marks", owners=("user",), reason="how far a room was read; it says nothing more"),
    Belonging(
        "follows",
        owners=("user", "other"),
        exported="follows",
        fields=("user", "other", "state", "since", "created_at"),
    ),
    Belonging(
        "posts",
        owners=("user",),
        exported="posts",
        fields=("text", "workout", "visibility", "likes", "comments", "created_at", "edited_at"),
    ),
    Belonging("post_likes", owners=("user",), exported="likes", fields=("post", "created_at")),
    Belonging(
        "post_comments",
        owners=("user",),
        exported="comments",
        fields=("post", "text", "created_at", "deleted_at"),
    ),
    Belonging(
        "challenges",
        owners=("owner",),
        named=("invited",),
        exported="challenges",
        fields=(
            "title",
            "about",
            "metric",
            "unit",
            "goal",
            "starts_at",
            "ends_at",
            "visibility",
            "created_at",
        ),
    ),
    Belonging(
        "challenge_members",
        owners=("user",),
        exported="challenge_memberships",
        fields=("challenge", "joined_at", "left_at", "total", "place"),
    ),
    Belonging(
        "challenge_progress",
        owners=("user",),
        exported="challenge_progress",
        fields=("challenge", "value", "source", "workout", "at"),
    ),
    Belonging("follow_counts", owners=("_id",), reason="numbers of what is exported as follows"),
    Belonging("jobs", owners=("user",), reason="work in progress, and exports themselves"),
    Belonging("job_files", owners=("user",), reason="exports themselves"),
    Belonging(
        "audit",
        owners=("actor", "target"),
        end="kept",
        reason="the chain would break; it holds ids and no personal data, and has its own retention",
    ),
)

IMPERSONAL: Final = {
    "audit_start": "where the audit log begins",
    "mails": "sealed letters, found by address: Mail.forget",
    "dev_mails": "a developer's machine alone has it",
}
"""Collections that hold nothing of a person, or nothing by their id, and why."""


def of_collection(name: str) -> Belonging:
    """The row of a collection; KeyError where it has none."""
    return next(each for each in BELONGINGS if each.collection == name)
