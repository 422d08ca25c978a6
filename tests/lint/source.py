# SPDX-License-Identifier: ISC
"""The tree as the lint rules read it: files, comments, includes, functions,
parameter lists, structs. A reader of our own regular C, not a compiler:
macros are not expanded."""
import bisect
import re
from functools import cached_property

PRODUCT = ("relay", "policy", "conf")
TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\.\.\.|->|\S")
WORD = re.compile(r"[A-Za-z_]\w*$")
LITERAL = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M)
INCLUDE = re.compile(r"[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]")
# What stands before a parenthesis in a declaration and is no function.
NO_NAME = {"__attribute__", "_Static_assert", "static_assert", "_Alignas",
           "typeof", "sizeof", "defined"}
NO_TYPE = {"return", "else", "case", "sizeof"}


def blank(text):
    """Spaces for all but the line ends: places stay what they were."""
    return re.sub(r"[^\n]", " ", text)


class Token:
    """One word or sign, and the line that it stands in."""
    __slots__ = ("text", "line")

    def __init__(self, text, line):
        self.text, self.line = text, line


class Function:
    """A definition. `first` is the line of its type, `last` of its brace."""

    def __init__(self, name, static, first, last):
        self.name, self.static = name, static
        self.first, self.last = first, last

    @property
    def lines(self):
        return self.last - self.first + 1


class Source:
    """One C file."""

    def __init__(self, root, name):
        self.name = name
        self.folder, self.stem = name.rpartition("/")[0], name[:-2]
        self.text = (root / name).read_text(errors="replace")

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @cached_property
    def comments(self):
        """[(line, text)]"""
        return [(self.text.count("\n", 0, m.start()) + 1, m.group(0))
                for m in LITERAL.finditer(self.text)
                if m.group(0)[0] == "/"]

    @cached_property
    def bare(self):
        """The text without comments, strings and characters."""
        return LITERAL.sub(lambda m: blank(m.group(0)), self.text)

    @cached_property
    def uncommented(self):
        """The text without comments: strings are kept."""
        return LITERAL.sub(lambda m: blank(m.group(0))
                           if m.group(0)[0] == "/" else m.group(0), self.text)

    @cached_property
    def includes(self):
        """[(line, path)] of what is written from the root of the tree; what
        stands in <> is the system's, unless it begins with our folders."""
        found = []
        for n, line in enumerate(self.uncommented.splitlines(), 1):
            m = INCLUDE.match(line)
            if m and (m.group(1) == '"' or
                      m.group(2).split("/")[0] in PRODUCT):
                found.append((n, m.group(2)))
        return found

    @cached_property
    def system_includes(self):
        return re.findall(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", self.text,
                          re.M)

    @cached_property
    def uses(self):
        """[(line, word)] that may name a function or a table of another file:
        no member, no name that is declared here. Macros are read as well."""
        found, tokens = [], self._tokens(self.bare)
        own = {f.name for f in self.functions if f.static}
        for i, t in enumerate(tokens):
            if not WORD.match(t.text) or t.text in own:
                continue
            before = tokens[i - 1].text if i else ""
            after = tokens[i + 1].text if i + 1 < len(tokens) else ""
            declared = before not in NO_TYPE and after != "(" and \
                WORD.match(before)
            if before not in (".", "->") and not declared:
                found.append((t.line, t.text))
        return found

    @cached_property
    def tokens(self):
        """Of the code without preprocessor lines."""
        return self._tokens(DIRECTIVE.sub(lambda m: blank(m.group(0)),
                                          self.bare))

    @cached_property
    def structs(self):
        """[(line, name)] of those that are defined here."""
        t = self.tokens
        return [(t[i].line, t[i + 1].text) for i in range(len(t) - 2)
                if t[i].text == "struct" and t[i + 2].text == "{"
                and WORD.match(t[i + 1].text)]

    @cached_property
    def functions(self):
        """[Function]"""
        return [Function(name, "static" in self._texts(begin, body),
                         self.tokens[begin].line, self.tokens[end].line)
                for begin, body, end, name in self._top if name]

    @cached_property
    def exported(self):
        """Names of functions and tables that other files can use."""
        found = {f.name for f in self.functions if not f.static}
        for begin, _, end, function in self._top:
            if not function:
                found |= self._objects(begin, end)
        return found

    @cached_property
    def parameter_lists(self):
        """[(line, name, number)] of definitions, prototypes and function
        pointers."""
        found = []
        bodies = [(body, end) for _, body, end, name in self._top if name]
        for i, t in enumerate(self.tokens):
            if t.text != "(" or i == 0:
                continue
            name = self._pointer(i) or self._declared(i, bodies)
            if name:
                found.append((t.line, name, self._count(i)))
        return found

    def takers(self, name):
        """For each place that names a function but does not define it: the
        function that it is an argument of, or None."""
        found = []
        for i, t in enumerate(self.tokens):
            if t.text != name or self.tokens[i - 1].text in (".", "->"):
                continue
            if any(begin <= i < body for begin, body, _, f in self._top
                   if f == name):
                continue
            depth, at = 0, i - 1
            while at > 0 and self.tokens[at].text not in ("{", "}", ";", "="):
                text = self.tokens[at].text
                if text == "(" and depth == 0:
                    break
                depth += (text == ")") - (text == "(")
                at -= 1
            before = self.tokens[at - 1].text if at else ""
            taken = self.tokens[at].text == "(" and WORD.match(before) and \
                self.tokens[i + 1].text in (",", ")")
            found.append(before if taken else None)
        return found

    # -- inside

    @staticmethod
    def _tokens(text):
        ends = [m.start() for m in re.finditer("\n", text)]
        return [Token(m.group(0), bisect.bisect_left(ends, m.start()) + 1)
                for m in TOKEN.finditer(text)]

    def _texts(self, begin, end):
        return [t.text for t in self.tokens[begin:end]]

    @cached_property
    def _top(self):
        """[(first token, brace, last token, function's name or None)] of what
        stands at the top: a function ends with its brace, all else with a
        semicolon."""
        found, begin, body, depth, name = [], 0, None, 0, None
        for i, t in enumerate(self.tokens):
            if t.text == "{":
                if depth == 0 and body is None:
                    body, name = i, self._defined(begin, i)
                depth += 1
            depth -= t.text == "}"
            if depth == 0 and (t.text == ";" or (t.text == "}" and name)):
                found.append((begin, body, i, name))
                begin, body, name = i + 1, None, None
        return found

    @cached_property
    def _match(self):
        """Index of ( -> index of its ), and back."""
        pair, open_ = {}, []
        for i, t in enumerate(self.tokens):
            if t.text == "(":
                open_.append(i)
            elif t.text == ")" and open_:
                pair[i] = open_.pop()
                pair[pair[i]] = i
        return pair

    def _defined(self, begin, brace):
        """The name of the function whose body begins at `brace`: it stands
        before the last parenthesis, attributes before it."""
        name, i = None, begin
        while i < brace:
            text = self.tokens[i].text
            if text == "=":
                return None
            if text == "(":
                before = self.tokens[i - 1].text if i > begin else ""
                if WORD.match(before) and before not in NO_NAME:
                    name = before
                i = self._match.get(i, brace)
            i += 1
        return name

    def _objects(self, begin, end):
        """{name} of `type name[N] = ..., name;` in a .c file."""
        words, found, depth, value = [], set(), 0, False
        for t in self.tokens[begin:end + 1]:
            if depth == 0 and t.text == "(" and not value:
                return set()
            if depth == 0 and t.text in ("=", ",", ";", "["):
                if not value and words[-2:-1] not in ([], ["struct"]):
                    found.add(words[-1])
                value = t.text == "=" or value and t.text != ","
            elif depth == 0 and WORD.match(t.text):
                words.append(t.text)
            depth += (t.text in "([{") - (t.text in ")]}")
        hidden = {"static", "extern", "typedef", "enum"} & set(words)
        return set() if hidden or self.name.endswith(".h") else found

    def _pointer(self, i):
        """`(*name)(` with a type before it."""
        close = i - 1
        if self.tokens[close].text != ")":
            return None
        begin = self._match.get(close)
        if not begin or self.tokens[begin + 1].text != "*":
            return None
        before = self.tokens[begin - 1].text
        if before != "*" and (not WORD.match(before) or before in NO_TYPE):
            return None
        names = [w for w in self._texts(begin + 1, close) if WORD.match(w)]
        return names[-1] if names else "*"

    def _declared(self, i, bodies):
        """`type name(` outside of functions, or as the head of one."""
        t = self.tokens
        if i < 2 or not WORD.match(t[i - 1].text) or t[i - 1].text in NO_NAME:
            return None
        if not (WORD.match(t[i - 2].text) or t[i - 2].text == "*"):
            return None
        place = bisect.bisect_right(bodies, (i, len(t))) - 1
        if place >= 0 and i < bodies[place][1]:
            return None
        return t[i - 1].text

    def _count(self, i):
        """Of the list that begins at i; `...` is one."""
        depth, commas = 0, 0
        end = self._match.get(i, i)
        inner = self._texts(i + 1, end)
        if inner in ([], ["void"]):
            return 0
        for text in inner:
            depth += (text in "([{") - (text in ")]}")
            commas += text == "," and depth == 0
        return commas + 1
