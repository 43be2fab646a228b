"""Kafka from its published jars: one node that is both broker and controller (KRaft)."""

from __future__ import annotations

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka.admin import AdminClient

from devservers.ports import kept_ports
from devservers.provision import run_once, tool
from devservers.server import LocalServer
from schemas.errors import Unavailable

POM = Path(__file__).with_name("kafka.pom.xml")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
READY_SECONDS = 60.0
MEMORY = "-Xmx512m"


def provision_kafka(home: Path) -> Path:
    """Download the broker's jars below ``home``; their folder. Raises Unavailable."""
    tool("java", "runs the Kafka broker (17 or newer)")
    maven, libraries = tool("mvn", "fetches the Kafka broker"), home / "kafka" / "libs"
    command = [maven, "-q", "-B", "-f", str(POM), COPY, f"-DoutputDirectory={libraries}"]
    run_once(home / "kafka" / "stamp", POM.read_text(encoding="utf-8"), command, {})
    return libraries


def kafka_server(
    libraries: Path, folder: Path, port: int, properties: Mapping[str, str] | None = None
) -> LocalServer:
    """A broker at 127.0.0.1:``port``, without encryption unless ``properties`` enable it.

    Topics are not created by being used, as in production.
    """
    java, folder = tool("java", "runs the Kafka broker"), folder.resolve()
    file = _write_properties(folder, port, properties or {})
    run = [java, MEMORY, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{libraries}/*"]
    if not (folder / "data" / "meta.properties").exists():
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # One argument, because an id may begin with a dash.
        storage = ["kafka.tools.StorageTool", "format", f"-t={cluster}", "-c", str(file)]
        done = subprocess.run([*run, *storage], capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"the Kafka folder cannot be formatted:\n{done.stdout}{done.stderr}")
    brokers = f"127.0.0.1:{port}"

    def ready() -> bool:
        # A new client each time: one that has failed backs off longer and longer.
        client = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
        return bool(client.list_topics(timeout=2).brokers)

    return LocalServer(
        "kafka", [*run, "kafka.Kafka", str(file)], folder, brokers, ready, READY_SECONDS
    )


def _write_properties(folder: Path, port: int, properties: Mapping[str, str]) -> Path:
    """Write the folder's server.properties."""
    quorum = f"127.0.0.1:{kept_ports(folder, ('controller',))['controller']}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{quorum}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://{quorum}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        # A single broker can hold one replica.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        **properties,
    }
    file = folder / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return file
