# SPDX-License-Identifier: ISC
"""A leg for tests: an SMTP server that keeps the bytes it got and says what
the test wrote for it. With lmtp=True it speaks LMTP (RFC 2033) instead: the
stage DOT is then answered for each recipient.

A thread for each connection, blocking reads: what it does stands in the
order in which it happens. A rule changes one answer: reply(), drop() and
hold() name a stage (CONNECT EHLO STARTTLS AUTH MAIL RCPT DATA DOT QUIT), and
optionally the recipient and how many times it applies.
"""
import base64
import errno
import re
import socket
import threading

from ports import free_port
from until import until


class Mail:
    """One accepted transaction."""

    def __init__(self, talk, raw, wire, how):
        self.raw = raw              # the content, dots undone
        self.wire = wire            # as it came
        self.how = how              # DATA or BDAT
        self.sender, self.params = talk.sender
        self.rcpt = [a for a, _ in talk.rcpts]
        self.rcpt_params = [p for _, p in talk.rcpts]
        self.tls = talk.tls
        self.helo = talk.helo
        self.user = talk.user
        self.peer = talk.sock.getpeername()[0]
        self.connection = talk.number
        self.taken = []             # of rcpt: those whose DOT was not refused

    @property
    def ours(self):
        """Where our trace field stands: behind those of servers after us."""
        for m in re.finditer(rb"Received:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*",
                             self.raw):
            if re.search(rb"\bby relay\.example\.com\b", m.group(0)):
                return m
        raise AssertionError(f"no trace field of ours: {self.raw[:500]}")

    @property
    def trace(self):
        return self.ours.group(0)

    @property
    def results(self):
        """The fields of our trace block above Received, unfolded, by name."""
        fields = re.findall(rb"([!-9;-~]+):((?:[^\r\n]|\r\n[ \t])*)\r\n",
                            self.raw[:self.ours.start()])
        return {name.decode(): re.sub(rb"\s+", b" ", value).strip().decode()
                for name, value in fields
                if name in (b"Authentication-Results", b"Received-SPF")}

    @property
    def below(self):
        return self.raw[self.ours.end():]

    @property
    def id(self):
        m = re.search(rb"\bid\s+([^\s;]+)", self.trace)
        assert m, self.trace
        return m.group(1).decode()


class Rule:
    def __init__(self, stage, text, to, times):
        self.stage, self.text, self.to, self.times = stage, text, to, times
        self.gate = threading.Event()
        self.waiting = 0

    def release(self):
        self.gate.set()

    def reached(self):
        until(lambda: self.waiting, f"somebody to reach {self.stage}")


class Closed(Exception):
    pass


class Talk(threading.Thread):
    """One connection."""

    def __init__(self, leg, sock, number):
        super().__init__(daemon=True)
        self.leg, self.sock, self.number = leg, sock, number
        self.file = sock.makefile("rb")
        self.tls = False
        self.helo = ""
        self.user = None
        self.reset()

    def reset(self):
        self.sender = None
        self.rcpts = []
        self.chunks = []

    def run(self):
        try:
            if self.answer("CONNECT", "220 leg.test ESMTP") < 400:
                while self.command():
                    pass
        except (Closed, OSError, ValueError):
            pass
        finally:
            self.close()

    def close(self):
        # shutdown() wakes a thread that reads; close() alone does not.
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def say(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def answer(self, stage, text, to=None):
        """Says the scripted answer or `text`; returns its code."""
        rule = self.leg.rule_for(stage, to)
        if rule is not None and rule.text == "hold":
            rule.waiting += 1
            rule.gate.wait()
        elif rule is not None and rule.text == "drop":
            raise Closed
        elif rule is not None:
            text = rule.text
        self.say(text)
        if text.startswith("421"):  # it ends the session (RFC 5321 4.2.1)
            raise Closed
        return int(text[:3])

    def command(self):
        line = self.file.readline()
        if not line:
            return False
        self.leg.said.append((self.number, line))
        verb, _, arg = line.decode("utf-8").rstrip("\r\n").partition(" ")
        handler = getattr(self, "on_" + verb.lower(), None)
        if handler is None:
            self.say("500 5.5.1 What?")
            return True
        return handler(arg) is not False

    def on_ehlo(self, arg):
        if self.leg.lmtp:
            self.say("500 5.5.1 This is LMTP")
        else:
            self.hello(arg)

    def on_lhlo(self, arg):
        if self.leg.lmtp:
            self.hello(arg)
        else:
            self.say("500 5.5.1 This is SMTP")

    def hello(self, arg):
        self.reset()
        self.helo = arg
        words = ["leg.test", "PIPELINING", "8BITMIME", *self.leg.utf8,
                 "ENHANCEDSTATUSCODES", f"SIZE {self.leg.size}"]
        words += [w for w in ("CHUNKING", "DSN") if w in self.leg.offers]
        words = [w for w in words if w not in self.leg.lacks]
        words += self.leg.extra
        if self.leg.login is not None and self.tls:
            words.append("AUTH " + self.leg.mechanisms)
        if self.leg.tls_context is not None and not self.tls:
            words.append("STARTTLS")
        text = "\r\n".join(f"250-{w}" for w in words[:-1])
        self.answer("EHLO", f"{text}\r\n250 {words[-1]}")

    def on_helo(self, arg):
        self.reset()
        self.helo = arg
        self.say("250 leg.test")

    def on_starttls(self, _):
        if self.answer("STARTTLS", "220 2.0.0 Go ahead") != 220:
            return
        self.file.close()
        self.sock = self.leg.tls_context.wrap_socket(
            self.sock, server_side=True)
        self.file = self.sock.makefile("rb")
        self.tls = True

    def ask(self, prompt):
        self.say("334 " + base64.b64encode(prompt).decode())
        line = self.file.readline()
        self.leg.said.append((self.number, line))
        return base64.b64decode(line)

    def on_auth(self, arg):
        mechanism, _, initial = arg.partition(" ")
        if mechanism not in self.leg.mechanisms.split() or not self.tls:
            self.say("504 5.5.4 No")
            return
        if mechanism == "PLAIN":
            plain = base64.b64decode(initial) if initial else self.ask(b"")
            _, user, password = plain.split(b"\0")
        else:
            user, password = self.ask(b"Username:"), self.ask(b"Password:")
        if (user.decode(), password.decode()) != self.leg.login:
            self.say("535 5.7.8 Bad credentials")
        elif self.answer("AUTH", "235 2.7.0 Welcome") == 235:
            self.user = user.decode()

    def path(self, arg):
        m = re.match(r"(?:FROM|TO):<(.*?)>(?: (.*))?$", arg, re.I)
        return m.group(1), (m.group(2) or "").split()

    def on_mail(self, arg):
        sender = self.path(arg)
        if self.leg.login is not None and self.user is None:
            self.say("530 5.7.0 Authentication required")
        elif self.answer("MAIL", "250 2.1.0 Ok", sender[0]) < 400:
            self.sender = sender

    def on_rcpt(self, arg):
        rcpt = self.path(arg)
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
        elif self.answer("RCPT", "250 2.1.5 Ok", rcpt[0]) < 400:
            self.rcpts.append(rcpt)

    def on_data(self, _):
        if not self.rcpts:
            self.say("503 5.5.1 RCPT first")
        elif self.answer("DATA", "354 Go on") == 354:
            self.read_data()

    def read_data(self):
        raw, wire, last = [], [], b"\r\n"
        while True:
            line = self.file.readline()
            if not line:
                raise Closed
            wire.append(line)
            if line == b".\r\n" and last.endswith(b"\r\n"):
                break
            dotted = line.startswith(b".") and last.endswith(b"\r\n")
            raw.append(line[1:] if dotted else line)
            last = line
        self.finish(b"".join(raw), b"".join(wire), "DATA")

    def on_bdat(self, arg):
        size, _, last = arg.partition(" ")
        data = self.file.read(int(size))
        if len(data) != int(size):
            raise Closed
        if not self.rcpts:
            self.say("503 5.5.1 RCPT first")
            return
        self.chunks.append(data)
        if last.upper() == "LAST":
            raw = b"".join(self.chunks)
            self.finish(raw, raw, "BDAT")
        else:
            self.say("250 2.0.0 Ok")

    def finish(self, raw, wire, how):
        mail = Mail(self, raw, wire, how)
        self.reset()
        self.leg.seen.append(mail)
        for rcpt in mail.rcpt if self.leg.lmtp else [None]:
            self.decide(mail, rcpt)

    def decide(self, mail, rcpt):
        rule = self.leg.rule_for("DOT", rcpt, take=False)
        if rule is None or not rule.text.startswith(("4", "5")):
            # Taken before it is said, as by a server that keeps its word.
            if not mail.taken:
                self.leg.mails.append(mail)
            mail.taken += mail.rcpt if rcpt is None else [rcpt]
        self.answer("DOT", "250 2.0.0 Ok: queued as leg-%d"
                    % len(self.leg.mails), rcpt)

    def on_rset(self, _):
        self.reset()
        self.say("250 2.0.0 Ok")

    def on_noop(self, _):
        self.say("250 2.0.0 Ok")

    def on_quit(self, _):
        self.answer("QUIT", "221 2.0.0 Bye")
        return False


class Leg:
    def __init__(self, name, offers=("CHUNKING", "DSN"), tls_context=None,
                 host="127.0.0.1", port=0, lmtp=False, extra=(), lacks=(),
                 login=None, mechanisms="PLAIN LOGIN"):
        """`extra` and `lacks`: more and fewer keywords of EHLO; `login`: the
        (user, password) without which no mail is taken."""
        self.size = 104857600       # what SIZE says
        self.utf8 = ["SMTPUTF8"]    # or nothing
        self.name, self.offers, self.host = name, set(offers), host
        self.lmtp, self.extra, self.lacks = lmtp, list(extra), set(lacks)
        self.login, self.mechanisms = login, mechanisms
        self.tls_context = tls_context
        self.lock = threading.Lock()
        self.rules, self.talks = [], []
        self.mails = []     # taken
        self.seen = []      # content came, whatever was said then
        self.said = []      # (connection, line)
        self.port = port
        self.sock, self.listens = None, False
        self.accept_connections()

    # -- the door

    def accept_connections(self):
        if self.sock is None:
            self.sock = self.bound()
        self.sock.listen(128)
        self.listens = True
        threading.Thread(target=self.accept, args=(self.sock,),
                         daemon=True).start()

    def bound(self):
        """To a port that stays ours without a listener: only one that
        was asked for by its number stays so over shutdown(). Between finding
        a free one and asking for it another process may take it."""
        asked = self.port
        for left in reversed(range(50)):
            port = asked or free_port(self.host)
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((self.host, port))
            except OSError as e:
                sock.close()
                if asked or e.errno != errno.EADDRINUSE or not left:
                    raise
                continue
            self.port = port
            return sock

    def accept(self, listener):
        while True:
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                talk = Talk(self, sock, len(self.talks) + 1)
                talk.peer = peer[0]
                self.talks.append(talk)
            talk.start()

    def refuse_connections(self):
        """Stops listening and closes the connections there are."""
        if not self.listens:
            return
        # shutdown() wakes accept(); close() alone leaves it, and the port.
        self.sock.shutdown(socket.SHUT_RDWR)
        self.listens = False
        with self.lock:
            talks = list(self.talks)
        for rule in self.rules:
            rule.release()
        for talk in talks:
            talk.close()
        for talk in talks:
            talk.join()

    def stop(self):
        self.refuse_connections()
        self.sock.close()

    # -- what it says

    def rule_for(self, stage, to, take=True):
        with self.lock:
            for rule in self.rules:
                if rule.stage != stage or rule.times == 0 or \
                        rule.to not in (None, to):
                    continue
                if take and rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    def add(self, stage, text, to, times):
        rule = Rule(stage, text, to, times)
        with self.lock:
            self.rules.insert(0, rule)
        return rule

    def reply(self, stage, text, to=None, times=None):
        return self.add(stage, text, to, times)

    def drop(self, stage, to=None, times=1):
        """Closes instead of answering."""
        return self.add(stage, "drop", to, times)

    def hold(self, stage, to=None, times=1):
        """Answers as usual, but only after .release()."""
        return self.add(stage, "hold", to, times)

    def normal(self):
        with self.lock:
            old, self.rules = self.rules, []
        for rule in old:
            rule.release()

    # -- what it got

    def messages(self, id):
        return [m for m in list(self.mails) if m.id == id]

    def wait_message(self, id):
        return until(lambda: self.messages(id),
                     f"message {id} at leg {self.name}")[0]

    def wait_count(self, n):
        return until(lambda: len(self.mails) >= n and list(self.mails),
                     lambda: f"{n} messages at leg {self.name}, "
                     f"{len(self.mails)} came")
