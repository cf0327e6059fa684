"""The embedded Valkey keeps everything in memory and nothing from start to start."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from fittracker.embedded import Services


def test_it_writes_nothing_to_the_disk_and_evicts_nothing(services: Services) -> None:
    """Rooms would lose their windows without a word if it evicted; snapshots would cost time."""
    with Redis.from_url(services.redis_url, decode_responses=True) as valkey:
        settings = valkey.config_get("save", "appendonly", "maxmemory-policy", "dir")
    assert settings.pop("dir").endswith("/redis")
    assert settings == {"save": "", "appendonly": "no", "maxmemory-policy": "noeviction"}


def test_it_wants_a_password_that_ps_does_not_show(services: Services) -> None:
    """Other people of the machine can see command lines, and connect to the loopback."""
    with Redis.from_url(services.redis_url) as ours:
        settings = ours.connection_pool.connection_kwargs
    assert settings["password"] not in " ".join(psutil.Process(services.pids["valkey"]).cmdline())
    without = Redis(port=settings["port"], retry=Retry(NoBackoff(), 0))
    with without as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


def test_it_restarts_with_or_without_its_memory(folder: Path) -> None:
    """Both kinds of failover that rooms have to live through, on the same URL."""
    with Services.start(folder, mongo_url="mongodb://elsewhere") as services:
        url, before = services.redis_url, services.pids["valkey"]
        with Redis.from_url(url, decode_responses=True) as valkey:
            valkey.set("heart", "154")
            services.restart_redis(keep_data=True)
            assert valkey.get("heart") == "154"
            services.restart_redis(keep_data=False)
            assert valkey.get("heart") is None
        assert services.redis_url == url
        assert services.pids["valkey"] != before


def test_every_start_begins_empty(folder: Path) -> None:
    """Even when a snapshot lies in its folder, as after a process that died while restarting it."""
    first = Services.start(folder, mongo_url="mongodb://elsewhere")
    with first, Redis.from_url(first.redis_url) as valkey:
        valkey.set("heart", "154")
        valkey.save()
    assert (folder / "redis" / "dump.rdb").exists()
    second = Services.start(folder, mongo_url="mongodb://elsewhere")
    with second, Redis.from_url(second.redis_url) as valkey:
        assert valkey.dbsize() == 0
