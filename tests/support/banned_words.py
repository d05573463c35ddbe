"""Banned words: English that leaves the reader guessing, and how much of it each file still has.

`tests/banned_words.txt` holds the counts, which may only fall. Where words are gone, write it with

    python tests/support/banned_words.py > tests/banned_words.txt
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__)
CEILINGS = Path("tests/banned_words.txt")
INSTALLED = {".venv", "node_modules"}  # by benchmarks, from other projects
SEARCHED = (
    *("*.md", "bench/**/*.md", "docs/**/*.md", "schema.graphql"),
    *("bench/**/*.py", "src/**/*.py", "tests/support/*.py", "tests/**/conftest.py"),
)

# Each with what to write instead. Words in backticks are names, and are not counted.
BANNED = {
    "told": "reported, sent, notified",
    "whoever": "a client, a caller, a subscriber",
    "whom": "the client, the caller, the user",
    "strangers?": "anonymous clients",
    "everybody": "all clients, all subscribers",
    "somebody": "a client, a user, another process",
    "nobody": "no client, no user, no other process",
    "comes? to": "is, results in; as a title: the result of",
    "came of": "the result of",
    "(?:becomes?|became) of": "the result of",
    "go(?:es)? on": "continues, resumes",
    "going on": "in progress, active",
    "sees to it": "the verb itself: refreshes, starts, ensures",
    "hears? of": "is notified of, receives",
    "heed(?:s|ed)?": "read, apply, use",
    "thrown out": "terminated, disconnected",
    "as long as there is": "while",
    "by then": "the event itself: before the commit",
    "anew": "again, from the start",
    "news": "updates, pending data",
    "for good": "permanently, finally",
    "at hand": "available, given",
    "in the turn of": "during",
    "came in": "arrived, were committed",
    "of no use": "without effect",
    "lanes?": "batch writers",
    "as it should": "correctly; or say what is expected",
    "what came": "the received data, the result",
}
PATTERN = re.compile(
    r"\b(?:" + "|".join(BANNED).replace(" ", r"\s+") + r")\b", re.IGNORECASE | re.ASCII
)


def found_in(text: str) -> list[str]:
    """The banned words of a text, in its order."""
    return [" ".join(word.split()).lower() for word in PATTERN.findall(_without_names(text))]


def advice(file: Path) -> list[str]:
    """A replacement for each banned word of a file."""
    return [f"{word}: {_instead(word)}" for word in sorted(set(found_in(prose(file))))]


def counts(root: Path = ROOT) -> dict[str, int]:
    """The number of banned words in each file that has any, by its path from the root."""
    matching = {file for pattern in SEARCHED for file in root.glob(pattern)} - {LIST}
    files = sorted(file for file in matching if INSTALLED.isdisjoint(file.parts))
    found = {file.relative_to(root).as_posix(): len(found_in(prose(file))) for file in files}
    return {path: count for path, count in found.items() if count}


def prose(file: Path) -> str:
    """The text for readers: the strings and comments of Python, the whole of any other file."""
    text = file.read_text()
    return "\n".join([*_strings(text), _comments(text)]) if file.suffix == ".py" else text


def ceilings(root: Path = ROOT) -> dict[str, int]:
    """The counts in the file."""
    lines = (root / CEILINGS).read_text().splitlines()
    return {path: int(count) for count, path in (line.split() for line in lines)}


def printed(found: Mapping[str, int]) -> str:
    """Counts in the format of the file."""
    return "".join(f"{count:4} {path}\n" for path, count in found.items())


def _instead(word: str) -> str:
    return next(better for banned, better in BANNED.items() if re.fullmatch(banned, word))


def _without_names(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "``", text, flags=re.DOTALL)


def _strings(text: str) -> Iterator[str]:
    """Docstrings, descriptions and messages; those written in several parts are one."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _comments(text: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return " ".join(token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT)


if __name__ == "__main__":
    sys.stdout.write(printed(counts()))
