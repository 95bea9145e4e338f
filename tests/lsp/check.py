#!/usr/bin/env python3
"""The language server as an editor meets it, over pipes, by a client that holds it to the protocol (client.py).

    check.py --aoac BINARY [WORD...]    all cases, or those whose names hold a word
"""
import argparse
import pathlib
import sys
import tempfile
import traceback

from client import Client, apply, at, path_of, position, uri_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tools"))
import checkpoint  # noqa: E402

RULES = """dims {
  h = config.hidden_size
  n = config.num_heads
  d = h / n
}

side hf {
  format hf
  embed.weight          [v h]
  layers.$l.{q,k}.weight  [(n d) h]
}

side train {
  format safetensors
  mesh tp
  emb         [pad(v, 8*tp)@tp h]
  $l.q        [(n@tp d) h]
  $l.k        [(n@tp d) h]
}

map train <-> hf {
  emb  <-> embed.weight
  $l.q <-> layers.$l.q.weight
  $l.k <-> layers.$l.k.weight
}
"""
TENSORS = """embed.weight bf16 [10, 8]
layers.0.q.weight bf16 [8, 8]
layers.0.k.weight bf16 [8, 8]
layers.1.q.weight bf16 [8, 8]
layers.1.k.weight bf16 [8, 8]
extra.0.bias f32 [8]
extra.1.bias f32 [8]
"""


def must(holds, *what):
    if not holds: raise AssertionError(" ".join(map(str, what)))


def equal(found, expected):
    must(found == expected, "found", repr(found), "expected", repr(expected))


def text_at(text, found):
    lines = text.split("\n")
    start, end = found["start"], found["end"]
    must(start["line"] == end["line"], found)
    line = lines[start["line"]].encode("utf-16-le")
    return line[2 * start["character"]:2 * end["character"]].decode("utf-16-le")


def labels(completion):
    return [item["label"] for item in completion["items"]]


class Cases:
    def __init__(self, aoac, folder):
        self.aoac, self.folder = aoac, folder
        self.rules = folder / "a b" / "rules.aoa"  # a path that a URI must encode
        self.rules.parent.mkdir()
        self.model = folder / "model"
        checkpoint.write_checkpoint(self.model, TENSORS)
        (self.model / "config.json").write_text('{"hidden_size": 8, "num_heads": 2}')

    def client(self, text=RULES, **options):
        client = Client(self.aoac)
        client.start(**options)
        self.first = client.open(self.rules, text)
        return client

    # ------------------------------------------------------------ diagnostics

    def case_clean_file(self):
        client = self.client()
        equal(self.first, [])
        equal(client.stop(), 0)

    def case_error_has_place_code_and_the_other_places(self):
        text = RULES.replace("$l.k        [(n@tp d) h]", "$l.k        [(n@tp f) h]")
        client = self.client(text)
        found = self.first[0]
        equal((found["severity"], found["source"]), (1, "aoac"))
        must(found["code"].startswith("AOA04"), found)
        must("expected: " in found["message"], found["message"])
        must(any(text_at(text, r["location"]["range"]).startswith("[(n") for r in found["relatedInformation"]), found)
        equal(path_of(found["relatedInformation"][0]["location"]["uri"]), self.rules)
        equal(client.stop(), 0)

    def case_columns_are_utf16(self):
        text = 'side hf {\n  format hf\n  "\U0001F600é" [v h] : f23\n}\n'
        client = self.client(text)
        equal([text_at(text, d["range"]) for d in self.first], ["f23"])
        equal(self.first[0]["range"]["start"]["character"], 16)
        # one character of two units is replaced by one of one
        client.change(self.rules, [{"range": {"start": {"line": 2, "character": 3}, "end": {"line": 2, "character": 5}}, "text": "e"}], 2)
        equal(client.diagnostics(self.rules, 2)[0]["range"]["start"]["character"], 15)
        client.stop()

    def case_changes_in_order_and_whole(self):
        client = self.client()
        place = at(RULES, "emb  <->")
        end = {"line": place["line"], "character": place["character"] + 3}
        client.change(self.rules, [{"range": {"start": place, "end": end}, "text": "em"}, {"range": {"start": place, "end": place}, "text": "x"}], 2)
        found = client.diagnostics(self.rules, 2)
        must(any("names `emb`" in d["message"] for d in found), found)
        client.change(self.rules, [{"text": RULES}], 3)
        equal(client.diagnostics(self.rules, 3), [])
        client.stop()

    def case_every_prefix_of_a_file(self):
        client = self.client("")
        version = 1
        for length in range(0, len(RULES), 7):
            version += 1
            client.change(self.rules, [{"text": RULES[:length]}], version)
            end = position(RULES[:length], length)
            for method in ("hover", "definition", "completion"): client.at(method, self.rules, end)
            client.request("textDocument/documentSymbol", {"textDocument": {"uri": uri_of(self.rules)}})
        client.diagnostics(self.rules, version)
        equal(client.stop(), 0)

    def case_imports_are_read_as_the_editor_shows_them(self):
        base = self.rules.parent / "base.aoa"
        base.write_text("dims {\n  q = 3\n}\n")
        text = 'import "base.aoa"\nside s {\n  format safetensors\n  w  [q]\n}\n'
        client = self.client(text)
        equal(self.first, [])
        place = client.at("definition", self.rules, at(text, "[q]", inside=1))
        equal([path_of(p["uri"]) for p in place], [base])
        equal(place[0]["range"]["start"], {"line": 1, "character": 2})
        equal([path_of(p["uri"]) for p in client.at("definition", self.rules, at(text, "base"))], [base])
        # a mistake in the import, not saved, shows in both
        must(client.open(base, "dims {\n  q = = 3\n}\n"))
        found = client.diagnostics(self.rules)
        equal(text_at(text, found[0]["range"]), '"base.aoa"')
        equal(path_of(found[0]["relatedInformation"][0]["location"]["uri"]), base)
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri_of(base)}})
        equal(client.diagnostics(base), [])
        equal(client.diagnostics(self.rules), [])
        base.unlink()
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri_of(self.rules)}})
        must("cannot be read" in client.diagnostics(self.rules)[0]["message"])
        client.stop()

    # ------------------------------------------------------------ questions

    def hover(self, client, text, words, **where):
        return client.at("hover", self.rules, at(text, words, **where))["contents"]["value"]

    def case_hover_with_symbols(self):
        client = self.client()
        found = client.at("hover", self.rules, at(RULES, "layers.$l.q.weight", inside=3))
        must("layers.$l.q.weight  [(n d) h]" in found["contents"]["value"] and "`[n*d, h]`" in found["contents"]["value"], found)
        equal(text_at(RULES, found["range"]), "layers.$l.q.weight")
        must("d = h / n" in self.hover(client, RULES, "(n d)", inside=3))
        must("mesh" in self.hover(client, RULES, "@tp", inside=1))
        must("2 tensor" not in self.hover(client, RULES, "side train", inside=6))
        equal(client.at("hover", self.rules, at(RULES, "format", inside=2)), None)
        client.stop()

    def case_hover_with_a_checkpoint(self):
        client = self.client(checkpoint=str(self.model))
        found = self.hover(client, RULES, "layers.$l.q.weight")
        must("`[8, 8]`" in found and "n = 2" in found and "d = 4" in found and "2 tensors" in found and "bf16" in found, found)
        found = self.hover(client, RULES, "embed.weight", nth=1)
        must("`[10, 8]`: v = 10" in found, found)  # v is known from the shapes alone
        found = self.hover(client, RULES, "emb  <->")
        must("`[16, 8]`" in found, found)  # padded
        must("d = 4" in self.hover(client, RULES, "(n d)", inside=3))
        must("8" in self.hover(client, RULES, "config.hidden"))
        must("of this side" in self.hover(client, RULES, "side hf", inside=6))
        client.stop()

    def case_settings_change(self):
        client = self.client()
        must("d = 4" not in self.hover(client, RULES, "(n d)", inside=3))
        client.notify("workspace/didChangeConfiguration", {"settings": {"aoa": {"config": str(self.model / "config.json")}}})
        must("d = 4" in self.hover(client, RULES, "(n d)", inside=3))
        client.notify("workspace/didChangeConfiguration", {"settings": {"aoa": {"checkpoint": str(self.folder / "nowhere")}}})
        must("d = 4" not in self.hover(client, RULES, "(n d)", inside=3))
        must("nowhere" in client.note("window/showMessage")["message"])
        client.stop()

    def definition(self, client, text, words, **where):
        return [text_at(text, p["range"]) for p in client.at("definition", self.rules, at(text, words, **where))]

    def case_definitions(self):
        text = RULES + 'default {\n  from hf "x"\n}\n'
        client = self.client(text)
        equal(self.definition(client, text, "layers.$l.k.weight", inside=9), ["layers.$l.{q,k}.weight"])
        equal(self.definition(client, text, "emb  <->"), ["emb"])
        equal(self.definition(client, text, "(n d)", inside=1), ["n"])
        equal(self.definition(client, text, "@tp", inside=1), ["tp"])
        equal(self.definition(client, text, "train <-> hf"), ["train"])
        equal(self.definition(client, text, "from hf", inside=6), ["hf"])
        equal(self.definition(client, text, "format hf", inside=8), [])
        client.stop()

    def complete(self, client, before, version):
        client.change(self.rules, [{"text": before}], version)
        return labels(client.at("completion", self.rules, position(before, len(before))))

    def case_completion(self):
        client = self.client(checkpoint=str(self.model))
        head = RULES[:RULES.index("  $l.q <->")]
        found = self.complete(client, head + "  $l.q <-> lay", 2)
        must("layers.$l.q.weight" in found and "$l.q" not in found, found)
        found = self.complete(client, head + "  ", 3)
        must("$l.q" in found and "if" in found and "layers.$l.q.weight" not in found, found)
        found = self.complete(client, head + "  $l.q -> layers.$l.q.weight, ", 4)
        must("scale=" in found and "copy" in found, found)
        side = RULES[:RULES.index("  embed.weight")]
        found = self.complete(client, side + "  ex", 5)
        must("extra.$l.bias" in found and "format" in found, found)  # from the checkpoint
        found = self.complete(client, side + "  embed.weight [v h] ", 6)
        must("optional" in found and "tied" in found, found)
        must("f32" in self.complete(client, side + "  embed.weight [v h] : ", 7))
        found = self.complete(client, side + "  embed.weight [v ", 8)
        must("h" in found and "optional" not in found, found)
        must("safetensors" in self.complete(client, "side a {\n  format ", 9))
        must("config.hidden_size" in self.complete(client, "dims {\n  h = ", 10))
        equal(self.complete(client, "", 11), ["family", "import", "dims", "side", "map", "default"])
        must({"hf", "train"} <= set(self.complete(client, RULES + "map train <-> ", 12)))
        equal(self.complete(client, RULES + "# side ", 13), [])
        edit = client.at("completion", self.rules, {"line": 0, "character": 0})
        equal(edit["isIncomplete"], False)
        client.stop()

    def case_symbols(self):
        client = self.client()
        found = client.request("textDocument/documentSymbol", {"textDocument": {"uri": uri_of(self.rules)}})
        equal([s["name"] for s in found], ["dims", "side hf", "side train", "map train hf"])
        equal([s["name"] for s in found[1]["children"]], ["embed.weight", "layers.$l.{q,k}.weight"])
        equal(len(found[3]["children"]), 3)
        for symbol in found:  # each to its closing brace
            equal(RULES.split("\n")[symbol["range"]["end"]["line"]], "}")
        client.stop()

    def case_formatting(self):
        client = self.client(checkpoint=str(self.model))
        ask = {"textDocument": {"uri": uri_of(self.rules)}, "options": {"tabSize": 8, "insertSpaces": False}}
        edits = client.request("textDocument/formatting", ask)
        must(edits[0]["range"]["start"]["line"] > 6, "lines that stay are not touched", edits)
        text = apply(RULES, edits)
        must("  embed.weight            [v h]\n" in text and text.endswith("}\n"), text)
        client.change(self.rules, [{"text": text}], 2)
        equal(client.request("textDocument/formatting", ask), [])
        client.change(self.rules, [{"text": "side {"}], 3)
        equal(client.request("textDocument/formatting", ask), None)
        client.stop()

    # ------------------------------------------------------------ the conversation

    def case_order_of_the_conversation(self):
        client = Client(self.aoac)
        equal(client.error("textDocument/hover", {}), -32002)
        client.notify("textDocument/didOpen", {})  # dropped
        equal(client.start()["serverInfo"]["name"], "aoac")
        equal(client.error("initialize", {}), -32600)
        equal(client.error("textDocument/unknown", {}), -32601)
        client.notify("$/unknown", {})
        client.notify("textDocument/unknown", {})
        equal(client.request("shutdown"), None)
        equal(client.error("textDocument/hover", {}), -32600)
        client.notify("exit", None)
        equal(client.wait(), 0)

    def case_exit_without_shutdown(self):
        client = Client(self.aoac)
        client.start()
        client.notify("exit", None)
        equal(client.wait(), 1)

    def case_end_of_input(self):
        client = Client(self.aoac)
        client.start()
        equal(client.wait(), 1)

    def case_wrong_parameters(self):
        client = self.client()
        for params in ({}, [], {"textDocument": 3}, {"textDocument": {"uri": "file:///not/open"}, "position": {"line": 0, "character": 0}},
                       {"textDocument": {"uri": uri_of(self.rules)}}, {"textDocument": {"uri": uri_of(self.rules)}, "position": {"line": "a"}}):
            equal(client.error("textDocument/hover", params), -32602)
        for place in ((10 ** 9, 0), (0, 10 ** 9), (-1, -1), (2 ** 62, 2 ** 62)):
            client.at("hover", self.rules, {"line": place[0], "character": place[1]})
        client.notify("textDocument/didChange", {"textDocument": {"uri": "file:///not/open"}, "contentChanges": []})
        must("not open" in client.note("window/logMessage")["message"])
        equal(client.stop(), 0)

    def case_malformed_messages(self):
        client = self.client()
        for body, code in ((b"{", -32700), (b"\xff\xfe", -32700), (b"", -32700), (b"[]", -32600), (b"3", -32600), (b"{}", -32600),
                           (b'{"jsonrpc":"1.0","id":7,"method":"shutdown"}', -32600), (b'{"jsonrpc":"2.0","id":{},"method":"x"}', -32600),
                           (b'{"jsonrpc":"2.0","id":7,"method":3}', -32600), (b'{"jsonrpc":"2.0","id":7,"method":"x","params":3}', -32600),
                           (b"[" * 100000, -32700)):
            client.send_body(body)
            equal(client.receive()["error"]["code"], code)
        for header in (b"Content-Length: x\r\n\r\n", b"Content-Type: y\r\n\r\n", b"no colon\r\n\r\n", b"Content-Length: -1\r\n\r\n"):
            client.send_bytes(header)
            answer = client.receive()
            equal((answer["id"], answer["error"]["code"]), (None, -32700))
        client.send_body(b'{"jsonrpc":"2.0","id":9,"result":null}')  # an answer to nothing
        equal(client.stop(), 0)

    def case_messages_in_pieces(self):
        client = Client(self.aoac)
        body = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'
        for byte in b"content-LENGTH:  %d \r\nContent-Type: x\r\n\r\n%s" % (len(body), body): client.send_bytes(bytes([byte]))
        must(client.receive()["result"]["capabilities"]["hoverProvider"])
        client.next_id = 2
        equal(client.stop(), 0)

    def case_cancel(self):
        client = self.client()
        frames = b""
        place = '"textDocument":{"uri":"%s"},"position":{"line":0,"character":0}' % uri_of(self.rules)
        for body in ('{"jsonrpc":"2.0","id":"a","method":"textDocument/hover","params":{%s}}' % place,
                     '{"jsonrpc":"2.0","id":"b","method":"textDocument/hover","params":{%s}}' % place,
                     '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"b"}}',
                     '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"gone"}}'):
            frames += b"Content-Length: %d\r\n\r\n%s" % (len(body), body.encode())
        client.send_bytes(frames)  # they arrive together, so `b` still waits
        answers = {m["id"]: m for m in (client.receive(), client.receive())}
        equal(answers["b"]["error"]["code"], -32800)
        must("result" in answers["a"], answers)
        client.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--aoac", required=True)
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    failed = count = 0
    for name in sorted(n for n in dir(Cases) if n.startswith("case_")):
        if arguments.words and not any(w in name for w in arguments.words): continue
        count += 1
        with tempfile.TemporaryDirectory() as folder:
            try:
                getattr(Cases(arguments.aoac, pathlib.Path(folder)), name)()
            except Exception:
                failed += 1
                print(f"{name}:\n{traceback.format_exc()}")
    print(f"{count} cases, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__": sys.exit(main())
