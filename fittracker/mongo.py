"""MongoDB: the connection, the table of every index, and the promise of every write.

Each query of a context is covered by a row of `INDEXES`; a collection that is not in the table
does not exist. Ids are 24 hexadecimal digits kept as text, times are UTC datetimes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bson.codec_options import CodecOptions
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError, WTimeoutError
from pymongo.read_concern import ReadConcern

T = TypeVar("T")
Document = dict[str, Any]
Collection = AsyncCollection[Document]
Database = AsyncDatabase[Document]
Session = AsyncClientSession

# MongoDB is away or between two primaries: the outcome is unknown, the same write may be sent again.
OUTAGES = (ConnectionFailure, ExecutionTimeout, WTimeoutError)
DATABASE_ERRORS = (PyMongoError,)

# What "stored" means everywhere: on the disks of a majority, in the journal.
DURABLE = WriteConcern(w="majority", j=True, wtimeout=20_000)
CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True)


@dataclass(frozen=True, slots=True)
class Index:
    """One index: its collection, its keys ("-name" descends), and what it demands."""

    collection: str
    keys: tuple[str, ...]
    unique: bool = False
    expire_after_s: int | None = None
    partial: Document = field(default_factory=dict)

    def model(self) -> IndexModel:
        """As the driver wants it."""
        options: Document = {}
        if self.unique:
            options["unique"] = True
        if self.expire_after_s is not None:
            options["expireAfterSeconds"] = self.expire_after_s
        if self.partial:
            options["partialFilterExpression"] = self.partial
        keys = [(key.lstrip("-"), DESCENDING if key.startswith("-") else ASCENDING) for key in self.keys]
        return IndexModel(keys, **options)


INDEXES: tuple[Index, ...] = (
    # accounts
    Index("users", ("email",), unique=True),
    # what a mailed link proves; a query that names a fingerprint uses them, for it then exists
    *(
        Index(
            "users",
            (f"{field}.fingerprint", f"{field}.expires_at"),
            unique=True,
            partial={f"{field}.fingerprint": {"$exists": True}},
        )
        for field in ("verify", "reset", "email_change")
    ),
    Index(
        "users",
        ("deletion.fingerprint", "deletion.due_at"),
        unique=True,
        partial={"deletion.fingerprint": {"$exists": True}},
    ),
    # as administrators look for people
    Index("users", ("-created_at", "-_id")),
    Index("users", ("role", "-created_at", "-_id")),
    Index("users", ("name",)),
    Index("users", ("disabled_at", "-created_at", "-_id"), partial={"disabled_at": {"$type": "date"}}),
    # who registers and never verifies is forgotten
    Index("users", ("unverified_until",), expire_after_s=0),
    Index("avatars", ("user",), unique=True),
    # one measurement of a kind at a moment; what was in force on a day is read from the index alone
    Index("measurements", ("user", "kind", "at"), unique=True),
    Index("measurements", ("user", "kind", "-at", "-_id", "value")),
    Index("measurements", ("user", "-at", "-_id")),
    Index("sessions", ("user", "-last_used_at")),
    Index("sessions", ("expires_at",), expire_after_s=0),
    Index("device_tokens", ("fingerprint",), unique=True),
    Index("device_tokens", ("user", "-created_at")),
    Index("grants", ("athlete", "trainer"), unique=True, partial={"active": True}),
    Index("grants", ("athlete", "-created_at")),
    Index("grants", ("trainer", "-created_at")),
    Index("grants", ("until",), partial={"active": True}),
    # The audit log is read by its number, `_id`; by whom and about whom.
    Index("audit", ("actor", "-_id")),
    Index("audit", ("target", "-_id")),
    Index("audit", ("event", "-_id")),
    Index("audit", ("address", "-_id")),
    Index("audit", ("request",)),
    Index("audit", ("at",)),
    # people among themselves; `search.name` is also how those are found who have none yet
    Index("users", ("search.words",)),
    Index("users", ("search.name", "_id")),
    Index("blocks", ("user", "other"), unique=True),
    Index("blocks", ("other", "user")),
    Index("blocks", ("user", "-created_at", "-_id")),
    Index("reports", ("reporter", "user", "reason"), unique=True, partial={"active": True}),
    Index("reports", ("-created_at", "-_id")),
    Index("reports", ("state", "-created_at", "-_id")),
    Index("reports", ("user",)),
    Index("reports", ("reporter", "-created_at")),
    # answers that are given again to who sends a request again; `_id` is a hash of person, route and key
    Index("idempotency_keys", ("user",)),
    Index("idempotency_keys", ("expires_at",), expire_after_s=0),
    # coaching
    Index("coaching_sessions", ("trainer", "-created_at", "-_id")),
    Index("coaching_sessions", ("athletes", "-created_at", "-_id")),
    Index("coaching_sessions", ("entered", "state")),
    # those that nobody ended, and those that ended and were not summed up yet
    Index("coaching_sessions", ("state", "ends_by")),
    Index("coaching_sessions", ("conclude_at",), partial={"concluded": False}),
    # what athletes did in them, by analysis; part of the summary long before it expires
    Index("session_tallies", ("session", "user")),
    Index("session_tallies", ("user",)),
    Index("session_tallies", ("expires_at",), expire_after_s=0),
    # what was said in them, without the words: for the same summary
    Index("session_cues", ("session", "to")),
    Index("session_cues", ("by",)),
    Index("session_cues", ("to",)),
    Index("session_cues", ("expires_at",), expire_after_s=0),
    # what they came to for each athlete; those that something was missing of are looked at again
    Index("session_results", ("session", "user")),
    Index("session_results", ("user", "-ended_at")),
    Index("session_results", ("look_at",), partial={"look_at": {"$type": "date"}}),
    # heart rate: `_id` of a batch is {s: stream, n: first seq it covers}, so two writers of one
    # stream cannot both store what comes after the same sample
    Index("heart_batches", ("user", "until_t", "from_t")),
    Index("heart_streams", ("user", "-opened_at")),
    Index("heart_streams", ("closed_at", "seen_at")),
    Index("heart_streams", ("workout", "closed_at")),
    Index("heart_streams", ("session", "user"), partial={"session": {"$gt": ""}}),
    Index("workouts", ("user", "-started_at", "-_id")),
    Index("workouts", ("stream",), unique=True, partial={"stream": {"$exists": True}}),
    # What was said in rooms: `_id` follows from room, sender and client id.
    Index("room_events", ("room", "seq"), unique=True),
    Index("room_events", ("room", "kind", "-seq", "by")),
    Index("room_events", ("by", "-at")),
    Index("room_events", ("kind", "at")),
    # over which of them somebody has laid something
    Index("room_events", ("people",), partial={"people": {"$exists": True}}),
    Index("chat_marks", ("user",)),
    Index("chat_marks", ("room",)),
    # conversations: of two people there is one
    Index("conversations", ("pair",), unique=True, partial={"pair": {"$exists": True}}),
    Index("conversations", ("members", "-last_at", "-_id")),
    # the inbox: what happened (`_id` follows from person and key), what is shown of it, what is to be told
    Index("notification_facts", ("user", "at"), partial={"state": "new"}),
    Index("notification_facts", ("next_at",), partial={"state": "new"}),
    Index("notification_facts", ("entry", "state", "-at")),
    Index("notification_facts", ("entry", "state", "by")),
    Index("notification_facts", ("user", "by")),
    Index("notification_facts", ("by",)),
    Index("notification_facts", ("expires_at",), expire_after_s=0),
    Index("notifications", ("user", "shown", "-changed_at", "-_id")),
    Index("notifications", ("user", "open", "shown", "event", "subject")),
    Index("notifications", ("by",)),
    Index("notifications", ("actors",)),
    Index("notifications", ("expires_at",), expire_after_s=0),
    Index("notification_news", ("user", "revision", "_id")),
    Index("notification_news", ("next_at",)),
    Index("notification_news", ("expires_at",), expire_after_s=0),
    # what is to be pushed or mailed of it, and where to
    Index("notification_deliveries", ("next_at",)),
    Index("notification_deliveries", ("user",)),
    Index("notification_deliveries", ("expires_at",), expire_after_s=0),
    Index("push_subscriptions", ("fingerprint",), unique=True),
    Index("push_subscriptions", ("user", "-created_at", "-_id")),
    # who follows whom, or asks to: both lists, both ways to look, and what is asked of a person
    Index("follows", ("user", "other"), unique=True),
    Index("follows", ("other", "user")),
    Index("follows", ("user", "state", "-since", "-_id")),
    Index("follows", ("other", "state", "-since", "-_id")),
    Index("follows", ("other", "state", "-created_at", "-_id")),
    # posts: one's own as they are, those of others where they are for anybody
    Index("posts", ("user", "-created_at", "-_id")),
    Index("posts", ("user", "shown", "-created_at", "-_id")),
    Index("posts", ("deleted_at",), partial={"deleted_at": {"$type": "date"}}),
    Index("post_likes", ("post", "user"), unique=True),
    Index("post_likes", ("post", "-created_at", "-_id")),
    Index("post_likes", ("user",)),
    # `_id` of a comment with a client id follows from post, author and that id
    Index("post_comments", ("post", "deleted_at", "-created_at", "-_id")),
    Index("post_comments", ("user", "deleted_at")),
    Index("post_comments", ("expires_at",), expire_after_s=0),
    # challenges: by who made them, those that everybody sees, those that are due
    Index("challenges", ("owner", "state")),
    Index("challenges", ("state", "visibility", "-created_at", "-_id")),
    Index("challenges", ("state", "metric", "ends_at")),
    Index("challenges", ("invited",)),
    Index("challenge_members", ("challenge", "user"), unique=True),
    Index("challenge_members", ("challenge", "left_at", "-total", "reached_at", "-user")),
    Index("challenge_members", ("challenge", "place")),
    Index("challenge_members", ("user", "left_at", "-joined_at", "-_id")),
    # `_id` of an entry follows from challenge, person and what was done
    Index("challenge_progress", ("challenge", "user", "workout")),
    Index("challenge_progress", ("user",)),
    Index("workouts", ("created_at",)),
    # work for a person that takes longer than a request, and the files it takes in and gives out
    Index("jobs", ("user", "kind"), unique=True, partial={"open": True}),
    Index("jobs", ("kind", "lease_until"), partial={"open": True}),
    Index("jobs", ("user",)),
    Index("jobs", ("expires_at",), expire_after_s=0),
    Index("job_files", ("user",)),
    Index("job_files", ("expires_at",), expire_after_s=0),
    # mail
    Index("mails", ("urgency", "next_at")),
    Index("mails", ("expires_at",), expire_after_s=0),
    # the weekly summary: who wants it, zone by zone; what was done is remembered for a month
    Index(
        "users",
        ("time_zone", "_id"),
        partial={"preferences.notifications.weekly_summary.mail": True},
    ),
    Index("weekly_rounds", ("expires_at",), expire_after_s=0),
    Index("weekly_sent", ("expires_at",), expire_after_s=0),
    # the development mail box
    Index("dev_mails", ("-at",)),
)


async def ensure_indexes(database: Database) -> None:
    """Make every index of the table; making one that exists costs nothing."""
    by_collection: dict[str, list[IndexModel]] = {}
    for index in INDEXES:
        by_collection.setdefault(index.collection, []).append(index.model())
    for name, models in by_collection.items():
        await database[name].create_indexes(models)


@asynccontextmanager
async def open_database(url: str, name: str) -> AsyncIterator[Database]:
    """A database whose every write is durable; the client lives and dies in the running loop."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        url, serverSelectionTimeoutMS=5_000, connectTimeoutMS=5_000, socketTimeoutMS=30_000, maxPoolSize=50
    )
    try:
        database = client.get_database(
            name, codec_options=CODEC, write_concern=DURABLE, read_concern=ReadConcern("majority")
        )
        await ensure_indexes(database)
        yield database
    finally:
        await client.close()


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Session]:
    """All that is written with this session happens, or none of it; a conflict raises, for a retry."""
    async with database.client.start_session() as session, await session.start_transaction():
        yield session


async def transact(database: Database, work: Callable[[Session], Awaitable[T]]) -> T:
    """Run `work(session)` in a transaction, again where another one was in its way; what it returned.

    All that it writes with the session is stored on a majority, in the journal, or none of it. A failure it
    raises undoes everything and is raised on. It may run several times: it must do nothing else.
    """
    async with database.client.start_session() as session:
        return await session.with_transaction(
            work, read_concern=ReadConcern("snapshot"), write_concern=DURABLE
        )
