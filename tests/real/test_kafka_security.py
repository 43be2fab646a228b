"""TLS, client certificates and SASL against a broker that requires them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rich.console import Console

from devservers.kafka import kafka_server, provision_kafka
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured
from schemas.records import Record
from schemas.settings import TopicSettings, load_settings
from services.cli.topics import create
from services.processes import free_port
from tests.real.own_servers import provisioned

pytestmark = pytest.mark.services

PASSWORD = "correct horse"


@dataclass(frozen=True)
class Certificate:
    """PEM files: an authority, and a certificate of its own with its key."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class SecureBroker:
    tls: str
    sasl: str
    files: Certificate


def make_certificate(folder: Path) -> Certificate:
    now = datetime.now(UTC)

    def signed(
        name: str,
        issuer: x509.Name,
        by: ec.EllipticCurvePrivateKey,
        own: ec.EllipticCurvePrivateKey,
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(
                x509.BasicConstraints(ca=name == "authority", path_length=None), critical=True
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
                critical=False,
            )
            .sign(by, hashes.SHA256())
        )

    authority_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = signed("authority", _name("authority"), authority_key, authority_key)
    own = signed("broker", authority.subject, authority_key, own_key)
    files = Certificate(folder / "ca.pem", folder / "own.pem", folder / "own.key")
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        own_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """One broker: in plain text for its own readiness, by TLS, and by SASL over TLS."""
    folder = tmp_path_factory.mktemp("kafka")
    files = make_certificate(folder)
    libraries = provisioned(provision_kafka)
    plain, tls, sasl, controller = (free_port() for _ in range(4))
    listeners = {
        "PLAINTEXT": plain,
        "SSL": tls,
        "SASL_SSL": sasl,
    }
    at = ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())
    users = f'user_looksync="{PASSWORD}"'
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    # A keystore of PEM text: both in one value, on one line each by escaped newlines.
    pem = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": _escaped(files.key),
        "ssl.keystore.certificate.chain": _escaped(files.certificate),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": _escaped(files.authority),
    }
    properties = {
        "listeners": f"{at},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": at,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
        "SSL:SSL,SASL_SSL:SASL_SSL",
        "listener.name.ssl.ssl.client.auth": "required",
        "listener.name.sasl_ssl.sasl.enabled.mechanisms": "PLAIN",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{login} {users};",
        **pem,
    }
    with kafka_server(libraries, folder, plain, properties):
        yield SecureBroker(f"127.0.0.1:{tls}", f"127.0.0.1:{sasl}", files)


def _escaped(file: Path) -> str:
    return file.read_text().strip().replace("\n", "\\n")


def topic_settings(brokers: str, **kafka: object) -> TopicSettings:
    return load_settings(
        topics={
            "kind": "kafka",
            "brokers": [brokers],
            "kafka": {"replication": 1, "timeout_seconds": 5, **kafka},
        }
    ).topics


def roundtrip(topics: TopicSettings) -> list[bytes]:
    create(load_settings(topics=topics.model_dump()), Console(quiet=True))
    topic = KafkaTopic(Brokers(topics), topics.updates)
    position = topic.append([Record("k", b"over a secured line")])[0]
    return [record.value for record in topic.read(position.partition, position.offset)]


def test_tls_with_a_client_certificate(broker: SecureBroker) -> None:
    files = broker.files
    topics = topic_settings(
        broker.tls,
        security_protocol="SSL",
        ca_file=files.authority,
        certificate_file=files.certificate,
        key_file=files.key,
    )

    assert roundtrip(topics) == [b"over a secured line"]


def test_a_name_and_a_password_over_tls(broker: SecureBroker) -> None:
    topics = topic_settings(
        broker.sasl,
        security_protocol="SASL_SSL",
        ca_file=broker.files.authority,
        sasl_mechanism="PLAIN",
        username="looksync",
        password=PASSWORD,
    )

    assert roundtrip(topics) == [b"over a secured line"]


@pytest.mark.parametrize(
    "kafka",
    [
        {"security_protocol": "SASL_SSL", "password": "wrong"},
        {"security_protocol": "SASL_SSL", "ca_file": None},
    ],
)
def test_what_the_broker_refuses_is_a_matter_of_settings(
    broker: SecureBroker, kafka: dict[str, object]
) -> None:
    good = {
        "ca_file": broker.files.authority,
        "sasl_mechanism": "PLAIN",
        "username": "looksync",
        "password": PASSWORD,
    }

    with pytest.raises(Misconfigured, match=r"topics\.kafka"):
        KafkaTopic(Brokers(topic_settings(broker.sasl, **(good | kafka))), "any").end_offsets()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.pem"
    topics = topic_settings("127.0.0.1:1", security_protocol="SSL", ca_file=absent)

    with pytest.raises(Misconfigured, match=r"absent\.pem"):
        Brokers(topics).consumer("any")
