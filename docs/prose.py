"""How long the sentences of README and site are: `python docs/prose.py` prints the median and those that are too long.

Counted are sentences of text and of list items; not code, tables, headings, and what is generated between marks.
"""

import re
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST, MEDIAN = 35, 18
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_NOT_PROSE = (
    (r"^```.*?^```", re.DOTALL | re.MULTILINE), (r"<!-- (\w+) -->\n.*?<!-- /\1 -->", re.DOTALL),
    (r"<!--.*?-->", re.DOTALL), (r"^(?:\||#|!\[|:::|    \S).*$", re.MULTILINE), (r"^\s+:\w+:.*$", re.MULTILINE))


def sentences(text: str) -> list[str]:
    """The sentences of a page."""
    for pattern, flags in _NOT_PROSE:
        text = re.sub(pattern, "\n", text, flags=flags)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)          # a link is its words
    text = re.sub(r"`[^`]*`", "code", text)                         # a piece of code is a word
    found = []
    for part in re.split(r"\n\s*\n|^\s*(?:[-*]|\d+\.|:  ) ", text, flags=re.MULTILINE):
        part = " ".join(part.split())
        found += [each.strip() for each in re.split(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z\"(*`]|code|\d)", part)]
    return [each for each in found if len(each.split()) > 1]


def main() -> int:
    """Print the figures, and what is too long; exit status 1 where anything is."""
    lengths, wrong = [], 0
    for path in PAGES:
        for sentence in sentences(path.read_text(encoding="utf-8")):
            words = len(sentence.split())
            lengths.append(words)
            if words > LONGEST:
                wrong += 1
                print(f"{path.relative_to(ROOT)}: {words} words: {sentence}")
    median = statistics.median(lengths)
    print(f"{len(lengths)} sentences, median {median:g} words, longest {max(lengths)}, {wrong} longer than {LONGEST}")
    return int(wrong > 0 or median > MEDIAN)


if __name__ == "__main__":
    sys.exit(main())
