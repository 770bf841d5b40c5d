"""Rows of tables, as JSON values: Parquet, and Arrow's files and streams, such as Hugging Face's ``save_to_disk`` writes.

pyarrow reads all of them: it is what Hugging Face's own library reads and writes them with, and it is here already.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
"""The first bytes of each kind of file."""
ROWS_AT_ONCE = 256


def table_rows(path: Path, start: bytes) -> Iterator[Any]:
    """The rows of a table, a few of them in memory at a time.

    Args:
        path: of a Parquet or an Arrow file.
        start: the file's first bytes.

    Raises:
        pa.ArrowInvalid: for a damaged file.
    """
    if start.startswith(PARQUET):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
                yield from _rows(batch)
        return
    with pa.memory_map(str(path)) as source:
        if start.startswith(ARROW_FILE):
            reader = pa.ipc.open_file(source)
            batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        else:
            batches = iter(pa.ipc.open_stream(source))
        for batch in batches:
            for first in range(0, batch.num_rows, ROWS_AT_ONCE):
                yield from _rows(batch.slice(first, ROWS_AT_ONCE))


def _rows(batch: pa.RecordBatch) -> Iterator[Any]:
    for row in batch.to_pylist():
        yield as_json(row) or {}


def as_json(value: Any) -> Any:
    """The value as JSON has it. A table fills the keys that a row lacks with nulls, so they, and objects of nothing but
    nulls, are not there. Times are written as ISO 8601, bytes as their text or, if they are none, in base 64."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        given = {str(key): found for key, one in value.items() if (found := as_json(one)) is not None}
        return given if given or not value else None
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, (date, time)) else str(value)
