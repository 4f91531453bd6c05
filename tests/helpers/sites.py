"""Open the pages of a built site in headless Chromium, light and dark, and say what is wrong with how they look."""

import html
import json
import re
import subprocess
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from browser import FLAGS, chromium

#: contrast of text and ground that readers with weak eyes need (WCAG 2.1, AA), and that of large text
CONTRAST, LARGE = 4.5, 3.0
WATCH = """<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="found">nothing</pre>
<script>
const all = {{wrong: [], texts: 0}};
const canvas = document.createElement("canvas").getContext("2d", {{willReadFrequently: true}});
function rgba(text) {{          // any way of writing a colour, as the browser paints it
  if (!colours.has(text)) colours.set(text, painted(text));
  return colours.get(text);
}}
function painted(text) {{
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
  const c = canvas.getImageData(0, 0, 1, 1).data;
  return [c[0], c[1], c[2], c[3] / 255];
}}
const over = (a, b) => [0, 1, 2].map(n => a[n] * a[3] + b[n] * (1 - a[3])).concat(1);
let grounds = new Map(), opacities = new Map(), colours = new Map();
function ground(e) {{
  if (!e) return [255, 255, 255, 1];
  if (!grounds.has(e)) {{
    const c = rgba(getComputedStyle(e).backgroundColor);
    grounds.set(e, c[3] == 1 ? c : over(c, ground(e.parentElement)));
  }}
  return grounds.get(e);
}}
function opacity(e) {{
  if (!e) return 1;
  if (!opacities.has(e)) opacities.set(e, getComputedStyle(e).opacity * opacity(e.parentElement));
  return opacities.get(e);
}}
function light(c) {{
  const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}}
function look(frame, url, width, scheme) {{
  grounds = new Map(); opacities = new Map();
  const doc = frame.contentDocument, say = text => all.wrong.push(`${{url}}, ${{width}} px, ${{scheme}}: ${{text}}`);
  if (doc.documentElement.scrollWidth > width) say("the page is wider than its window");
  const main = doc.querySelector("article");
  for (const e of main.querySelectorAll("*")) {{
    const box = e.getBoundingClientRect();
    const moves = getComputedStyle(e.parentElement).overflowX == "auto" || e.closest("pre, .md-typeset__scrollwrap");
    if (box.width && box.right > width + 0.5 && !moves)
      say(`${{e.tagName}} ${{JSON.stringify(e.textContent.trim().slice(0, 30))}} leaves the window`);
  }}
  for (const e of doc.querySelectorAll("article *, .md-header *, .md-tabs *, .md-nav *, .md-footer *")) {{
    const own = [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim());
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (!own || !box.width || !box.height || style.visibility == "hidden" || style.opacity == 0) continue;
    if (e.closest("svg, [hidden], .md-search, .headerlink, .md-clipboard, script, style")) continue;
    const below = ground(e), seen = over(rgba(style.color), below);
    if (!opacity(e)) continue;
    const [a, b] = [light(over([...seen.slice(0, 3), opacity(e)], below)), light(below)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), least = size >= 24 || size >= 18.6 && style.fontWeight >= 700
      ? {large} : {contrast};
    all.texts += 1;
    if ((a + 0.05) / (b + 0.05) < least)
      say(`contrast ${{((a + 0.05) / (b + 0.05)).toFixed(2)}} of ${{e.tagName}}.${{e.className}} ` +
          JSON.stringify(e.textContent.trim().slice(0, 30)));
  }}
}}
(async () => {{
  for (const url of {urls}) for (const width of {widths}) {{
    const frame = document.createElement("iframe");
    frame.style = "border:0;height:1500px;width:" + width + "px";
    frame.src = url;
    await new Promise(done => {{ frame.onload = done; document.body.append(frame); }});
    for (const scheme of ["default", "slate"]) {{
      frame.contentDocument.body.setAttribute("data-md-color-scheme", scheme);
      const still = frame.contentDocument.createElement("style");
      still.textContent = "* {{ transition: none !important; }}";
      frame.contentDocument.head.append(still);
      await new Promise(done => setTimeout(done, 20));
      look(frame, url, width, scheme);
    }}
    frame.remove();
  }}
  document.getElementById("found").textContent = JSON.stringify(all);
}})();
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_):
        """Nothing."""


def wrong_on(site: Path, *widths: int) -> tuple[list[str], int]:
    """What is wrong with the pages of a site in windows of some widths, light and dark; texts that were looked at.

    Nothing may leave the window, save what scrolls within itself; texts have CONTRAST; the console is silent.
    """
    urls = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if path.name != "404.html")
    watch = site / "watch.html"
    watch.write_text(WATCH.format(urls=json.dumps(urls), widths=list(widths), contrast=CONTRAST, large=LARGE))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = _open(f"http://127.0.0.1:{server.server_port}/watch.html", max(*widths, 800), 600)
    finally:
        server.shutdown()
        watch.unlink()
    said = re.search(r'<pre id="found">(\{.*?\})</pre>', done.stdout, re.DOTALL)
    assert said, f"the pages said nothing: {done.stdout[-500:]} {done.stderr[-2000:]}"
    found = json.loads(html.unescape(said[1]))
    console = re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr)
    return found["wrong"] + [f"console: {line}" for line in console], found["texts"]


def dom(url: str) -> str:
    """What a page has become some seconds after it was opened."""
    return _open(url, 1280, 8).stdout


def _open(url: str, width: int, seconds: int):
    """Open an address; `seconds` pass for the page at most, as fast as they can."""
    flags = [flag for flag in FLAGS if "virtual-time" not in flag]
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run([chromium(), *flags, f"--user-data-dir={profile}", f"--window-size={width},1000",
                               f"--virtual-time-budget={1000 * seconds}", url], capture_output=True, text=True,
                              check=False, timeout=600)
