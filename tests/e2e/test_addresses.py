# SPDX-License-Identifier: ISC
"""Addresses of the isemail collection at RCPT and MAIL, judged by its
categories for RFC 5321: what is valid is taken. What is not may be taken too
where old devices send it (test_sloppy.py)."""
import xml.etree.ElementTree

import pytest

from conftest import SHARED

VALID = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"}


@pytest.fixture(scope="module")
def collection():
    file = SHARED / "data/addresses/tests.xml"
    if not file.exists():
        pytest.skip(f"{file} is not there (PH_SHARED)")
    rows = []
    for test in xml.etree.ElementTree.parse(file).getroot().iter("test"):
        text = test.findtext("address") or ""
        # U+2400 and on stand for control characters.
        text = "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2440
                       else c for c in text)
        rows.append((text, test.findtext("category"),
                     test.findtext("diagnosis")))
    return rows


def wanted(text, category, diagnosis):
    # Too long for RFC 5322, but not for the wire: 4.5.3.1 gives what must be
    # taken at least.
    if diagnosis == "ISEMAIL_RFC5322_LOCAL_TOOLONG":
        return True
    if diagnosis == "ISEMAIL_RFC5322_TOOLONG":
        return len(text.rpartition("@")[2]) <= 253
    return category in VALID


def test_the_form_of_a_sender_is_judged_by_rfc_5321(gw, collection):
    wrong = []
    for text, category, diagnosis in collection:
        if "\r" in text or "\n" in text or not text.isascii():
            continue  # on the wire these are other lines
        with gw.dialog() as d:
            d.ok("EHLO client.test")
            r = d.cmd(f"MAIL FROM:<{text}>")
            if text == "":
                assert r.code == 250  # the null sender
            elif r.code != 250 and wanted(text, category, diagnosis):
                wrong.append((text, category, diagnosis, str(r)))
    assert not wrong, "\n".join(map(str, wrong))
