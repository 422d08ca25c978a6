# SPDX-License-Identifier: ISC
"""The PROXY protocol: from listed peers, and from no others."""
import socket
import struct

import pytest

ANN = "ann@example.com"
MAGIC = b"\r\n\r\n\0\r\nQUIT\n"


def v2(client, port=4000, command=1):
    ip6 = ":" in client
    family = socket.AF_INET6 if ip6 else socket.AF_INET
    addresses = socket.inet_pton(family, client) + \
        socket.inet_pton(family, "::1" if ip6 else "127.0.0.1") + \
        struct.pack("!HH", port, 25)
    return MAGIC + bytes([0x20 | command, 0x21 if ip6 else 0x11]) + \
        struct.pack("!H", len(addresses)) + addresses


@pytest.fixture
def proxy_gw(make_gw):
    return make_gw({'listen "mx"': {"proxy_from": ["127.0.0.1"]},
                    "limits": {"proxy_timeout": "500ms"}})


HEADERS = [(b"PROXY TCP4 192.0.2.7 127.0.0.1 4000 25\r\n", "192.0.2.7"),
           (b"PROXY TCP6 2001:db8::7 ::1 4000 25\r\n", "2001:db8::7"),
           (v2("192.0.2.8"), "192.0.2.8"), (v2("2001:db8::8"), "2001:db8::8"),
           (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
           (v2("192.0.2.9", command=0), "127.0.0.1")]


@pytest.mark.parametrize("header, client", HEADERS,
                         ids=[str(i) for i in range(len(HEADERS))])
def test_the_client_is_the_one_of_the_header(proxy_gw, legacy, header,
                                             client):
    with proxy_gw.dialog(first=header) as d:
        assert d.greeting.code == 220
        d.envelope("a@elsewhere.test", ANN)
        assert d.data("Subject: x\r\n\r\nx\r\n.\r\n").code == 250
    assert legacy.wait_count(1)[0].trace.find(client.encode()) > 0
    assert proxy_gw.wait_event("accepted")["client"] == client


BAD = [b"PROXY TCP4 192.0.2.7 127.0.0.1 4000 25" + b" " * 90 + b"\r\n",
       b"PROXY TCP4 nonsense 127.0.0.1 4000 25\r\n", b"EHLO client.test\r\n",
       MAGIC + b"\x21\x11\xff\xff" + b"x" * 100,
       MAGIC + b"\x21\x11\0\x02xx", MAGIC + b"\x91\x11\0\x0c" + b"x" * 12]


@pytest.mark.parametrize("header", BAD, ids=[str(i) for i in range(len(BAD))])
def test_what_is_no_header_ends_without_a_word(proxy_gw, header):
    with proxy_gw.dialog(greet=False, first=header) as d:
        assert d.closed()


def test_no_header_at_all_ends_too(proxy_gw):
    with proxy_gw.dialog(greet=False) as d:
        assert d.closed()


def test_a_header_in_single_bytes_is_read(proxy_gw):
    with proxy_gw.dialog(greet=False) as d:
        for b in v2("192.0.2.8"):
            d.send(bytes([b]))
        assert d.reply().code == 220


def test_from_others_a_header_is_a_bad_command(make_gw):
    gw = make_gw({'listen "mx"': {"proxy_from": ["192.0.2.1"]}})
    with gw.dialog(greet=False, first=HEADERS[0][0]) as d:
        assert {d.reply().code} <= {220, 554}
        with pytest.raises((AssertionError, ConnectionError, OSError)):
            d.envelope("a@elsewhere.test", ANN)
            assert d.reply().code < 400
    assert not gw.events(event="accepted")


def test_the_limit_counts_the_true_client(make_gw):
    gw = make_gw({'listen "mx"': {"proxy_from": ["127.0.0.1"]},
                  "limits": {"per_client": 1}})
    with gw.dialog(first=v2("192.0.2.8")) as one, \
            gw.dialog(first=v2("192.0.2.9")) as other:
        assert one.greeting.code == other.greeting.code == 220
        with gw.dialog(first=v2("192.0.2.8")) as two:
            assert two.greeting.code == 421
