# SPDX-License-Identifier: ISC
"""What delivered mail leaves behind in the files of the spool, with spool.wipe
and without it."""
import pytest

from until import until

ANN = "ann@example.com"
SECRET = b"the-secret-of-the-delivered-mail"
MUCH = b"Subject: wipe\r\n\r\n" + (SECRET + b"\r\n") * 300


def files_with_it(spool):
    return [f for f in spool.glob("seg.*") if SECRET in f.read_bytes()]


@pytest.mark.parametrize("wipe", [True, False])
def test_delivered_mail_in_the_files_of_the_spool(wipe, folder, make_gw,
                                                  legacy):
    spool = folder / "spool"
    gw = make_gw({"spool": {"path": spool, "retain": "0s", "segment": "64K",
                            "wipe": wipe}})
    gw.cli(f"route set legacy {ANN}")
    for _ in range(30):
        gw.send(to=ANN, message=MUCH)
    gw.wait_empty()
    assert files_with_it(spool)
    # The file that was being written is full of other mail after that.
    for _ in range(10):
        legacy.wait_message(gw.send(to=ANN, message=MUCH.replace(
            SECRET, b"x" * len(SECRET))))
    gw.wait_empty()
    if wipe:    # the two that are being written may have had it before
        until(lambda: len(files_with_it(spool)) <= 2,
              "old mail to be overwritten")
    else:
        assert len(files_with_it(spool)) > 2
    gw.verify()
