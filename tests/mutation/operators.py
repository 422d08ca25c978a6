# SPDX-License-Identifier: ISC
"""The changes that a mutant may make to a C source: sites(text) lists them.

A mutant changes one operator, constant, condition or call. Comments, strings
and preprocessor lines stay as they are, as do declarations: only function
bodies and initializers of tables are changed. Calls that log and assertions
are left alone with their arguments, since no test is meant to hold their
wording."""
import bisect
import re
from collections import namedtuple

Site = namedtuple("Site", "start end after line column number kind")
Token = namedtuple("Token", "kind text start end")

TOKEN = re.compile(r"""
      (?P<comment>/\*.*?\*/|//[^\n]*)
    | (?P<directive>^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
    | (?P<string>"(?:\\.|[^"\\\n])*")
    | (?P<char>'(?:\\.|[^'\\\n])+')
    | (?P<word>[A-Za-z_]\w*)
    | (?P<number>\d[\w.]*)
    | (?P<operator><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\|
        |[-+*/%&|^]=|[-+*/%&|^<>=!~?:;,.(){}\[\]])
    | (?P<space>\s+)
    """, re.X | re.S | re.M)

# An operator that needs two operands, and what may stand in its place.
BINARY = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
    "==": ("!=",), "!=": ("==",), "&&": ("||",), "||": ("&&",),
    "+": ("-",), "-": ("+",), "*": ("+",), "/": ("*",), "%": ("*",),
    "<<": (">>",), ">>": ("<<",), "&": ("|",), "|": ("&",), "^": ("&",),
    "+=": ("-=",), "-=": ("+=",), "|=": ("&=",), "&=": ("|=",),
    "*=": ("+=",), "/=": ("*=",), "^=": ("|=",),
}
UNARY = {"!": ("",), "~": ("",), "-": ("",), "++": ("--",), "--": ("++",)}
# Only spaces on both sides tell these from a pointer, an address or a sign.
AMBIGUOUS = ("*", "&", "-", "+")

NOT_OPERANDS = {"return", "case", "sizeof", "else", "do", "goto"}
STATEMENTS = {"if", "while", "for", "switch", "return", "sizeof", "do",
              "else", "case", "goto", "_Static_assert"}
LEFT_ALONE = re.compile(r"log_\w+|PH_ASSERT\w*|_Static_assert|static_assert")
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)$")


def tokens_of(text):
    """The tokens that a compiler would see, without preprocessor lines."""
    found, at = [], 0
    while at < len(text):
        m = TOKEN.match(text, at)
        if m is None:  # a character that C does not know, such as `\`
            at += 1
            continue
        at = m.end()
        if m.lastgroup not in ("space", "comment", "directive"):
            found.append(Token(m.lastgroup, m.group(), m.start(), m.end()))
    return found


def partners_of(tokens):
    """For the index of each bracket, the index of its partner."""
    partner, stack = {}, []
    for i, t in enumerate(tokens):
        if t.kind != "operator":
            continue
        if t.text in "([{":
            stack.append(i)
        elif t.text in ")]}" and stack:
            partner[i] = stack.pop()
            partner[partner[i]] = i
    return partner


def changeable(tokens, partner):
    """Indices of tokens in a function body or in an initializer."""
    inside, i = set(), 0
    while i < len(tokens):
        end = partner.get(i)
        if tokens[i].text == "{" and end is not None and end > i:
            if i > 0 and tokens[i - 1].text in (")", "="):
                inside.update(range(i + 1, end))
            i = end
        i += 1
    return inside - left_alone(tokens, partner)


def left_alone(tokens, partner):
    """Indices of tokens of calls that log or assert."""
    alone = set()
    for i, t in enumerate(tokens[:-1]):
        if (t.kind == "word" and LEFT_ALONE.fullmatch(t.text) and
                tokens[i + 1].text == "(" and i + 1 in partner):
            alone.update(range(i, partner[i + 1] + 1))
    return alone


def is_operand(token):
    if token.kind == "operator":
        return token.text in (")", "]")
    return token.text not in NOT_OPERANDS


def operator_changes(text, tokens, i):
    t = tokens[i]
    spaced = text[t.start - 1].isspace() and text[t.end:t.end + 1].isspace()
    if t.text in BINARY and is_operand(tokens[i - 1]):
        return BINARY[t.text] if spaced or t.text not in AMBIGUOUS else ()
    if t.text in UNARY and not (t.text == "-" and is_operand(tokens[i - 1])):
        return UNARY[t.text]
    return ()


def number_changes(text):
    m = NUMBER.match(text)
    if m is None:
        return ()  # a fraction: there are almost none
    digits, suffix = m.groups()
    if digits[:2] in ("0x", "0X"):
        form, n = "0x%x", int(digits, 16)
    elif digits[0] == "0" and len(digits) > 1:
        form, n = "0%o", int(digits, 8)
    else:
        form, n = "%d", int(digits)
    others = (1,) if n == 0 else (n + 1, n - 1)
    return tuple(form % other + suffix for other in others)


def is_size(tokens, i):
    """Whether a number is the size in a declaration, as in `char b[64];`: one
    more or less of it changes nothing that a test could see."""
    return (tokens[i - 1].text == "[" and tokens[i + 1].text == "]" and
            i > 3 and tokens[i - 2].kind == "word" and
            (tokens[i - 3].text == "*" or
             tokens[i - 3].kind == "word" and is_operand(tokens[i - 3])))


def constant_changes(tokens, i):
    t = tokens[i]
    if t.kind == "number":
        if is_size(tokens, i):
            return ()
        # -1 is "failed", which is told by its sign: -2 is the same.
        failed = (t.text == "1" and tokens[i - 1].text == "-" and
                  not is_operand(tokens[i - 2]))
        return ("0",) if failed else number_changes(t.text)
    if t.kind == "char":
        return (f"({t.text} + 1)",)
    return {"true": ("false",), "false": ("true",)}.get(t.text, ())


def condition_of_for(tokens, opening, closing):
    """The tokens between the two semicolons of `for (...)`."""
    depth, at = 0, []
    for i in range(opening + 1, closing):
        depth += {"(": 1, ")": -1}.get(tokens[i].text, 0)
        if tokens[i].text == ";" and depth == 0:
            at.append(i)
    if len(at) == 2 and at[1] > at[0] + 1:
        return at[0] + 1, at[1] - 1
    return None


def condition_changes(text, tokens, partner, i):
    """(first token, last token, replacements) of the condition after a word."""
    opening = i + 1
    if (tokens[i].text not in ("if", "while", "for") or
            tokens[opening].text != "(" or opening not in partner):
        return None
    closing = partner[opening]
    span = opening + 1, closing - 1
    if tokens[i].text == "for":
        span = condition_of_for(tokens, opening, closing)
    if span is None or span[1] < span[0]:
        return None
    old = text[tokens[span[0]].start:tokens[span[1]].end]
    new = (f"!({old})", f"0 && ({old})", f"1 || ({old})")
    if tokens[i].text != "if":  # an endless loop proves little
        new = new[:2]
    return span + (new,)


def call_end(tokens, partner, i):
    """The index of the `;` when token i starts a statement that is a call."""
    before = tokens[i - 1]
    starts = (before.text in (";", "{", "}", "else", ":") or
              before.text == ")" and
              tokens[partner.get(i - 1, 0) - 1].text in ("if", "while", "for"))
    if (not starts or tokens[i].kind != "word" or
            tokens[i].text in STATEMENTS):
        return None
    j = i + 1
    while tokens[j].text in ("->", ".") and tokens[j + 1].kind == "word":
        j += 2
    end = partner.get(j)
    if tokens[j].text != "(" or end is None or tokens[end + 1].text != ";":
        return None
    return end + 1


def sites(text):
    """Every change that may be made, in the order of the text."""
    tokens = tokens_of(text)
    partner = partners_of(tokens)
    lines = [m.start() + 1 for m in re.finditer("\n", text)]
    found = []

    def add(kind, first, last, replacements):
        start, end = tokens[first].start, tokens[last].end
        line = bisect.bisect_right(lines, start)
        column = start - (lines[line - 1] if line else 0) + 1
        for number, after in enumerate(replacements):
            found.append(Site(start, end, after, line + 1, column,
                              number, kind))

    for i in sorted(changeable(tokens, partner)):
        kind = tokens[i].kind
        if kind == "operator":
            add("operator", i, i, operator_changes(text, tokens, i))
        else:
            add("constant", i, i, constant_changes(tokens, i))
        if kind != "word":
            continue
        condition = condition_changes(text, tokens, partner, i)
        if condition is not None:
            add("condition", *condition)
        end = call_end(tokens, partner, i)
        if end is not None:
            add("call", i, end, (";",))
    return found


def mutate(text, site):
    """The text with one change; every line keeps its number."""
    old = text[site.start:site.end]
    missing = old.count("\n") - site.after.count("\n")
    return text[:site.start] + site.after + "\n" * missing + text[site.end:]
