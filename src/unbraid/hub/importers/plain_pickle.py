"""A reader of pickles that hold plain data: it interprets the opcodes itself, so that nothing in them can run.

A pickle is a program for a stack machine. Python's own machine can be told which names mean something, but it still
does all the rest that a file asks for: a table of 2^28 entries for one number, tuples nested until the C stack is full.
This one knows the opcodes that plain values need, makes nothing that is larger than the file, and calls nothing but
the two functions that it is given. Source: Lib/pickletools.py, which also takes the opcodes apart.
"""

import pickletools
from collections.abc import Callable
from typing import Any

from unbraid.errors import quoted

MOST_OPCODES = 200_000  # a network of 100 tensors has 3 000
_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
_PUSHED = frozenset((*_NUMBERS, *_TEXTS, *_BYTES))
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Refused(Exception):
    """A pickle that asks for more than plain data; the text names it."""


class PlainPickle:
    """The pickle machine: a stack, a memo, and the allowed functions."""

    def __init__(self, call: Callable[[str, Any], Any], load: Callable[[Any], Any]):
        """`call(name, arguments)` stands for a function of that name, `load(id)` for an object outside the pickle.

        `call` raises KeyError for names that mean nothing here.
        """
        self._call, self._load = call, load
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, data: bytes) -> Any:
        """The value that a pickle describes.

        Raises:
            Refused: it asks for more than plain data.
            ValueError, IndexError, KeyError: it is damaged.
        """
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count == MOST_OPCODES:
                raise ValueError(f"it has more than {MOST_OPCODES} opcodes")
            if opcode.name == "STOP":
                return self._pop()
            self._step(opcode.name, argument)
        raise ValueError("it has no end")

    def _step(self, name: str, argument: Any) -> None:
        if name in _PUSHED:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self._stack.append(tuple(self._take(_TUPLES[name])))
        elif name == "MARK":
            self._stack.append(_MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            if argument > MOST_OPCODES:
                raise ValueError(f"it numbers a value {quoted(argument)}")
            self._memo[argument] = self._top()
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._top()
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            self._stack.append({} if name == "EMPTY_DICT" else [])
        elif name == "POP":
            self._pop(or_mark=True)
        elif name == "POP_MARK":
            self._marked()
        elif name not in ("PROTO", "FRAME"):
            self._compound(name, argument)

    def _compound(self, name: str, argument: Any) -> None:
        """Carry out an operation that takes several values from the stack."""
        if name == "TUPLE":
            self._stack.append(tuple(self._marked()))
        elif name == "LIST":
            self._stack.append(self._marked())
        elif name in ("APPEND", "APPENDS"):
            items = self._marked() if name == "APPENDS" else [self._pop()]
            self._of(list).extend(items)
        elif name in ("SETITEM", "SETITEMS", "DICT"):
            items = self._take(2) if name == "SETITEM" else self._marked()
            if name == "DICT":
                self._stack.append({})
            self._fill(self._of(dict), items)
        elif name in ("GLOBAL", "STACK_GLOBAL", "INST"):
            self._stack.append(self._named(name, argument))
        elif name in ("REDUCE", "NEWOBJ"):
            function, arguments = self._take(2)
            self._stack.append(self._called(function, arguments))
        elif name in ("PERSID", "BINPERSID"):
            self._stack.append(self._load(self._pop() if name == "BINPERSID" else argument))
        elif name == "BUILD":  # attributes, such as a module's versions, which an OrderedDict has
            self._pop()
            if not isinstance(self._top(), Inert):
                self._of(dict)
        else:
            raise Refused(f"use {name}")

    def _named(self, name: str, argument: Any) -> "Name":
        parts = self._take(2) if name == "STACK_GLOBAL" else argument.split(" ", 1)
        if len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            raise ValueError(f"{quoted(parts)} is no name")
        found = Name(".".join(parts))
        try:
            self._call(found, None)
        except KeyError:
            raise Refused(f"load {found[:120]}") from None
        return found

    def _called(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise ValueError(f"{quoted(function)} cannot be called")
        return self._call(function, arguments)

    @staticmethod
    def _fill(into: dict[Any, Any], items: list[Any]) -> None:
        if len(items) % 2:
            raise ValueError("a key has no value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int):
                raise ValueError(f"a {type(key).__name__} is used as a key")
            into[key] = value

    def _top(self) -> Any:
        if self._stack[-1] is _MARK:
            raise ValueError("a value is missing")
        return self._stack[-1]

    def _pop(self, *, or_mark: bool = False) -> Any:
        return self._stack.pop() if or_mark else (self._top(), self._stack.pop())[0]

    def _of(self, kind: type[list[Any]] | type[dict[Any, Any]]) -> Any:
        if not isinstance(found := self._top(), kind):
            raise ValueError(f"a {type(found).__name__} stands where a {kind.__name__} belongs")
        return found

    def _take(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _marked(self) -> list[Any]:
        """Pop the values above the last mark."""
        items = []
        while (value := self._stack.pop()) is not _MARK:
            items.append(value)
        return items[::-1]


class Name(str):
    """The dotted name of something outside the pickle."""


class Inert:
    """Stands for an object of a class that does not matter here; its attributes are left out."""
