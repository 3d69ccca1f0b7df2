"""What many requests came to, as rows for a table: `pandas.DataFrame(results)`.

A row is a mapping of plain values, and has the whole answer beside them (`results[0].response.json()`).
What may not live here: sending requests, and how a table is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from ...errors import MtlsNotebookError, WorkerThrew
from ..exchange import HttpResponse, Invocation, Subrequest


class Result(Mapping[str, Any]):
    """What one request of a batch came to: a row of plain values (COLUMNS), and the whole answer as attributes.

    `number` is its place among the requests. `invocation` is None when nothing ran, or not to its end.
    """

    __slots__ = ("elapsed_ns", "error", "invocation", "number", "request")

    def __init__(
        self,
        number: int,
        request: str,
        elapsed_ns: int,
        invocation: Invocation | None = None,
        error: MtlsNotebookError | None = None,
    ) -> None:
        self.number = number
        self.request = request
        self.elapsed_ns = elapsed_ns
        self.invocation = invocation
        self.error = error or (invocation.error if invocation is not None else None)

    @property
    def response(self) -> HttpResponse | None:
        """Return the worker's response, None if there was none."""
        return self.invocation.response if self.invocation is not None else None

    @property
    def ok(self) -> bool:
        """Return whether there was a response with a status below 400."""
        return self.response is not None and self.response.status < 400

    def json(self) -> Any:
        """Return the response's body parsed as JSON, {} where there is none."""
        try:
            return self.response.json() if self.response is not None else {}
        except ValueError:
            return {}

    @property
    def cause(self) -> str | None:
        """Return why it failed: what the error says, or what a failed subrequest was diagnosed with."""
        if self.error is not None:
            return self.error.message
        told = [one.diagnosis.cause for one in self._trace if one.diagnosis is not None]
        return told[-1] if told and not self.ok else None

    @property
    def _trace(self) -> tuple[Subrequest, ...]:
        return self.invocation.trace if self.invocation is not None else ()

    @property
    def _carried(self) -> Subrequest | None:
        """Return the last subrequest that had a connection; None when it may be another request's."""
        if self.invocation is None or self.invocation.shared:
            return None
        return next((one for one in reversed(self._trace) if one.connection is not None), None)

    def __getitem__(self, column: str) -> Any:
        return COLUMNS[column](self)

    def __iter__(self) -> Iterator[str]:
        return iter(COLUMNS)

    def __len__(self) -> int:
        return len(COLUMNS)

    def __repr__(self) -> str:
        return f"<Result {self.request}: {outcome(self)}>"


# Column → its value in a row: plain, None where there is none.
COLUMNS: dict[str, Callable[[Result], Any]] = {
    "request": lambda row: row.request,
    "status": lambda row: row.response.status if row.response is not None else None,
    "ok": lambda row: row.ok,
    "error": lambda row: _name_of(row.error),
    "cause": lambda row: row.cause,
    "ms": lambda row: round(row.elapsed_ns / 1e6, 3),
    "bytes": lambda row: len(row.response.body) if row.response is not None else None,
    "connection": lambda row: row._carried.connection if row._carried is not None else None,
    "reused": lambda row: row._carried.reused if row._carried is not None else None,
}


def outcome(row: Result) -> str:
    """Return what a request came to in a word: its status, or its error's name."""
    return str(row.response.status) if row.response is not None else _name_of(row.error) or "no response"


def _name_of(error: MtlsNotebookError | None) -> str | None:
    """Return an error's name; of what a worker threw, the name that the worker gave it."""
    thrown = error.name if isinstance(error, WorkerThrew) else ""
    return thrown or (type(error).__name__ if error is not None else None)


class Results(Sequence[Result]):
    """The rows of a batch in the order of its requests; `total` counts all requests, None if nobody can say."""

    __slots__ = ("_rows", "elapsed_ns", "total")

    def __init__(self, rows: Iterable[Result], total: int | None = None, elapsed_ns: int = 0) -> None:
        self._rows = tuple(sorted(rows, key=lambda row: row.number))
        self.total = total
        self.elapsed_ns = elapsed_ns

    @property
    def failures(self) -> Results:
        """Return the rows that are not `ok`."""
        return self._some(row for row in self._rows if not row.ok)

    def json(self) -> list[Any]:
        """Return each row's body parsed as JSON, {} where there is none: `DataFrame(results.json())`."""
        return [row.json() for row in self._rows]

    def rows(self) -> list[dict[str, Any]]:
        """Return each row as a plain dict, for libraries that want no less."""
        return [dict(row) for row in self._rows]

    def outcomes(self) -> Counter[str]:
        """Return how often each status came, and each error."""
        return Counter(outcome(row) for row in self._rows)

    def causes(self) -> Counter[str]:
        """Return how often each cause of a failure came."""
        return Counter(row.cause for row in self._rows if not row.ok and row.cause)

    def _some(self, rows: Iterable[Result]) -> Results:
        found = tuple(rows)
        return Results(found, len(found), self.elapsed_ns)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Result | Results:
        return self._some(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Results) and self._rows == other._rows

    def __hash__(self) -> int:
        return hash(tuple(id(row) for row in self._rows))

    def __repr__(self) -> str:
        return f"<Results of {counted(len(self), self.total)}, {len(self.failures):,} failed>"


def counted(done: int, total: int | None) -> str:
    """Return "312 of 1,000 requests"; "312 requests" where that is all, or nobody knows the total."""
    if total is not None and total != done:
        return f"{done:,} of {total:,} requests"
    return f"{done:,} request{'' if done == 1 else 's'}"
