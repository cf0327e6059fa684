"""Letters about an account: what happened, when, and from where; none of them floods a mail box."""

from __future__ import annotations

from typing import Any, Final

from fittracker.caller import Caller
from fittracker.clock import Clock, rfc3339
from fittracker.ids import fingerprint
from fittracker.limits import Bucket, Limits
from fittracker.mail import Mail
from fittracker.mongo import Document, Session
from fittracker.observability import logger

log = logger(__name__)

AN_HOUR: Final = 5
UNKNOWN: Final = "unknown"


class Letters:
    """Writes to the addresses of accounts."""

    def __init__(self, mail: Mail, limits: Limits, clock: Clock) -> None:
        self._mail = mail
        self._limits = limits
        self._clock = clock

    async def may_write(self, address: str, template: str) -> bool:
        """Whether one more mail that a stranger may have caused goes to this address within the hour."""
        flood = Bucket(f"mail-{template}", fingerprint(address), AN_HOUR, 3_600.0)
        allowances = await self._limits.take([flood])
        if allowances[0].wait_ms > 0:
            log.warning("mail_withheld", template=template)
        return allowances[0].wait_ms == 0

    async def write(self, to: str, template: str, /, **values: Any) -> None:
        """Write, without a limit: what the owner has done, or what was allowed before."""
        await self._mail.queue(to, template, **values)

    async def write_if_allowed(self, to: str, template: str, /, **values: Any) -> None:
        """Write what a stranger may have caused, five times an hour at most."""
        if await self.may_write(to, template):
            await self._mail.queue(to, template, **values)

    async def report(
        self,
        person: Document,
        template: str,
        caller: Caller,
        /,
        *,
        session: Session | None = None,
        **values: Any,
    ) -> None:
        """Tell the owner what was done with the account: when, with which device, from which address.

        With `session` the letter is a part of that transaction. It goes to the address in `person`, which
        may be the one they have just left.
        """
        await self._mail.queue(
            person["email"],
            template,
            user=person["_id"],
            session=session,
            at=rfc3339(self._clock.utc()),
            device=caller.device or UNKNOWN,
            address=caller.address or UNKNOWN,
            **values,
        )
