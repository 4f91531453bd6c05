"""Open a page in headless Chromium and say what is wrong with how it looks."""

import html
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from golden.programs import CHROMIUM, ToolError, program

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--hide-scrollbars", "--force-device-scale-factor=1", "--enable-logging=stderr", "--v=0",
         "--virtual-time-budget=5000", "--dump-dom")
#: the page in a frame of each width, as windows have a least one; then what is wrong there
WATCH = """<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="found">nothing</pre>
<script>
const page = {page}, all = {{wrong: [], pictures: 0}};
function look(frame, width) {{
  const doc = frame.contentDocument, say = text => all.wrong.push(width + " px: " + text);
  const name = e => e.tagName.toLowerCase() + " " + JSON.stringify((e.alt || e.textContent).trim().slice(0, 40));
  if (frame.contentWindow.innerWidth != width) say("the window has " + frame.contentWindow.innerWidth);
  if (doc.documentElement.scrollWidth > width) say("the page is wider than its window");
  for (const card of doc.querySelectorAll("section, .tile, .note, header")) {{
    const box = card.getBoundingClientRect(), style = getComputedStyle(card);
    const left = box.left + parseFloat(style.paddingLeft), right = box.right - parseFloat(style.paddingRight);
    if (box.right > width + 0.5) say(name(card) + " leaves the window");
    for (const e of card.querySelectorAll("*")) {{
      if (e.closest(".scroll, pre") && !e.matches(".scroll, pre")) continue;
      const inner = e.getBoundingClientRect();
      if (inner.width && (inner.right > right + 0.5 || inner.left < left - 0.5)) say(name(e) + " leaves its card");
    }}
  }}
  for (const picture of doc.querySelectorAll("img")) {{
    const svg = new DOMParser().parseFromString(atob(picture.currentSrc.split(",")[1]), "image/svg+xml");
    const units = parseFloat(svg.documentElement.getAttribute("viewBox").split(" ")[2]);
    const scale = picture.getBoundingClientRect().width / units;
    // text is drawn as paths of a font of 100 units, scaled to its size
    const sizes = [...svg.querySelectorAll("g[transform*='scale(']")].map(
      g => 100 * Math.abs(parseFloat(/scale\\(([-0-9.]+)/.exec(g.getAttribute("transform"))[1])));
    sizes.push(...[...svg.querySelectorAll("text")].map(text => parseFloat(text.getAttribute("font-size"))));
    all.pictures += 1;
    if (!sizes.length) say(name(picture) + " has no text");
    else if (Math.min(...sizes) * scale < {text})
      say(name(picture) + " has text of " + (Math.min(...sizes) * scale).toFixed(1) + " px");
  }}
}}
(async () => {{
  for (const width of {widths}) {{
    const frame = document.createElement("iframe");
    frame.style = "border:0;height:2000px;width:" + width + "px";
    frame.srcdoc = page;
    await new Promise(done => {{ frame.onload = done; document.body.append(frame); }});
    look(frame, width);
    frame.remove();
  }}
  document.getElementById("found").textContent = JSON.stringify(all);
}})();
</script>"""


def chromium() -> str:
    """The browser; a visible skip where there is none, and a failure in CI, where `make tools` installs it."""
    try:
        return program(CHROMIUM)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{error}, and CI=true")
        pytest.skip(str(error))


def wrong(page: str, *widths: int, text: float = 9.0) -> tuple[list[str], int]:
    """What is wrong with a page (its HTML) in windows of some widths, console messages too; pictures that were seen.

    Nothing may leave its card, save what scrolls within it; text of pictures has `text` pixels at least.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "watch.html"
        # no tag of the page may end the script
        file.write_text(WATCH.format(widths=list(widths), text=text, page=json.dumps(page).replace("</", "<\\/")),
                        encoding="utf-8")
        done = subprocess.run([chromium(), *FLAGS, f"--user-data-dir={folder}/profile",
                               f"--window-size={max(*widths, 800)},1000", file.as_uri()],
                              capture_output=True, text=True, check=False, timeout=180)
    said = re.search(r'<pre id="found">(\{.*?\})</pre>', done.stdout, re.DOTALL)
    assert said, f"the page said nothing: {done.stdout[-500:]} {done.stderr[-2000:]}"
    found = json.loads(html.unescape(said[1]))
    console = re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr)
    return found["wrong"] + [f"console: {line}" for line in console], found["pictures"]
