# SPDX-License-Identifier: ISC
"""Fixtures: two legs, the world outside, a gateway between them.

Whatever a test does, at its end the books must be even (no gap between what
was created and what became of it), the daemon must stop when asked, and no
sanitizer may have spoken.
"""
import base64
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from certs import Authority                              # noqa: E402
from gateway import BUILD, ROOT, Gateway                 # noqa: E402
from ports import loopback                               # noqa: E402
from sink import Leg                                     # noqa: E402

SHARED = pathlib.Path(os.environ.get("PH_SHARED", ROOT.parent / "shared"))
PEERS = pathlib.Path(os.environ.get("PH_PEERS", ROOT / "build/peers"))
numbers = itertools.count(1)
# Which of the parallel runs this is: "gw3", or "" when there is one.
RUN = os.environ.get("PYTEST_XDIST_WORKER", "")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true",
                     help="campaigns too")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "long" in item.keywords and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="a campaign: --long"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    setattr(item, "result_" + report.when, report)


@pytest.fixture
def folder(request):
    """Of this test; short, a socket must fit. Stays when the test fails."""
    name = re.sub(r"\W+", "-", request.node.name.replace("test_", "", 1))
    path = BUILD / "e2e" / f"{RUN}{next(numbers):03d}-{name[:24]}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    path.chmod(0o755)
    yield path
    reports = [getattr(request.node, "result_" + when, None)
               for when in ("setup", "call")]
    if all(r is not None and not r.failed for r in reports) and \
            not getattr(request.node, "unclean", False):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_leg():
    legs = []

    def make(name, **kw):
        legs.append(Leg(name, **kw))
        return legs[-1]

    yield make
    for leg in legs:
        leg.stop()


@pytest.fixture
def own_address():
    """Loopback addresses that no other test uses: port 25 is free there."""
    if os.geteuid() != 0:
        pytest.skip("port 25 is root's")

    return lambda: loopback(next(numbers))


@pytest.fixture
def legacy(make_leg):
    return make_leg("legacy")


@pytest.fixture
def cloud(make_leg):
    return make_leg("cloud")


@pytest.fixture
def outside(make_leg):
    """Where our own notices go."""
    return make_leg("outside")


def quiet(gateway):
    """A report of a sanitizer, or of the daemon about itself (an assertion, a
    recount), is a failure of the test it comes in."""
    text = gateway.all_log() if gateway.log.exists() else ""
    found = re.search(r"^.*((ERROR|WARNING): \w+Sanitizer|runtime error:"
                      r"| error (assert|check)\.failed ).*$", text, re.M)
    assert not found, text[found.start():found.start() + 4000]


def finish(gw, verify):
    if gw.process is None:
        quiet(gw)
        return
    try:
        if gw.running and verify:
            gw.verify()
    finally:
        status = gw.stop()
    quiet(gw)
    assert status == 0, f"ended with {status}: {gw.log_text()[-3000:]}"


@pytest.fixture
def make_gw(folder, legacy, cloud, outside, request):
    gateways = []

    def make(settings=None, legs=None, start=True, name=None):
        home = folder / name if name else folder
        home.mkdir(exist_ok=True)
        all_legs = {"legacy": legacy, "cloud": cloud, "outside": outside}
        all_legs.update(legs or {})
        gw = Gateway(home, {k: v for k, v in all_legs.items()
                            if v is not None}, settings)
        gateways.append(gw)
        return gw.start() if start else gw

    yield make
    noverify = request.node.get_closest_marker("noverify")
    request.node.unclean = True
    for gw in gateways:
        finish(gw, verify=not noverify)
    request.node.unclean = False


@pytest.fixture
def gw(make_gw):
    return make_gw()


@pytest.fixture
def authority(folder):
    return Authority(folder)


@pytest.fixture(scope="session")
def real_mail():
    """Messages that others wrote, by path; None is copied."""
    files = sorted((SHARED / "data/mail").glob("*.eml"))
    if not files:
        pytest.skip(f"no messages in {SHARED}/data/mail (PH_SHARED)")
    return files


@pytest.fixture(scope="session")
def dkim_key(tmp_path_factory):
    """The private key, and the record of the public one."""
    file = tmp_path_factory.mktemp("dkim") / "key"
    subprocess.run(["openssl", "genrsa", "-out", file, "2048"], check=True,
                   capture_output=True)
    public = subprocess.run(
        ["openssl", "rsa", "-in", file, "-pubout", "-outform", "DER"],
        check=True, capture_output=True).stdout
    return file.read_bytes(), b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


@pytest.fixture(scope="session")
def peers():
    """Postfix and Exim."""
    return unpacked("postfix", "exim4-daemon-light")


def unpacked(*names):
    """Where tests/run put these packages."""
    if os.geteuid() != 0:
        pytest.skip("real mail servers are started as root only")
    for name in names:
        if not (PEERS / name).is_dir():
            pytest.skip(f"{PEERS}/{name} is not there; tests/run fetches it")
    return PEERS
