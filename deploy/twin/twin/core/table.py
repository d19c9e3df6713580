"""Rows in memory with indexes on the attributes that callers filter by."""

from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]


class Table:
    """Rows by id, in the order of their creation; indexed attributes are changed through `change` only."""

    def __init__(self, *indexed: str) -> None:
        self._rows: dict[str, Row] = {}
        self._indexes: dict[str, dict[Any, dict[str, Row]]] = {name: {} for name in indexed}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self._rows.values()))

    def __contains__(self, row_id: object) -> bool:
        return row_id in self._rows

    def get(self, row_id: str) -> Row | None:
        """The row, or None."""
        return self._rows.get(row_id)

    def add(self, row: Row) -> Row:
        """Stores a new row under its `id`."""
        self._rows[row["id"]] = row
        for name, index in self._indexes.items():
            index.setdefault(row.get(name), {})[row["id"]] = row
        return row

    def change(self, row: Row, **values: Any) -> Row:
        """Sets attributes and keeps the indexes."""
        for name, value in values.items():
            index = self._indexes.get(name)
            if index is not None and row.get(name) != value:
                self._leave(index, row.get(name), row["id"])
                index.setdefault(value, {})[row["id"]] = row
            row[name] = value
        return row

    def remove(self, row_id: str) -> Row:
        """Takes a row out."""
        row = self._rows.pop(row_id)
        for name, index in self._indexes.items():
            self._leave(index, row.get(name), row_id)
        return row

    def where(self, **values: Any) -> list[Row]:
        """Rows whose attributes equal these; indexed ones first, so that the scan is short."""
        bucket: dict[str, Row] | None = None
        by = ""
        for name, value in values.items():
            index = self._indexes.get(name)
            if index is not None:
                one = index.get(value, {})
                if bucket is None or len(one) < len(bucket):
                    bucket, by = one, name
        rows = list((self._rows if bucket is None else bucket).values())
        rest = [(name, value) for name, value in values.items() if name != by]
        if not rest:
            return rows
        return [row for row in rows if all(row.get(name) == value for name, value in rest)]

    def indexed(self, name: str) -> bool:
        """Whether the attribute has an index."""
        return name in self._indexes

    @staticmethod
    def _leave(index: dict[Any, dict[str, Row]], value: Any, row_id: str) -> None:
        bucket = index.get(value)
        if bucket is not None:
            bucket.pop(row_id, None)
            if not bucket:
                del index[value]
