"""The database's roles on a real server: each in its own schema, and nowhere else."""

import base64
import hashlib
import hmac

import asyncpg
import pytest

from bootstrap.access import ROLES_SQL
from bootstrap.leases import DatabaseLease
from contracts.services import SERVICES
from postgres.passwords import ROLES, scram_verifier


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_owns_its_schema_alone(database: DatabaseLease, service: str) -> None:
    role = service.replace("-", "_")
    for other in SERVICES:
        connection = await asyncpg.connect(database.dsn(other))
        await connection.execute("CREATE TABLE secret (id int); INSERT INTO secret VALUES (7)")
        await connection.close()
    connection = await asyncpg.connect(database.dsn(service))
    assert await connection.fetchval("SELECT current_user") == role
    assert await connection.fetchval("SELECT current_schemas(false)::text") == f"{{{role}}}"
    assert await connection.fetchval("SELECT id FROM secret") == 7
    await connection.execute("ALTER TABLE secret ADD COLUMN more text; DROP TABLE secret")
    refused = ["CREATE TABLE public.mine (id int)", "CREATE SCHEMA mine", "CREATE DATABASE mine", "CREATE ROLE mine"]
    refused += [
        "CREATE TEMPORARY TABLE mine (id int)",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/x'",
    ]
    for other in (name.replace("-", "_") for name in SERVICES if name != service):
        refused += [
            f"SELECT * FROM {other}.secret",
            f"INSERT INTO {other}.secret VALUES (1)",
            f"DELETE FROM {other}.secret",
            f"DROP TABLE {other}.secret",
            f"CREATE TABLE {other}.mine (id int)",
            f"DROP SCHEMA {other} CASCADE",
            f"SET ROLE {other}",
            f"ALTER ROLE {other} PASSWORD 'mine'",
        ]
    for statement in refused:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_a_role_needs_its_own_password(database: DatabaseLease) -> None:
    good = database.dsn("storage")
    password = database.access.passwords["storage"]
    for wrong in ("", "wrong", database.access.passwords["provisioner"]):
        with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)):
            await asyncpg.connect(good.replace(password, wrong), password=wrong)


async def test_no_password_is_kept_in_clear(database: DatabaseLease) -> None:
    connection = await asyncpg.connect(database.dsn())
    rows = await connection.fetch("SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY($1)", list(ROLES))
    await connection.close()
    assert len(rows) == len(ROLES)
    for row in rows:
        assert row["rolpassword"].startswith("SCRAM-SHA-256$4096:")
        assert database.access.passwords[row["rolname"]] not in row["rolpassword"]


async def test_the_roles_can_be_made_again(database: DatabaseLease) -> None:
    connection = await asyncpg.connect(database.dsn("storage"))
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    keeper = await asyncpg.connect(database.dsn())
    await keeper.execute(ROLES_SQL.read_text())
    assert await connection.fetchval("SELECT one FROM kept") == 1
    await keeper.close()
    await connection.close()


def test_the_verifier_is_rfc_7677s() -> None:
    """The example of RFC 7677: user "user", password "pencil"; its client proof must follow from our stored key."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    verifier = scram_verifier("pencil", salt)
    stored_key = base64.b64decode(verifier.split("$")[2].split(":")[0])
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(stored_key, message.encode(), "sha256")
    client_key = bytes(left ^ right for left, right in zip(proof, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key
