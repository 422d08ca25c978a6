# SPDX-License-Identifier: ISC
"""tag add, tag remove: tags alone, and what an undo leaves of them."""
import pytest

ANN, BOB, CAT = "ann@example.com", "bob@example.com", "cat@example.com"


@pytest.fixture
def gw(make_gw):
    gw = make_gw()
    gw.cli("route", "set", "legacy", ANN, BOB, "--tag", "vip",
           "--tag", "client=apple", "--mailbox", "shared")
    gw.cli("route", "set", "cloud", CAT)
    return gw


def tags(gw):
    return {r["address"]: r["tags"] for r in gw.cli_json(
        "route", "list", "--where", "address like '%'")}


def found(gw, expression):
    return [r["address"] for r in gw.cli_json("route", "list", "--where",
                                              expression)]


def test_tags_are_added_and_removed_and_the_others_stay(gw):
    row = gw.cli_json("tag", "add", "w1", "held", ANN, CAT)[0]
    assert (row["change"], row["recipients"]) == (4, 2)
    assert tags(gw) == {ANN: ["client=apple", "held", "vip", "w1"],
                        BOB: ["client=apple", "vip"],  # not the mailbox
                        CAT: ["held", "w1"]}
    gw.cli("tag", "remove", "vip", "w1", "none-such",
           "--where", "client=apple or tag = 'held'")
    assert tags(gw) == {ANN: ["client=apple", "held"], BOB: ["client=apple"],
                        CAT: ["held"]}
    # By the index too.
    assert found(gw, "w1 or vip") == []
    assert found(gw, "tag = 'held'") == [ANN, CAT]
    assert "has it already" in gw.cli("tag", "add", "held", CAT)
    gw.cli("table", "check")
    assert {r["route"] for r in gw.cli_json("route", "get", ANN, BOB)} == \
        {"legacy"}


def test_a_file_a_dry_run_and_what_is_refused(gw):
    (gw.folder / "list").write_text(f"# some\n{ANN}\n\n{BOB}\n")
    rows = gw.cli_json("tag", "add", "dept=it", "together=ann@example.com",
                       "--file", str(gw.folder / "list"), "--dry-run")
    assert [r["new"]["tags"] for r in rows] == \
        [["client=apple", "dept=it", "together=ann@example.com", "vip"]] * 2
    assert found(gw, "dept=it") == []
    for words, said in (
            ((ANN,), "say which tags"),
            (("w1",), "say which recipients in one way"),
            (("a,b", ANN, "--where", "vip"), "in one way")):
        assert said in gw.cli_fails("tag", "add", *words, code=2)
    assert "has no row" in gw.cli_fails("tag", "add", "w1",
                                        "eve@example.com")
    (gw.folder / "list").write_text(f"{ANN}\nnobody\n@\n")
    said = gw.cli_fails("tag", "add", "w1", "--file",
                        str(gw.folder / "list"))
    assert "line 2" in said and "line 3" in said
    assert found(gw, "w1") == []
    # A room that has a copy would answer twice.
    gw.cli("route", "set", "legacy+cloud", CAT)
    assert "is a group or a room" in gw.cli_fails("tag", "add", "kind=room",
                                                  CAT)
    gw.cli("tag", "add", "kind=room", CAT, "--force")


def test_an_undo_takes_back_only_those_that_it_added_or_removed(gw):
    gw.cli("tag", "add", "w1", "vip", ANN, CAT)   # 4: Ann has vip already
    gw.cli("tag", "remove", "client=apple", "none-such", ANN)  # 5
    gw.cli("tag", "add", "late", ANN)
    gw.cli("flip", "cloud", ANN, "--only-address")
    gw.cli("undo", "4")
    assert tags(gw)[ANN] == ["late", "vip"]
    assert tags(gw)[CAT] == []
    gw.cli("undo", "5")
    assert tags(gw)[ANN] == ["client=apple", "late", "vip"]
    assert found(gw, "leg = cloud and client=apple") == [ANN]


def test_flip_tag_undo_the_user_is_back_and_the_tag_stays(gw):
    gw.cli("flip", "cloud", ANN)  # 4, and Bob's, of one mailbox
    gw.cli("tag", "add", "moved", ANN)
    gw.cli("undo", "4")
    assert {r["address"]: r["route"] for r in gw.cli_json(
        "route", "list", "--where", "vip")} == {ANN: "legacy", BOB: "legacy"}
    assert found(gw, "moved") == [ANN]


def test_an_undo_names_what_stays_with_column_and_value(gw):
    gw.cli("route", "set", "cloud", "--mailbox", "other", "--address",
           "cloud=ann@tenant.test", "--address", "legacy=a@old.test",
           ANN)  # 4
    gw.cli("route", "set", "legacy+cloud", ANN,
           "--address", "cloud=ann2@tenant.test")
    rows = gw.cli_json("undo", "4")
    left = {(r["address"], r["column"]): r["value"] for r in rows
            if "column" in r}
    assert left == {(ANN, "route"): "legacy+cloud",
                    (ANN, "cloud_address"): "ann2@tenant.test"}
    row = gw.cli_json("route", "get", ANN)[0]
    assert row["mailbox"] == "shared"
    assert row["addresses"] == {"cloud": "ann2@tenant.test"}


def test_a_row_goes_only_if_nothing_else_was_written_to_it(gw):
    gw.cli("route", "set", "cloud", "dan@example.com", "eve@example.com")  # 4
    gw.cli("tag", "add", "vip", "eve@example.com")
    rows = gw.cli_json("undo", "4")
    assert [(r["address"], r["column"], r["value"]) for r in rows
            if "column" in r] == [("eve@example.com", "tags", "vip")]
    assert "dan@example.com" not in tags(gw)
    assert tags(gw)["eve@example.com"] == ["vip"]
