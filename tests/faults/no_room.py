"""A database that has no room: what PostgreSQL says when it can't extend a file, from every statement that would write."""

import asyncpg

_TABLES = """
SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
WHERE table_schema IN ('provisioner', 'network_policy') AND table_type = 'BASE TABLE'
"""
# With the SQLSTATE that it has then.
_FULL = """
CREATE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file "base/16384/16397": No space left on device' USING ERRCODE = 'disk_full';
END $$
"""


async def fill(keeper: asyncpg.Connection) -> None:
    """No table of either service takes a row."""
    tables = [row[0] for row in await keeper.fetch(_TABLES)]
    await keeper.execute(_FULL)
    for table in tables:  # one at a time, as the services hold some of them
        await keeper.execute(
            f"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION public.no_room()"
        )


async def make_room(keeper: asyncpg.Connection) -> None:
    """There is room again."""
    await keeper.execute("DROP FUNCTION public.no_room() CASCADE")
