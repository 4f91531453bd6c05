"""The site: it builds without a warning, its code runs, its prose is plain, its terms are one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sites import dom, wrong_on

from docs import executed, prose

ROOT = Path(__file__).resolve().parents[2]
PAGES = [path.relative_to(ROOT).as_posix() for path in prose.PAGES]
#: languages of fenced blocks: what runs, what is a file, what is drawn or only printed
RUN, SHOWN = {"console", "python"}, {"text", "toml", "json"}


def runs(page: str, *, slow: bool) -> bool:
    return any(block.language in RUN and block.slow == slow and block.title is None
               for block in executed.blocks((ROOT / page).read_text(encoding="utf-8")))


def check(page: str, *options: str) -> None:
    """In a process of its own: a page may change what it imports."""
    done = subprocess.run([sys.executable, ROOT / "docs/executed.py", "--check", *options, ROOT / page],
                          env=executed.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


QUICK = [page for page in PAGES if page != "README.md" and "/tutorials/" not in page and runs(page, slow=False)]


@pytest.mark.parametrize("page", QUICK)
def test_the_code_of_a_page_runs(page):
    check(page)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != "README.md" and (
    runs(page, slow=True) or runs(page, slow=False) and page not in QUICK)])
def test_the_long_code_of_a_page_runs(page):
    """Trainings, simulated boards, place and route: tutorials go the whole way."""
    check(page, "--slow")


@pytest.mark.parametrize("page", PAGES)
def test_code_says_what_it_is(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    fences = re.findall(r"^```(.*)$", text, re.MULTILINE)[::2]
    assert {fence.split(" ")[0] for fence in fences} <= RUN | SHOWN, page
    if page != "README.md":
        hidden = [block.text for block in executed.blocks(text)
                  if block.language == "text" and re.match(r"\$ ", block.text)]
        assert not hidden, f"commands in a block that does not run: {hidden}"


def test_sentences_are_short(capsys):
    assert prose.main() == 0, capsys.readouterr().out


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    found = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)], cwd=ROOT,
                           env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "WARNING" not in found.stderr, found.stderr
    return out


def test_no_link_is_dead(site):
    """Links between the built pages, with their anchors; nothing is fetched from elsewhere."""
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html") if path.name != "404.html"}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    dead = []
    for path, text in pages.items():
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            if re.match(r"https?://|data:|mailto:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            is_named = not anchor or anchor.startswith("__") or anchor in anchors.get(target, {anchor})
            if not target.exists() or not is_named:
                dead.append(f"{path.relative_to(site)}: {link}")
        for source in re.findall(r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="(https?:[^"]+)"', text):
            dead.append(f"{path.relative_to(site)} fetches {source}")
    assert not dead, "\n".join(dead)


def test_the_search_works_from_a_folder(site):
    """The page is opened as a file, with what is looked for in its address, as a reader's browser would."""
    said = dom(f"{(site / 'index.html').as_uri()}?q=prospective")
    assert "prospective.html" in "".join(re.findall(r'<a href="[^"]*" class="md-search-result__link"', said))


def test_a_term_of_the_glossary_has_one_entry():
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^([A-Z][\w ]*?) \{ #[\w-]+ \}\n:   ", text, re.MULTILINE)
    assert len(terms) >= 25
    assert terms == sorted(set(terms), key=str.lower)


def test_pages_look_right(site):
    """In windows of a desk and of a phone, light and dark: nothing is cut, text is told from its ground."""
    found, texts = wrong_on(site, 1280, 400)
    assert not found, "\n".join(found[:40])
    assert texts > 10_000
