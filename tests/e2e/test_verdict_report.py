# SPDX-License-Identifier: ISC
"""The report of a verdict: a page that a browser prints, that loads nothing,
and in which no name is more than a name."""
import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import unpacked
from until import DEADLINE_S, until

NASTY = "<script>document.title='taken'</script>"
RECIPIENT = '"<script>a&b\'"@example.com'


@pytest.fixture
def chromium(folder):
    """A browser of two packages and their libraries, put together."""
    peers = unpacked("chromium-headless-shell", "chromium-common")
    home = folder / "chromium"
    home.mkdir()
    for package in "chromium-common", "chromium-headless-shell":
        for file in (peers / package / "usr/lib/chromium").iterdir():
            if file.name != "chromium-headless-shell":
                (home / file.name).symlink_to(file)
    program = home / "chromium-headless-shell"
    try:
        os.link(file.parent / program.name, program)
    except OSError:
        shutil.copy(file.parent / program.name, program)
    libraries = ":".join(str(p) for p in peers.glob(
        "lib*/usr/lib/*-linux-gnu")) + ":" + ":".join(
        str(p) for p in peers.glob("lib*/usr/lib/*-linux-gnu/pulseaudio"))

    def run(*words):
        return subprocess.run(
            [program, "--headless", "--no-sandbox", "--disable-gpu",
             f"--user-data-dir={home}/profile", *words],
            env={"PATH": "/usr/bin:/bin", "HOME": str(home),
                 "LD_LIBRARY_PATH": libraries},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=4 * DEADLINE_S, check=True)

    return run


@pytest.fixture
def report(make_gw, folder):
    gw = make_gw(settings={"verdict": {"leg": "legacy", "quiet": "1s"}})
    gw.cli("route", "set", "legacy", RECIPIENT, "ann@example.com")
    gw.cli("flip", "cloud", RECIPIENT)
    until(lambda: gw.run("watermark", "waive", RECIPIENT, "--note",
                         NASTY).returncode == 0, "its watermark")
    gw.cli("verdict", "waive", "inside", "--until", "+1d", "--note", NASTY)
    gw.cli("route", "set", "legacy", '"<b>"@example.com')
    done = gw.run("verdict", "--report", folder / "report.html")
    assert done.returncode == 1 and done.stdout.endswith("NO-GO\n")
    return folder / "report.html"


def test_it_has_all_that_is_signed_for(report):
    text = report.read_text()
    assert "NO-GO" in text and "Signature" in text
    for reason in ("rows", "open", "watermarks", "propagation", "stragglers",
                   "from-leg", "observed", "inside"):
        assert f"<td>{reason}</td>" in text, reason
    assert re.search(r"head <code>[0-9a-f]{64}</code>", text)
    assert "Recipients that are done without (1)" in text
    # Waivers stand before all else.
    assert text.index("<h2>Waivers") < text.index('<p class="answer"')


def test_no_name_in_it_is_more_than_a_name(report):
    text = report.read_text()
    assert "&lt;script&gt;" in text and "&lt;b&gt;" in text
    assert "<script" not in text and "<b>" not in text
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?:", text)


def test_a_browser_prints_it_on_a4_and_loads_nothing(report, chromium,
                                                     folder):
    pdf, log = folder / "report.pdf", folder / "net.json"
    chromium(f"--print-to-pdf={pdf}", "--no-pdf-header-footer",
             f"--log-net-log={log}", f"file://{report}")
    boxes = re.findall(rb"/MediaBox *\[([^]]*)\]", pdf.read_bytes())
    assert boxes and all(
        [round(float(x)) for x in box.split()] in ([0, 0, 595, 842],
                                                   [0, 0, 596, 842])
        for box in boxes), boxes
    asked = {e["params"]["url"] for e in json.loads(log.read_text())["events"]
             if isinstance(e.get("params"), dict) and "url" in e["params"]}
    assert not {u for u in asked if not u.startswith(("file:", "data:"))
                and "optimizationguide" not in u}, asked
    dom = chromium("--dump-dom", f"file://{report}").stdout
    assert "<title>Verdict</title>" in dom and "<script" not in dom
    assert "&lt;script&gt;" in dom


def test_a_report_that_cannot_be_written_is_said(make_gw, folder):
    gw = make_gw(settings={"verdict": {"leg": "legacy"}})
    done = gw.run("verdict", "--report", folder / "no" / "such.html")
    assert done.returncode == 1 and "such.html" in done.stderr
    assert "NO-GO" not in done.stdout
