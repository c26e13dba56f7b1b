"""Uploads: a multipart form (RFC 7578) whose file goes to disk as it comes, within limits.

Nothing of the file is kept in memory but the piece that is being written. A client that is silent for too long, sends
more than it may, or goes away leaves nothing behind.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from unbraid.errors import quoted, refused
from unbraid.service.limits import Limits
from unbraid.service.problems import RETRY_SECONDS, Problem

_MOST_FIELDS, _MOST_FIELD_BYTES, _MOST_NAME = 20, 1000, 200
_MOST_TEXT_BYTES = 200_000  # of the text of an alignment: an hour of speech has 60 000
_LEAST_RATE = 8000  # bytes a second on average, or a few slow clients would keep all others out
_FORM_BYTES = 300_000  # of a request beside its file
FILE, TEXT = "file", "text"
_EXAMPLE = "curl -F file=@song.mp3 -F model=music-4 ADDRESS/v1/jobs"


@dataclass
class Form:
    """A form: its fields, and the name and size of its file."""

    fields: dict[str, str] = field(default_factory=dict)
    name: str = ""
    bytes: int = 0
    has_file: bool = False


class _Reader:
    """Parses a form as it comes, and writes its file."""

    def __init__(self, boundary: bytes, file: BinaryIO, most: int) -> None:
        self.form, self.complete = Form(), False
        self._file, self._most = file, most
        self._header = self._value = b""
        self._disposition: dict[bytes, bytes] = {}
        self._text = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._add_header(data[start:end]),
                "on_header_value": lambda data, start, end: self._add_value(data[start:end]),
                "on_header_end": self._end_header,
                "on_part_data": lambda data, start, end: self._add(data[start:end]),
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body.

        Raises:
            Problem: it is no form, or larger than it may be.
        """
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise Problem(400, f"The body is not a form ({error}); send it as: {_EXAMPLE}") from None

    def _begin(self) -> None:
        self._disposition, self._text, self._header, self._value = {}, b"", b"", b""

    def _add_header(self, data: bytes) -> None:
        self._header += data

    def _add_value(self, data: bytes) -> None:
        self._value += data

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = parse_options_header(self._value)[1]
        self._header, self._value = b"", b""

    @property
    def _name(self) -> str:
        return self._disposition.get(b"name", b"").decode("utf-8", "replace")

    def _add(self, data: bytes) -> None:
        if self._name != FILE:
            self._text += data
            most = _MOST_TEXT_BYTES if self._name == TEXT else _MOST_FIELD_BYTES
            if len(self._text) > most:
                raise Problem(400, f"A field of the form has more than {most} bytes.")
            return
        self.form.bytes += len(data)
        if self.form.bytes > self._most:
            raise too_large(self._most)
        self._file.write(data)

    def _end(self) -> None:
        if self._name == FILE:
            if self.form.has_file:
                raise Problem(400, "The form has two files; send a job for each.")
            name = self._disposition.get(b"filename", b"").decode("utf-8", "replace")
            self.form.has_file, self.form.name = True, plain_name(name)
            return
        if self._name in self.form.fields:
            raise Problem(400, f"The form has the field {quoted(self._name)} twice; send it once.")
        try:
            self.form.fields[self._name] = self._text.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Problem(400, "A field of the form is not in UTF-8; convert it first.") from None
        if len(self.form.fields) > _MOST_FIELDS:
            raise Problem(400, f"The form has more than {_MOST_FIELDS} fields.")

    def _finish(self) -> None:
        self.complete = True


def plain_name(name: str) -> str:
    """The name of a file for people: without folders and control characters, and not too long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in last if sign.isprintable())[:_MOST_NAME] or "recording"


def too_large(most: int) -> Problem:
    """The refusal of a file that is too large."""
    return Problem(413, f"The file has more than {most / 1e6:g} MB, and this service takes no larger ones.")


async def receive(
    content_type: str, length: int | None, body: AsyncIterator[bytes], place: Path, limits: Limits
) -> Form:
    """Read a form, and write its file to PLACE, which is deleted where that fails.

    Raises:
        Problem: it is no form, has no file, is too large, cut off, or too slow; or the disk refuses.
    """
    kind, parameters = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not parameters.get(b"boundary"):
        raise Problem(415, f"A job is sent as a form (multipart/form-data), such as: {_EXAMPLE}")
    if length is not None and length > limits.upload_bytes + _FORM_BYTES:
        raise too_large(limits.upload_bytes)
    with _written(place) as file:
        reader, taken = _Reader(parameters[b"boundary"], file, limits.upload_bytes), 0
        async for chunk in _in_time(body, limits.idle_seconds):
            taken += len(chunk)
            if taken > limits.upload_bytes + _FORM_BYTES:
                raise too_large(limits.upload_bytes)
            await asyncio.to_thread(reader.feed, chunk)
        if not reader.complete:
            raise Problem(400, "The upload was cut off; send it again.")
        if not reader.form.has_file:
            raise Problem(400, f"The form has no file; send it as: {_EXAMPLE}")
        if not reader.form.bytes:
            raise Problem(400, f"{reader.form.name} is empty; send a recording.")
    return reader.form


async def _in_time(body: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """The pieces of a body, each of which comes soon enough, and all of them at a rate that leads to an end."""
    started, taken = time.monotonic(), 0
    while True:
        try:
            piece = await asyncio.wait_for(anext(body), seconds)
            taken, elapsed = taken + len(piece), time.monotonic() - started
            if elapsed > seconds and taken / elapsed < _LEAST_RATE:
                told = f"The upload is slower than {_LEAST_RATE / 1000:g} kB/s; send it over a better connection."
                raise Problem(408, told, Connection="close")
            yield piece
        except StopAsyncIteration:
            return
        except TimeoutError:
            told = f"Nothing came for {seconds:g} s; send the recording again over a better connection."
            raise Problem(408, told, Connection="close") from None
        except ClientDisconnect:
            raise Problem(400, "The upload was cut off; send it again.") from None


@contextmanager
def _written(place: Path) -> Iterator[BinaryIO]:
    """A new file, which is deleted again where anything fails."""
    try:
        with place.open("xb") as file:
            yield file
    except OSError as error:
        place.unlink(missing_ok=True)
        raise refused_by_disk(error) from None
    except BaseException:
        place.unlink(missing_ok=True)
        raise


def refused_by_disk(error: OSError) -> Problem:
    """The refusal of an upload that the disk does not take."""
    told = refused("The upload", error).partition(".")[0]
    return Problem(507, f"{told}; try again later.", Retry_After=str(RETRY_SECONDS))
