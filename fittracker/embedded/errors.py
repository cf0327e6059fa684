"""Why the embedded servers are not there. For the person at the terminal, never for a client."""

from __future__ import annotations


class NoServices(Exception):  # noqa: N818 (like `Failure`, named for what is the matter)
    """The embedded servers cannot be used; the message is written for whoever started them."""


class ServiceMissing(NoServices):
    """No program for a server was found that runs here; the message says what was tried and what to do."""


class ServiceFailed(NoServices):
    """A server was found but is not ready; the message holds the end of its log."""


class FolderInUse(NoServices):
    """Another process holds the data folder; the message says which one and since when."""


class GuardianLost(NoServices):
    """The guardian does not answer: something ended it, and with it the servers."""
