"""Reads XML of unknown origin element by element: no entities; bounded size, depth and tokens.

What the elements mean is their handler's business.
"""

import gc
import gzip
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, cast
from xml.parsers import expat

from ss_core.errors import InputError

MAX_FILE_BYTES = 100 * 2**20  # a large city; it takes four seconds to read and check
MAX_ELEMENTS = 800_000  # real nets have some 6,500 per MB, dense grids 9,000
MAX_TOKEN_BYTES = 2 * 2**20  # one tag with its attributes, or one comment
MAX_NAMES = 10_000  # different names of elements and attributes
MAX_DEPTH = 32
CHUNK_BYTES = 2**20
GZIP_MAGIC = b"\x1f\x8b"
ENCODINGS = re.compile(r"utf-?8|utf-?16|(us-)?ascii|(iso-8859|windows|koi8)-\w{1,4}|cp\d{3,4}")

Handler = Callable[[str, dict[str, str], int], None]  # tag, attributes, depth: 1 for the root


def check_file(path: Path, what: str) -> None:
    """Refuse what is no plain file of acceptable size; `what` names the file that is wanted.

    Raises:
        InputError: with the reason and a remedy.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: not a file; give {what}")
        if status.st_size > MAX_FILE_BYTES:
            raise InputError(
                f"{path}: {status.st_size / 2**20:.0f} MiB, more than {MAX_FILE_BYTES >> 20} MiB; "
                "cut it down to the area that matters"
            )
        with path.open("rb"):
            pass  # it can be opened
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give {what} that exists") from error
    except ValueError as error:  # a null byte in the name
        raise InputError(f"{str(path)!r}: {error}; give {what} that exists") from error


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The contents of a plain or gzipped file, as SUMO reads both; how long they are is not known.

    Raises:
        InputError: the compressed data are damaged.
    """
    with path.open("rb") as file:
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        if not packed:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast("BinaryIO", unpacked)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(
                f"{path}: damaged compressed file ({error}); get it again, or unpack it"
            ) from error


class SafeXml:
    """Expat, told to refuse what road networks and demand never need.

    `roots` are the elements the file may start with, None: any; `what` names the file wanted.
    """

    def __init__(self, path: Path, what: str, roots: frozenset[str] | None = None) -> None:
        self._path = path
        self._what = what
        self._roots = roots
        self._depth = 0
        self._elements = 0
        self._fed_bytes = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.XmlDeclHandler = self._check_declaration

    @property
    def line(self) -> int:
        """Where the element being handled stands in the file."""
        return self._parser.CurrentLineNumber

    def read(self, handler: Handler) -> None:
        """Call `handler` for each element, in the order of the file.

        Raises:
            InputError: missing, too large, not plain XML, or starts with another element.
        """
        self._handler = handler
        check_file(self._path, self._what)
        try:
            with opened(self._path) as file, without_cycle_search():
                while chunk := file.read(CHUNK_BYTES):
                    self._feed(chunk)
            self._parse(b"", is_final=True)
        except OSError as error:
            raise InputError(
                f"{self._path}: {error.strerror}; give {self._what} that can be read"
            ) from error

    def fail(self, message: str) -> NoReturn:
        """Refuse the file at the line being read."""
        raise InputError(f"{self._path}:{self.line}: {message}")

    def _feed(self, chunk: bytes) -> None:
        self._parse(chunk, is_final=False)
        self._fed_bytes += len(chunk)
        if self._fed_bytes > MAX_FILE_BYTES:  # it grew since it was looked at, or was packed
            self.fail(f"more than {MAX_FILE_BYTES >> 20} MiB")
        if self._fed_bytes - max(self._parser.CurrentByteIndex, 0) >= MAX_TOKEN_BYTES:
            self.fail(f"one tag is longer than {MAX_TOKEN_BYTES} bytes")
        if len(self._parser.intern) > MAX_NAMES:
            self.fail(f"more than {MAX_NAMES} different names of elements and attributes")

    def _parse(self, chunk: bytes, *, is_final: bool) -> None:
        try:
            self._parser.Parse(chunk, is_final)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise InputError(
                f"{self._path}:{error.lineno}: not well-formed XML: {reason}"
            ) from error
        except (ValueError, LookupError) as error:  # an encoding that Python does not have
            self.fail(f"not readable: {error}; save it in UTF-8")

    def _refuse_doctype(self, *_: object) -> None:
        self.fail("DOCTYPE and entities are refused; SUMO's files have none, remove it")

    def _check_declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and not ENCODINGS.fullmatch(encoding.lower()):
            self.fail(f"encoding {encoding!r} is not accepted; save it in UTF-8")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth = depth = self._depth + 1
        self._elements += 1
        if depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH} elements")
        if self._elements > MAX_ELEMENTS:
            self.fail(f"more than {MAX_ELEMENTS} elements; cut it down to the area that matters")
        if depth == 1 and self._roots is not None and tag not in self._roots:
            expected = " or ".join(f"<{name}>" for name in sorted(self._roots))
            self.fail(f"starts with <{tag[:40]}>; {self._what} starts with {expected}")
        self._handler(tag, attributes, depth)

    def _end(self, _tag: str) -> None:
        self._depth -= 1


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Records hold no cycles, yet looking for some takes a fifth of the time of reading them."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
