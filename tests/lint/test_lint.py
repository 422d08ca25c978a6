# SPDX-License-Identifier: ISC
"""Each rule on a small tree that breaks it, and on one that does not. Run by
tests/run, or: python3 -m pytest tests/lint"""
import pathlib
import subprocess
import sys
import tarfile

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import check_layers  # noqa: E402
import check_style  # noqa: E402
from source import Source  # noqa: E402
from tree import Tree  # noqa: E402

RULES = {**check_layers.RULES, **check_style.RULES}
SPDX = "/* SPDX-License-Identifier: ISC */\n"
LAYERS = """# comment
relay/base
relay/mail    relay/base            # text after a sharp
relay/mail/in relay/mail
policy        relay/base relay/mail
relay/daemon  *
"""
# A tree that breaks no rule: what a test adds or replaces is its only fault.
GOOD = {
    "tests/lint/layers.txt": LAYERS,
    "relay/base/str.h": SPDX + "int str_len(const char *s);\n",
    "relay/base/str.c": SPDX + """#include "relay/base/str.h"

int str_len(const char *s)
{
	return *s;
}
""",
    "relay/mail/addr.h": SPDX + """struct addr {
	int n;
};
extern const int addr_table[];
""",
    "relay/mail/addr.c": SPDX + """#include <stdio.h>
#include "relay/mail/addr.h"
#include "relay/base/str.h"
#include "config.h"

/* Promise T1; doc/routing.md and str.c say more, stdio.h nothing. */
const int addr_table[] = { 1, 2 };

static int use(void)
{
	return str_len("policy_of(1)"); /* policy_of(1) */
}
""",
    "relay/mail/in/path.c": SPDX + '#include "relay/mail/addr.h"\n',
    "policy/route.c": SPDX + """#include "relay/mail/addr.h"

int policy_of(int n)
{
	return n;
}
""",
    "relay/daemon/main.c": SPDX + """#include "relay/base/str.h"

int main(void)
{
	return policy_of(1);
}
""",
    "tests/unit/test_str.c": SPDX + "struct addr {\n\tint n;\n};\n",
    "doc/promises.md": "# Promises\n\n| T1 | kept |\n| T2-T4 | kept |\n"
                       "### D1: kept\n- **E1** kept\n",
    "doc/journal.md": "| J1, J2 | row |\n| J3 | row, see promises.md |\n",
    "doc/routing.md": "See [promises](promises.md): T3, D1, E1 and J2. "
                      "UTF-8 C1, U+00E9, `\\x{E9}` are no codes.\n",
    "HACKING.md": "# Tour\n`relay/base/str.c`, `base/str.c`, NAME.c\n"
                  "## History of names\n`relay/old.c` is `str.c`\n",
    "NEWS.md": "Once there was relay/gone.c\n",
    "tests/e2e/test_a.py": '"""Keeps T2; of str.c"""\nT9 = "design.md"\n',
    "relay/base/Makefile.inc": "# T4\nX = T9 design.md\n",
}


@pytest.fixture
def broken(tmp_path):
    """broken(rule, {file: text}): what a rule says about the good tree with
    these files in it."""
    def make(rule, files):
        for name, text in {**GOOD, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return list(RULES[rule](Tree(tmp_path)))
    return make


@pytest.mark.parametrize("rule", RULES)
def test_good_tree_passes(broken, rule):
    assert broken(rule, {}) == []


def body(lines):
    return "{\n" + "\tx();\n" * (lines - 2) + "}\n"


def with_layers(more):
    return {"tests/lint/layers.txt": LAYERS + more}


H, C = "relay/base/x.h", "relay/base/x.c"
CALLBACK = """static int on_key(int a, int b, int c, int d, int e, int f)
{
	return a;
}

void use(void *ctx)
{
	%s
}
"""
SCHEMA_ROW = ('\t{ IN(SPOOL), "retain", &T_DURATION, C(spool.retain_ms), '
              '"7d", 0, DAYS(1), LIVE, NULL,\n\t  "How long." },\n')
READS = """
int %s(const struct conf *c)
{
	return c->spool.retain_ms;
}
"""
# rule, files, what it must say (a part of it)
BREAKS = [
    ("listed", {"relay/wave/wave.h": '#include "relay/daemon/app.h"\n'},
     "relay/wave: not in"),
    ("listed", {"relay/mail/out/deep/x.c": ""}, "relay/mail/out/deep: not in"),
    ("listed", {"relay/top.c": ""}, "relay: not in"),
    ("listed", {"conf/conf.h": ""}, "conf: not in"),
    ("listed", with_layers("relay/none relay/base\n"), "no C files in relay/n"),
    ("listed", with_layers("relay/base\n"), "relay/base is listed twice"),
    ("listed", {"tests/lint/layers.txt": LAYERS.replace(
        "policy        relay/base", "policy relay/nowhere")},
     "no C files in relay/nowhere"),
    ("star", {"tests/lint/layers.txt": LAYERS.replace(
        "policy        relay/base relay/mail", "policy *")},
     "policy may not include everything"),
    ("include", {C: '#include "relay/mail/addr.h"\n'},
     "relay/base/x.c:1: relay/base may not include relay/mail/addr.h"),
    ("include", {C: '  #  include "policy/route.h"\n'}, "may not include pol"),
    ("include", {C: '#include <policy/route.h>\n'}, "may not include policy"),
    ("include", {C: '#include "route.h"\n'}, "may not include route.h"),
    # A folder in another has arrows of its own, and is not that other one.
    ("include", {"relay/mail/in/y.c": '#include "relay/base/str.h"\n'},
     "relay/mail/in may not include relay/base"),
    ("include", {"relay/mail/y.c": '#include "relay/mail/in/p.h"\n'},
     "relay/mail may not include relay/mail/in"),
    ("include", {"relay/wave/wave.h": '#include "relay/daemon/app.h"\n'},
     "relay/wave may not include"),
    ("call", {C: "int policy_of(int n);\n"},
     "relay/base/x.c:1: relay/base may not use policy_of of policy"),
    ("call", {C: "int x(void)\n{\n\treturn policy_of(1);\n}\n"}, ":3:"),
    ("call", {C: "int (*fn)(int) = policy_of;\n"}, "policy_of"),
    ("call", {H: "#define X(n) \\\n\tpolicy_of(n)\n"}, "x.h:2:"),
    ("call", {C: "extern const int addr_table[];\n"
                 "int x(void)\n{\n\treturn addr_table[0];\n}\n"},
     "addr_table of relay/mail"),
    # Through a header lower down, without an include of its own.
    ("call", {"relay/mail/in/y.c":
              "int x(void)\n{\n\treturn str_len(\"\");\n}\n"},
     "relay/mail/in may not use str_len of relay/base"),
    ("circle-listed", {"tests/lint/layers.txt": LAYERS.replace(
        "relay/base\n", "relay/base policy\n", 1)},
     "policy -> relay/base -> policy"),
    ("circle-listed", {"tests/lint/layers.txt": LAYERS.replace(
        "relay/base\n", "relay/base relay/daemon\n", 1)},
     "relay/base -> relay/daemon -> relay/base"),
    ("circle-folders", {C: '#include "policy/y.h"\n',
                        "policy/y.h": '#include "relay/base/str.h"\n'},
     "policy -> relay/base -> policy"),
    ("circle-files", {"relay/base/a.h": '#include "relay/base/b.h"\n',
                      "relay/base/b.h": '#include "relay/base/a.h"\n'},
     "relay/base/a -> relay/base/b -> relay/base/a"),
    ("circle-files", {"relay/base/a.c": '#include "relay/base/b.h"\n',
                      "relay/base/b.c": '#include "relay/base/a.h"\n',
                      "relay/base/a.h": "", "relay/base/b.h": ""},
     "relay/base/a -> relay/base/b -> relay/base/a"),
    ("circle-files", {f"relay/base/{x}_int.h": f'#include "relay/base/{y}.h"\n'
                      for x, y in ("ab", "bc", "ca")} | {
                      f"relay/base/{x}.h": f'#include "relay/base/{x}_int.h"\n'
                      for x in "abc"}, "c_int -> relay/base/a"),
    ("many-files", {f"relay/base/f{i}.c": "" for i in range(25)},
     "relay/base: 26 .c files"),
    ("reload", {"conf/schema.c": SPDX + SCHEMA_ROW},
     "conf/schema.c:2: retain (spool.retain_ms) is read nowhere"),
    ("reload", {"conf/schema.c": SPDX + SCHEMA_ROW,
                "relay/daemon/recovery.c": SPDX + READS % "open_it"},
     "does not hear of a reload"),
    ("licence", {C: "int x;\n"}, "x.c:1: no SPDX"),
    ("licence", {"tests/unit/test_x.c": "int x;\n"}, "test_x.c:1: no SPDX"),
    ("banned", {C: "void x(void)\n{\n\tstrcpy(a, b);\n}\n"},
     "x.c:3: strcpy() is banned"),
    ("banned", {C: "void *x = malloc(1);\n"}, "malloc belongs in"),
    ("banned", {C: "#include <uthash.h>\n"}, "<uthash.h> belongs in"),
    ("columns", {C: "/*" + " " * 79 + "*/\n"}, "x.c:1: 83 columns"),
    ("columns", {C: "\t" * 10 + "x\n"}, "x.c:1: 81 columns"),
    ("columns", {C: "/* clang-format off */\n/*" + " " * 99 + "*/\n"},
     "x.c:2: 103 columns, 100"),
    ("file-lines", {C: "\n" * 501}, "x.c: 501 lines, 500 at most"),
    ("file-lines", {H: "\n" * 501}, "x.h: 501 lines, 500 at most"),
    ("file-lines", {"tests/unit/test_x.c": "\n" * 651}, "651 lines, 650"),
    ("function-lines", {C: "int f(int a,\n    int b)\n" + body(39)},
     "x.c:1: f has 41 lines, 40 at most"),
    ("function-lines", {H: "static inline PH_X(1) int g(void)\n" + body(40)},
     "x.h:1: g has 41 lines"),
    ("parameters", {H: "int f(int a, int b, int c, int d, int e, int f);\n"},
     "x.h:1: f has 6 parameters, 5 at most"),
    ("parameters", {C: "static void f(int a, int b, int c,\n    int d, int e, "
                       "void (*g)(int, int))\n{\n}\n"}, "f has 6"),
    ("parameters", {H: "void f(const char *a, int b, int c, int d, int e, "
                       "...);\n"}, "f has 6"),
    ("parameters", {H: "typedef int (*x_fn)(int, int, int, int, int, int);\n"},
     "x_fn has 6"),
    ("parameters", {H: "struct ops {\n\tint *(*go)(int, int, int, int, int, "
                       "int);\n};\n"}, "go has 6"),
    ("parameters", {H: "void f(int (*go)(int, int, int, int, int, int));\n"},
     "go has 6"),
    ("parameters", {C: CALLBACK % "on_key(1, 2, 3, 4, 5, 6);"}, "on_key has 6"),
    ("parameters", {C: CALLBACK % "str_len(on_key);"}, "on_key has 6"),
    ("parameters", {C: CALLBACK % "ctx->fn = on_key;"}, "on_key has 6"),
    ("parameters", {C: CALLBACK % "static const struct ops o = "
                       "{\n.fn = on_key,\n};"}, "on_key has 6"),
    ("struct-name", {C: "struct addr {\n\tint n;\n};\n"},
     "struct addr is also relay/mail/addr.h:2"),
    ("struct-name", {C: "int f(void)\n{\n\tstruct addr { int n; } a;\n}\n"},
     "struct addr is also"),
    ("struct-name", {C: "struct y {\n\tstruct addr {\n\t\tint n;\n\t} a;\n};\n"},
     "struct addr is also"),
    ("file-name", {"policy/addr.c": ""}, "addr.c is also relay/mail/addr.c"),
    ("file-name", {"policy/str.h": ""}, "str.h is also relay/base/str.h"),
    ("promise", {C: "int x; /* D17: of old */\n"}, "x.c:1: D17: no page"),
    ("promise", {C: "/* a\n * (T5) */\n"}, "x.c:2: T5: no page"),
    ("promise", {C: "// T1-T6\n"}, "T6: no page"),
    ("promise", {"tests/unit/test_x.c": "/* A9 */\n"}, "A9: no page"),
    ("promise", {"README.md": "keeps R1\n"}, "README.md:1: R1: no page"),
    ("promise", {"doc/x.1": "keeps E2\n"}, "doc/x.1:1: E2: no page"),
    ("promise", {"tests/e2e/test_b.py": "def f():\n    '''\n    T9'''\n"},
     "test_b.py:3: T9: no page"),
    ("promise", {"relay/base/Makefile.inc": "X = 1 # D9\n"}, "D9: no page"),
    ("promise", {"doc/journal.md": "| T1 | row |\n"},
     "doc/journal.md:1: T1 is for doc/promises.md"),
    ("promise", {"doc/promises.md": "| J1 |\n| T1–T4 |\n| D1 |\n| E1 |\n"},
     "J1 is for doc/journal.md"),
    ("promise", {"doc/routing.md": "J4\n"}, "J4: no page"),
    ("page", {C: "/* storage.md, 2 */\n"}, "x.c:1: no page storage.md"),
    ("page", {C: "/* doc/gone.md */\n"}, "no page doc/gone.md"),
    ("page", {"README.md": "[style](doc/style.md)\n"}, "no page doc/style.md"),
    ("page", {"README.md": "in ../shared/data\n"}, "../shared is outside"),
    ("page", {"tests/e2e/test_b.py": "# in ../shared\n"}, "is outside"),
    ("page", {"contrib/try": "#!/bin/bash\n# design.md\n"}, "no page design"),
    ("file", {C: "/* as handback.c does */\n"}, "x.c:1: no file handback.c"),
    ("file", {C: "/* relay/base/addr.c */\n"}, "no file relay/base/addr.c"),
    ("file", {"HACKING.md": "# Tour\nsee `mail/str.c`\n"},
     "HACKING.md:2: no file mail/str.c"),
    ("words", {C: "/* What is to be done. */\n"}, "x.c:1: a comment begins"),
    ("words", {H: "/* SPDX-License-Identifier: ISC\n *\n * Who it is.\n */\n"},
     "x.h:3: a comment begins with Who"),
    ("words", {"tests/unit/test_x.c": "int x; /* … Whom it tells. */\n"},
     "begins with Whom"),
    ("words", {C: "/* A row\n * that Nobody has. */\n"},
     "x.c:2: a comment says Nobody"),
    ("words", {C: "// by his address\n"}, "says his"),
    ("gone", {C: "/* str_length() does it. */\n"},
     "x.c:1: str_length() is nowhere"),
    ("named", {"doc/promises.md": "T1: `relay/base/str.c: str_length()`\n"},
     "doc/promises.md:1: str_length() is not in its file"),
    ("named", {"doc/promises.md": "`relay/base/str.c` `str_len()` and\n"
                                  "`policy_of()`\n"},
     "doc/promises.md:2: policy_of() is not"),
    ("named", {"doc/architecture.md": "in `unit/test_gone.c`\n"},
     "no file unit/test_gone.c"),
    ("file", {"HACKING.md": "# History\n`a_b.c`\n# Tour\n`c_d.c`\n"},
     "HACKING.md:4: no file c_d.c"),
]


@pytest.mark.parametrize("rule, files, said", BREAKS)
def test_broken_tree_is_found(broken, rule, files, said):
    found = broken(rule, files)
    assert any(said in line for line in found), found


def test_each_rule_has_a_tree_that_breaks_it():
    assert {rule for rule, _, _ in BREAKS} == set(RULES)


# rule, files that look like a fault and are none
ALLOWED = [
    ("include", {C: '/*\n#include "policy/route.h"\n*/\n'}),
    ("include", {C: "#include <sys/types.h>\n"}),
    # A name of another folder's function that is something else here.
    ("call", {C: "struct y {\n\tint policy_of;\n};\nint x(struct y *y)\n"
                 "{\n\treturn y->policy_of;\n}\n"}),
    ("call", {C: "static int policy_of(void)\n{\n\treturn 1;\n}\n"
                 "int x(void)\n{\n\treturn policy_of();\n}\n"}),
    ("call", {C: "const char *x = \"policy_of()\"; // policy_of()\n"}),
    ("circle-files", {C: f'#include "{H}"\n#include "relay/base/x_int.h"\n',
                      H: "", "relay/base/x_int.h": f'#include "{H}"\n'}),
    ("file-lines", {C: "\n" * 500}),
    ("function-lines", {C: "int f(void)\n" + body(39)}),
    ("parameters", {H: "int f(int a, int b, int c, int d, int e);\n"}),
    ("parameters", {C: "void f(void)\n{\n\tg(1, 2, 3, 4, 5, 6);\n"
                       "\treturn (*h)(1, 2, 3, 4, 5, 6);\n}\n"}),
    ("parameters", {C: "void f(int a, struct x (*b)(int, int, int), int c,\n"
                       "    int d, int e);\n"}),
    ("parameters", {C: CALLBACK % "SSL_CTX_set_x_cb(ctx, on_key);"}),
    ("parameters", {C: CALLBACK % "static const sqlite3_module m = "
                       "{\n.xConnect = on_key,\n};"}),
    ("struct-name", {C: "struct addr;\nstruct addr *a;\n"}),
    ("file-name", {"relay/mail/str_x.c": "", "tests/unit/addr.c": ""}),
    ("promise", {C: 'int D17 = 0xD17; const char *T9 = "T9"; /* x_T9 */\n'}),
    ("page", {C: 'const char *s = "storage.md";\n'}),
    ("words", {C: '/* Says what it is, here and "nobody@x". */\n'
                  'const char *s = "Whom: /* he */";\n'}),
    ("gone", {C: "/* str_len() and snprintf() */\nint x = snprintf(0);\n"}),
    ("named", {"doc/promises.md": "`relay/base/str.c: str_len()`\n\n"
                                  "`anything()`, `unit/test_str.c`\n"}),
]


@pytest.mark.parametrize("rule, files", ALLOWED)
def test_what_is_allowed_passes(broken, rule, files):
    assert broken(rule, files) == []


def test_build_folders_are_not_read(broken):
    assert broken("licence", {"build/relay/x.c": "", "build-asan/x.c": "",
                              "conf/profiles_text.c": ""}) == []


def test_reader_sees_functions_and_tables(tmp_path):
    (tmp_path / "x.c").write_text("""
typedef int (*fn)(void);
enum { A = 1, B };
struct s { int a; } one = { 1 };
static const struct { int a; } two[] = { { (int)1 } };
struct s three[2], *four;
const char *const five[] = { [A] = "a;{" }, *six = NULL;
extern int seven;
struct eight;
struct s *make(int a) { static int n; return n ? &one : NULL; }
static inline void
hidden(void (*f)(int))
{
	if (1) {
	}
}
PH_PRINTF(1, 2) __attribute__((noreturn)) void say(const char *f, ...)
{
}
""")
    s = Source(tmp_path, "x.c")
    assert [(f.name, f.static, f.lines) for f in s.functions] == [
        ("make", False, 1), ("hidden", True, 6), ("say", False, 3)]
    assert s.exported == {"make", "say", "one", "three", "four", "five", "six"}


# -- the commands

def test_a_file_that_the_tarball_lacks_is_named(broken, tmp_path):
    broken("licence", {})
    packed = tmp_path / "x.tar.xz"
    with tarfile.open(packed, "w:xz") as tar:
        for name in GOOD:
            if name != "policy/route.c":
                tar.add(tmp_path / name, f"posthouse-1/{name}")
    found = run(HERE / "check_dist.py", tmp_path, packed)
    assert found.returncode == 1
    assert "policy/route.c: not in" in found.stdout
    packed.rename(tmp_path.parent / "build.tar.xz")
    (tmp_path / "policy/route.c").unlink()
    assert run(HERE / "check_dist.py", tmp_path,
               tmp_path.parent / "build.tar.xz").returncode == 0


def run(*args):
    return subprocess.run([sys.executable, *map(str, args)], text=True,
                          capture_output=True, check=False)


def test_commands_tell_by_exit_code(broken, tmp_path):
    broken("licence", {})
    assert run(HERE / "check_layers.py", tmp_path, "--only", "all"
               ).returncode == 0
    assert run(HERE / "check_style.py", tmp_path, "--only", "all"
               ).returncode == 0
    (tmp_path / C).write_text('#include "policy/route.h"\n')
    found = run(HERE / "check_layers.py", tmp_path, "--only", "include,star")
    assert found.returncode == 1 and "[include]" in found.stdout
    counted = run(HERE / "check_style.py", tmp_path, "--count", "--only",
                  "licence")
    assert counted.returncode == 1 and counted.stdout == "    1 licence\n"
    assert run(HERE / "check_style.py", tmp_path, "--only", "no"
               ).returncode == 2
    # An empty folder is a wrong argument, not a clean tree.
    assert run(HERE / "check_style.py", tmp_path / "doc").returncode == 1


def test_arrows_points_down(broken, tmp_path):
    broken("licence", {})
    drawn = run(HERE / "arrows", tmp_path)
    assert drawn.returncode == 0
    assert drawn.stdout == """  2  policy
       `-> relay/mail                 1
     relay/mail/in
       `-> relay/mail                 1
  1  relay/daemon
       `-> relay/base                 1
     relay/mail
       `-> relay/base                 1
  0  relay/base
"""
    assert '"policy" -> "relay/mail" [label=1];' in run(
        HERE / "arrows", tmp_path, "--dot").stdout


def test_arrows_names_a_circle(broken, tmp_path):
    broken("licence", {C: '#include "policy/route.h"\n',
                       "policy/route.h": '#include "relay/base/str.h"\n'})
    drawn = run(HERE / "arrows", tmp_path)
    assert drawn.returncode == 1
    assert "a circle: policy -> relay/base -> policy" in drawn.stderr
    assert "(a circle)" in drawn.stdout
    files = run(HERE / "arrows", tmp_path, "--files", "relay/base")
    assert files.returncode == 0 and "relay/base/x" in files.stdout
    assert run(HERE / "arrows", tmp_path, "--files", "none").returncode == 2


def test_a_setting_that_is_handed_on_at_a_reload_is_live(broken):
    rows = SCHEMA_ROW + SCHEMA_ROW.replace("LIVE", "RESTART").replace(
        "spool.retain_ms", "spool.spares")
    assert broken("reload", {
        "conf/schema.c": SPDX + rows,
        "relay/daemon/recovery.c": SPDX + READS % "open_it",
        "relay/daemon/app.c": SPDX + READS % "app_reconfigure"}) == []
