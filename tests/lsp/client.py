"""A client of the language server protocol over pipes. It takes the protocol at its word: every header, every message and
every range that the server sends is checked, and what breaks the rules raises."""
import json
import os
import pathlib
import re
import select
import subprocess
import time
import urllib.parse

SECONDS = 20  # for one message


class Broken(Exception):
    """The server broke the protocol."""


def uri_of(path):
    return "file://" + urllib.parse.quote(str(path))


def path_of(uri):
    if not uri.startswith("file:///"): raise Broken(f"no file: {uri}")
    return pathlib.Path(urllib.parse.unquote(uri[len("file://"):]))


def units(text):
    """The length of a text in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def position(text, offset):
    """The position of a character of a text as the protocol counts it."""
    line_start = text.rfind("\n", 0, offset) + 1
    return {"line": text.count("\n", 0, offset), "character": units(text[line_start:offset])}


def at(text, words, nth=0, inside=0):
    """The position of the nth occurrence of `words`, `inside` characters into it."""
    offset = -1
    for _ in range(nth + 1): offset = text.index(words, offset + 1)
    return position(text, offset + inside)


def apply(text, edits):
    """The text after non-overlapping edits."""
    def offset(p):
        lines = text.split("\n")
        start = sum(len(line) + 1 for line in lines[:p["line"]])
        if p["line"] >= len(lines): return len(text)
        for length in range(len(lines[p["line"]]) + 1):
            if units(lines[p["line"]][:length]) >= p["character"]: return start + length
        return start + len(lines[p["line"]])
    for edit in sorted(edits, key=lambda e: offset(e["range"]["start"]), reverse=True):
        text = text[:offset(edit["range"]["start"])] + edit["newText"] + text[offset(edit["range"]["end"]):]
    return text


class Client:
    def __init__(self, aoac):
        self.process = subprocess.Popen([str(aoac), "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buffer = b""
        self.next_id = 1
        self.notes = []  # notifications that nobody has taken yet

    # ------------------------------------------------------------ bytes

    def send_bytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send_body(self, body):
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def send(self, message):
        self.send_body(json.dumps(message).encode())

    def more(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]: raise Broken("no answer")
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        if not data: raise Broken("the server ended")
        self.buffer += data

    def receive(self):
        """The next message. The header must be exactly what the protocol asks for."""
        deadline = time.monotonic() + SECONDS
        while b"\r\n\r\n" not in self.buffer: self.more(deadline)
        header, rest = self.buffer.split(b"\r\n\r\n", 1)
        match = re.fullmatch(rb"Content-Length: (\d+)", header)
        if not match: raise Broken(f"header {header!r}")
        length = int(match[1])
        while len(rest) < length:
            self.buffer = rest
            self.more(deadline)
            rest = self.buffer
        body, self.buffer = rest[:length], rest[length:]
        message = json.loads(body.decode("utf-8"))
        self.check(message)
        return message

    @staticmethod
    def check(message):
        if message.get("jsonrpc") != "2.0": raise Broken(f"no JSON-RPC 2.0: {message}")
        if "method" in message:
            if "id" in message: raise Broken(f"a request that this server has no need for: {message}")
        elif "id" not in message or ("result" in message) == ("error" in message):
            raise Broken(f"neither a result nor an error: {message}")
        if "error" in message and not (isinstance(message["error"]["code"], int) and isinstance(message["error"]["message"], str)):
            raise Broken(f"no error: {message}")
        for part in walk(message):
            if set(part) >= {"start", "end"}: check_range(part)

    # ------------------------------------------------------------ messages

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method, params=None):
        """Sends a request and returns its id."""
        number, self.next_id = self.next_id, self.next_id + 1
        message = {"jsonrpc": "2.0", "id": number, "method": method}
        if params is not None: message["params"] = params
        self.send(message)
        return number

    def answer(self, number):
        """The whole answer to a request; notifications on the way are kept."""
        while True:
            message = self.receive()
            if "method" in message:
                self.notes.append(message)
            elif message["id"] == number:
                return message
            else:
                raise Broken(f"an answer to {message['id']!r}, asked was {number!r}")

    def request(self, method, params=None):
        answer = self.answer(self.ask(method, params))
        if "error" in answer: raise Broken(f"{method}: {answer['error']}")
        return answer["result"]

    def error(self, method, params=None):
        return self.answer(self.ask(method, params))["error"]["code"]

    def note(self, method):
        """The next notification of this method."""
        for i, message in enumerate(self.notes):
            if message["method"] == method: return self.notes.pop(i)["params"]
        while True:
            message = self.receive()
            if message.get("method") == method: return message["params"]
            if "method" not in message: raise Broken(f"an answer that nobody asked for: {message}")
            self.notes.append(message)

    # ------------------------------------------------------------ a conversation

    def start(self, **options):
        result = self.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options or None})
        self.notify("initialized", {})
        return result

    def open(self, path, text, version=1):
        """Opens a document and returns its diagnostics."""
        self.notify("textDocument/didOpen", {"textDocument": {"uri": uri_of(path), "languageId": "aoa", "version": version, "text": text}})
        return self.diagnostics(path)

    def change(self, path, changes, version):
        self.notify("textDocument/didChange", {"textDocument": {"uri": uri_of(path), "version": version}, "contentChanges": changes})

    def diagnostics(self, path, version=None):
        while True:
            params = self.note("textDocument/publishDiagnostics")
            if params["uri"] == uri_of(path) and version in (None, params.get("version")): return params["diagnostics"]

    def at(self, method, path, place):
        return self.request("textDocument/" + method, {"textDocument": {"uri": uri_of(path)}, "position": place})

    def stop(self):
        """Says goodbye, and returns the exit status."""
        if self.request("shutdown") is not None: raise Broken("`shutdown` has a result")
        self.notify("exit", None)
        return self.wait()

    def wait(self):
        self.process.stdin.close()
        status = self.process.wait(SECONDS)
        rest = self.buffer + self.process.stdout.read()
        self.process.stdout.close()
        if rest and b"Content-Length" not in rest: raise Broken(f"left over: {rest[:100]!r}")
        return status


def walk(value):
    """All objects inside a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value: yield from walk(part)


def check_range(value):
    places = [(p["line"], p["character"]) for p in (value["start"], value["end"])]
    if not all(isinstance(n, int) and n >= 0 for p in places for n in p) or places[0] > places[1]: raise Broken(f"no range: {value}")
