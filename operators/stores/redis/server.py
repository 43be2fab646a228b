"""What a Redis server says of itself, and whether a ledger is safe in it.

All from INFO; CONFIG, which managed servers forbid, only adds what INFO does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from operators.stores.redis.client import NOT_CLUSTER, explained
from schemas.errors import Misconfigured

OLDEST = 7
"""Major version from which SET takes NX together with GET, as claims need it. Valkey tells the
version of Redis that it is compatible with."""

NEARLY_FULL = 0.9
"""Of maxmemory; beyond it a day's new products may not fit."""

GIB = 2**30

_DROPS_CLAIMS = ("volatile-lru", "volatile-lfu", "volatile-random")
"""Not volatile-ttl: it takes what ends first, caches of minutes before claims of a week."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """The facts that matter to the ledger, the claims and the caches."""

    version: str
    cluster: bool
    role: str
    replicas: int
    memory_used: int
    """Bytes."""
    memory_limit: int
    """Bytes (maxmemory); 0: none."""
    eviction: str
    """What goes when the limit is reached (maxmemory-policy)."""
    append_only: bool
    flushed: str | None
    """appendfsync: always, everysec or no; None: not told."""
    snapshots: str | None
    """save, as configured; empty: none are made; None: not told."""
    broken: str | None
    """What the server could not write last, if anything."""

    @property
    def description(self) -> str:
        limit = f"{self.memory_limit / GIB:.1f} GiB" if self.memory_limit else "no limit"
        file = f"append-only file, flushed {self.flushed or 'as it is set'}"
        kept = file if self.append_only else f"no append-only file, {self.replicas} replicas"
        return (
            f"version {self.version}, {self.memory_used / GIB:.2f} GiB of {limit}, "
            f"{self.eviction}, {kept}"
        )


async def examine(client: Redis) -> RedisServer:
    """Ask the server. Raises Unavailable, or Misconfigured when it doesn't answer INFO."""
    with explained():
        info: dict[str, Any] = await client.info()
        try:
            told: dict[Any, Any] = await client.config_get("append*", "save")
        except ResponseError:  # forbidden, or renamed: as managed servers have it
            told = {}
    broken = [
        name
        for name in ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")
        if info.get(name, "ok") != "ok"
    ]
    return RedisServer(
        version=str(info["redis_version"]),
        cluster=bool(info.get("cluster_enabled")),
        role=str(info["role"]),
        replicas=int(info.get("connected_slaves", 0)),
        memory_used=int(info["used_memory"]),
        memory_limit=int(info.get("maxmemory", 0)),
        eviction=str(info.get("maxmemory_policy", "noeviction")),
        append_only=bool(info.get("aof_enabled")),
        flushed=told.get("appendfsync"),
        snapshots=told.get("save"),
        broken=", ".join(broken) or None,
    )


def refuse_unsafe(server: RedisServer) -> None:
    """Raise Misconfigured for a server on which flows would decide wrongly: they do not start."""
    if problems := _wrong(server):
        raise Misconfigured("redis: " + "; ".join(problems), reason="redis-unsafe")


def refuse_unfit(server: RedisServer) -> None:
    """Raise Misconfigured, too, for what would cost something later: what doctor says."""
    if problems := [*_wrong(server), *_risky(server)]:
        raise Misconfigured("redis: " + "; ".join(problems), reason="redis-unfit")


def _wrong(server: RedisServer) -> list[str]:
    problems = []
    if server.cluster:
        problems.append(NOT_CLUSTER)
    if server.role != "master":
        problems.append("this is a replica; name the primary in redis.url")
    if int(server.version.partition(".")[0]) < OLDEST:
        problems.append(f"version {server.version} is too old; use Redis {OLDEST}, or Valkey")
    if server.memory_limit and server.eviction.startswith("allkeys-"):
        problems.append(
            f"maxmemory-policy {server.eviction} drops ledger entries when memory is short, and "
            "their products would count as new; set it to noeviction"
        )
    return problems


def _risky(server: RedisServer) -> list[str]:
    problems = []
    # volatile-ttl lets the caches go first: a claim lives for a week.
    if server.memory_limit and server.eviction in (
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
    ):
        problems.append(
            f"maxmemory-policy {server.eviction} may drop claims, and a look sent again would be "
            "published again; set it to noeviction, or to volatile-ttl, which drops caches first"
        )
    if server.memory_limit and server.memory_used > NEARLY_FULL * server.memory_limit:
        problems.append(
            f"{server.memory_used / GIB:.2f} of {server.memory_limit / GIB:.2f} GiB are used; "
            "raise maxmemory before writes are refused and the flows wait"
        )
    if not server.append_only and not server.replicas:
        after = "empty" if server.snapshots == "" else "as old as its last snapshot"
        problems.append(
            f"after a restart it is {after}, while the index goes on; set appendonly to yes, or "
            "give it a replica that takes over"
        )
    if server.append_only and server.flushed == "no":
        problems.append(
            "appendfsync no leaves half a minute to the operating system; set it to everysec or "
            "always"
        )
    if server.broken:
        problems.append(f"it could not write to its disk ({server.broken}); see its log")
    return problems
