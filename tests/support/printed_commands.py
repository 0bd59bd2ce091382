"""The commands that documents print: where they stand, and how a shell would split them."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple, TypeVar

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
PROGRAM = re.compile(
    r"(\S*\bbin/\S+|make|ss|ssgrid|sstraffic|duckdb|python[\d.]*|pip\S*|eval|for|echo"
    r"|pandas\.\S+|polars\.\S+|pp\.to_json\S*)(\s|$)"
)
NO_COMMANDS = re.compile(
    r".*[─│]|.*[a-z] →|joint form|objective \(Eq|[^\w\s./]|\w+[^\x00-\x7f]|[^\x00-\x7f]"
)  # in blocks
T = TypeVar("T")


class Printed(NamedTuple):
    """One command and where it is printed; `inline` means within a sentence."""

    text: str
    document: str
    line: int
    inline: bool

    @property
    def words(self) -> list[str]:
        """As a shell splits it, without its comment."""
        return shlex.split(self.text, comments=True)


def printed_commands(path: Path) -> list[Printed]:
    """All commands of a document, in its order; those of one line apart."""
    name = str(path.relative_to(ROOT))
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for number, text in _lines_of_blocks(lines):
        known = PROGRAM.match(text) or NO_COMMANDS.match(text.strip())
        assert known, f"{name}:{number}: is {text!r} a command?"
        if PROGRAM.match(text):
            found += [Printed(each, name, number, False) for each in _apart(text)]
    prose = re.sub(r"^(```.*?^```|    [^\n]*)$", _blank, "\n".join(lines), flags=re.M | re.S)
    for match in re.finditer(r"`([^`]+)`", prose):
        text = " ".join(match[1].split())
        if PROGRAM.match(text) and (" " in text or "/" in text):
            number = prose.count("\n", 0, match.start()) + 1
            found.append(Printed(text, name, number, True))
    return sorted(found, key=lambda each: each.line)


def python_blocks(path: Path) -> list[str]:
    """The fenced blocks of Python."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)


def plain(command: Printed) -> list[str]:
    """Words of a command with the bare name of its program."""
    words = command.words
    if words[0] == "eval":
        words = words[1].removeprefix("$(").removesuffix(")").split()
    return [Path(words[0]).name.replace("sumo-gui", "sumo"), *words[1:]]


def longest(text: str, table: Mapping[str, T]) -> T | None:
    """What a table says of the longest prefix of a command."""
    found = max((key for key in table if f"{text} ".startswith(key)), key=len, default=None)
    return None if found is None else table[found]


def made_small(words: list[str], small: Sequence[str]) -> list[str]:
    """The words with flags of the smallest size in place of those printed."""
    given = {flag for flag in small if flag.startswith("--")} - {"--set"}
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if word not in given and (before not in given or word.startswith("--"))
    ]
    return [*kept, *small]


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _lines_of_blocks(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines of indented code, those that belong together joined, with their numbers."""
    fenced, after_blank, joined, first = False, True, "", 0
    for number, line in enumerate(lines, 1):
        fenced ^= line.startswith("```")
        code = line.startswith("    ") and after_blank and not fenced
        after_blank = not line.strip() or code
        if not code:
            assert not joined, f"line {first}: {joined!r} does not end"
            continue
        first = first if joined else number
        joined += ("\n" if joined else "") + line[4:]
        if not _goes_on(joined):
            yield first, joined.replace("\\\n", " ")
            joined = ""


def _goes_on(text: str) -> bool:
    """A quotation, a loop or a line that ends with a backslash wants more."""
    if not PROGRAM.match(text):
        return False
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return True
    ends = sum(word.rstrip(";") == "done" for word in words)
    return text.endswith("\\") or words.count("for") > ends


def _apart(text: str) -> list[str]:
    """What `;` parts, loops with two values of each variable."""
    if text.startswith("for "):
        loops = re.findall(r"for (\w+) in ([^;]+);\s*do\b", text)
        body = re.split(r";\s*do\b", re.sub(r"\s#[^\n]*", "", text))[-1].split(";")[0].strip()
        few = [[(f"${name}", value) for value in values.split()[:2]] for name, values in loops]
        return [_replaced(body, pairs) for pairs in product(*few)]
    lexer = shlex.shlex(text, posix=False, punctuation_chars=";")
    lexer.whitespace_split, lexer.commenters = True, "#"
    parts, words = [], []
    for word in lexer:
        if word == ";":
            parts, words = [*parts, words], []
        else:
            words.append(word)
    return [" ".join(part) for part in (*parts, words)]


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text
