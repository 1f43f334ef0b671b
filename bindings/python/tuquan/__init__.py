"""tuquan for Python: one store of one device, with typed records.

`Store` is what an app holds: a context manager around the generated `Tuquan`, whose calls it has all.
Local calls are synchronous; calls that wait for a network are coroutines, and cancelling one calls
it off in the library too. `Store.changes()` tells what changed until the store is closed.

Errors are `TuquanError` with a stable `kind` and `code`; their texts are for developers only.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import secrets
from collections.abc import AsyncIterator
from typing import Any

from ._native import tuquan_core, tuquan_ffi
from ._native.tuquan_core import *  # noqa: F403
from ._native.tuquan_core import Change, TuquanError
from ._native.tuquan_ffi import *  # noqa: F403
from ._native.tuquan_ffi import OpenOptions, Tuquan

__all__ = ["Store", "kind_of", "new_request_id", *tuquan_core.__all__, *tuquan_ffi.__all__]

_WAITS = tuple(
    name for name, call in inspect.getmembers(Tuquan, inspect.iscoroutinefunction)
    if not name.startswith("_") and name != "next_change"
)


def new_request_id() -> str:
    """Makes the id of one act: give it to `apply` or `attach`, and again when you repeat the act."""
    return secrets.token_hex(16)


def kind_of(error: TuquanError) -> str:
    """Returns the stable kind of an error, such as `NotReady`."""
    return type(error).__name__


class Store:
    """One open store. Every call of the generated `Tuquan` is here under its name."""

    def __init__(
        self,
        dir: str,
        key: bytes,
        *,
        fence: str | None = None,
        hub_roots_pem: str | None = None,
    ) -> None:
        options = OpenOptions(dir=dir, key=key, fence=fence, hub_roots_pem=hub_roots_pem)
        self.inner = Tuquan.open(options)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)
        if name not in _WAITS:
            return call

        @functools.wraps(call)
        async def waits(*args: Any, **kwargs: Any) -> Any:
            try:
                return await call(*args, **kwargs)
            except asyncio.CancelledError:
                # The library goes on with what nobody waits for any more, unless it is told.
                self.inner.cancel_sync()
                raise

        return waits

    async def changes(self) -> AsyncIterator[Change]:
        """Yields what changed, whoever changed it, until the store is closed."""
        while (change := await self.inner.next_change()) is not None:
            yield change
