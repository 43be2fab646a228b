"""Reads the configuration of a Redis server and checks that it is safe for a ledger.

INFO is sufficient; CONFIG, which managed servers forbid, only adds details.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from operators.stores.redis.client import NOT_CLUSTER, translate_errors
from schemas.errors import Misconfigured

OLDEST = 7
"""The first major version in which SET accepts NX together with GET, which claims need. Valkey
reports the version of Redis that it is compatible with."""

NEARLY_FULL = 0.9
"""Share of maxmemory; above it a day's new products may not fit."""

GIB = 2**30

_SPARES_CLAIMS = ("noeviction", "volatile-ttl")
"""volatile-ttl evicts what expires first, caches of minutes before claims of a week; every other
policy, of whatever later version, may evict a claim."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """The properties that matter to the ledger, the claims and the caches."""

    version: str
    cluster: bool
    role: str
    replicas: int
    memory_used: int
    """Bytes."""
    memory_limit: int
    """Bytes (maxmemory); 0: no limit."""
    eviction: str
    """What is evicted at the limit (maxmemory-policy)."""
    append_only: bool
    fsync: str | None
    """appendfsync: always, everysec or no; None: unknown."""
    snapshots: str | None
    """The save setting; empty: no snapshots; None: unknown."""
    failed_writes: str | None
    """The kinds of disk writes that failed last time, if any."""

    @property
    def description(self) -> str:
        limit = f"{self.memory_limit / GIB:.1f} GiB" if self.memory_limit else "no limit"
        file = f"append-only file, fsync {self.fsync or 'unknown'}"
        durability = file if self.append_only else f"no append-only file, {self.replicas} replicas"
        return (
            f"version {self.version}, {self.memory_used / GIB:.2f} GiB of {limit}, "
            f"{self.eviction}, {durability}"
        )


async def inspect_server(client: Redis) -> RedisServer:
    """Read the server's INFO and CONFIG. Raises Unavailable, or Misconfigured without permission
    for INFO."""
    with translate_errors():
        info: dict[str, Any] = await client.info()
        try:
            config: dict[Any, Any] = await client.config_get("append*", "save")
        except ResponseError:  # forbidden or renamed, as on managed servers
            config = {}
    failed = [
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
        fsync=config.get("appendfsync"),
        snapshots=config.get("save"),
        failed_writes=", ".join(failed) or None,
    )


def refuse_unsafe(server: RedisServer) -> None:
    """Raise Misconfigured for a server on which flows would make wrong decisions."""
    if problems := _errors(server):
        raise Misconfigured("redis: " + "; ".join(problems), reason="redis-unsafe")


def refuse_unfit(server: RedisServer) -> None:
    """Raise Misconfigured also for settings that would cause trouble later."""
    if problems := [*_errors(server), *risks(server)]:
        raise Misconfigured("redis: " + "; ".join(problems), reason="redis-unfit")


def _errors(server: RedisServer) -> list[str]:
    problems = []
    if server.cluster:
        problems.append(NOT_CLUSTER)
    if server.role != "master":
        problems.append("this is a replica; set redis.url to the primary")
    if int(server.version.partition(".")[0]) < OLDEST:
        problems.append(f"version {server.version} is too old; use Redis {OLDEST}, or Valkey")
    if server.memory_limit and server.eviction.startswith("allkeys-"):
        problems.append(
            f"maxmemory-policy {server.eviction} evicts ledger entries when memory is short, and "
            "their products would count as new; set it to noeviction"
        )
    return problems


def risks(server: RedisServer) -> list[str]:
    """What does no harm now and may do so later; one sentence each."""
    problems = []
    if server.memory_limit and server.eviction not in _SPARES_CLAIMS:
        problems.append(
            f"maxmemory-policy {server.eviction} may evict claims, and a repeated look would be "
            "published again; set it to noeviction, or to volatile-ttl, which evicts caches first"
        )
    if server.memory_limit and server.memory_used > NEARLY_FULL * server.memory_limit:
        problems.append(
            f"{server.memory_used / GIB:.2f} of {server.memory_limit / GIB:.2f} GiB are used; "
            "raise maxmemory before writes fail and the flows wait"
        )
    if not server.append_only and not server.replicas:
        after = "empty" if server.snapshots == "" else "as old as its last snapshot"
        problems.append(
            f"after a restart it is {after}, but the index is not; set appendonly to yes, or add a "
            "replica for failover"
        )
    if server.append_only and server.fsync == "no":
        problems.append(
            "with appendfsync no, a power failure loses up to half a minute of writes; set it to "
            "everysec or always"
        )
    if server.failed_writes:
        problems.append(f"its last disk write failed ({server.failed_writes}); see its log")
    return problems
