"""An attribute that is worked out when it is first asked for, and kept.

Python 3.11's ``functools.cached_property`` holds one lock for all instances of a class meanwhile:
whoever asked for what takes long of one comparison would keep everybody waiting who asks for the
same of another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

from modeldiff.processes.wanted import require_wanted

_Value = TypeVar("_Value")


class computed_once(Generic[_Value]):  # noqa: N801 - a decorator, as property is
    """Makes of a method an attribute whose value is computed once an instance.

    Threads that ask for it of one instance meanwhile wait for the first of them; those that ask
    another instance do not. What the method raises is not kept. The instance needs a ``__dict__``.

    Asking raises ``Cancelled`` where nobody waits any more for what this thread does: this is what
    was left until somebody needs it, and may take long.
    """

    def __init__(self, compute: Callable[[Any], _Value]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> _Value: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Self | _Value:
        if instance is None:
            return self
        # Asked again, Python finds the value there and does not come here.
        values = instance.__dict__
        busy = f"{self._name} is being computed"
        with values.setdefault(busy, threading.RLock()):
            try:
                if self._name not in values:
                    require_wanted()
                    values[self._name] = self._compute(instance)
            finally:
                # No lock is left behind, which could be neither copied nor pickled.
                values.pop(busy, None)
            value: _Value = values[self._name]
            return value
