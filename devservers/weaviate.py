"""Weaviate, built from its Go module."""

from __future__ import annotations

from pathlib import Path

from devservers.ports import kept_ports
from devservers.provision import run_once, tool
from devservers.server import LocalServer, answers

VERSION = "1.38.11"
MODULE = f"github.com/weaviate/weaviate/cmd/weaviate-server@v{VERSION}"
READY_SECONDS = 60.0
INTERNAL_PORTS = ("CLUSTER_GOSSIP_BIND_PORT", "CLUSTER_DATA_BIND_PORT", "RAFT_PORT")


def provision_weaviate(home: Path) -> Path:
    """Build the server's binary below ``home``. Raises Unavailable."""
    go, folder = tool("go", "builds Weaviate"), (home / "weaviate" / "bin").resolve()
    env = {"CGO_ENABLED": "0", "GOBIN": str(folder)}
    run_once(home / "weaviate" / "stamp", MODULE, [go, "install", MODULE], env)
    return folder / "weaviate-server"


def weaviate_server(binary: Path, folder: Path, port: int, grpc_port: int) -> LocalServer:
    """A single node at 127.0.0.1; REST on ``port``, gRPC on ``grpc_port``."""
    url = f"http://127.0.0.1:{port}"
    # Not the default ports, because several servers may run.
    internal = kept_ports(folder, INTERNAL_PORTS)
    env = {
        "CLUSTER_HOSTNAME": "node1",
        "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
        "CLUSTER_BIND_ADDR": "127.0.0.1",
        "GRPC_LISTEN_ADDRESS": "127.0.0.1",
        "CLUSTER_IN_LOCALHOST": "true",
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "PERSISTENCE_DATA_PATH": str(folder.resolve() / "data"),
        "DEFAULT_VECTORIZER_MODULE": "none",
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
        "AUTOSCHEMA_ENABLED": "false",
        "DISABLE_TELEMETRY": "true",
        "GO_PROFILING_DISABLE": "true",
        "LOG_LEVEL": "warning",
        "GRPC_PORT": str(grpc_port),
        "RAFT_JOIN": f"node1:{internal['RAFT_PORT']}",
        **{name: str(number) for name, number in internal.items()},
        # On localhost a node expects its internal RPC at the port after RAFT_PORT.
        "RAFT_INTERNAL_RPC_PORT": str(internal["RAFT_PORT"] + 1),
    }
    command = [str(binary), "--scheme", "http", "--host", "127.0.0.1", "--port", str(port)]
    ready = answers(f"{url}/v1/.well-known/ready")
    return LocalServer("weaviate", command, folder, url, ready, READY_SECONDS, env)
