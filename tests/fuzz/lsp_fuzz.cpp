// Whatever the bytes of an editor: the server ends every message with at most one answer, throws nothing, and what it
// says is JSON-RPC. Bytes that come one by one mean the same as bytes that come together.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "compiler/lsp/server.h"
#include "tests/fuzz/harness.h"

namespace {

using aoa::lsp::Frame;
using aoa::lsp::FrameReader;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

std::vector<Frame> FramesOf(const std::string& bytes, size_t step) {
  FrameReader reader;
  std::vector<Frame> out;
  for (size_t at = 0; at < bytes.size(); at += step) {
    reader.Feed(std::string_view(bytes).substr(at, step));
    while (auto frame = reader.Next()) out.push_back(std::move(*frame));
  }
  return out;
}

aoa::lsp::Host NoWorld() {
  aoa::lsp::Host host;
  host.load = [](const std::string&, std::string& error) {
    error = "no files here";
    return std::optional<std::string>();
  };
  host.read_checkpoint = [](const std::string&, const std::string&, std::string& error) {
    error = "no checkpoints here";
    return std::optional<aoa::lsp::Checkpoint>();
  };
  host.formats = {"hf", "safetensors"};
  return host;
}

}  // namespace

void aoa::fuzz::Test(std::string_view input) {
  const std::string bytes(input);
  std::vector<Frame> frames = FramesOf(bytes, bytes.size() + 1);
  std::vector<Frame> slow = FramesOf(bytes, 3);
  Require(frames.size() == slow.size(), "messages differ by how they come");
  for (size_t i = 0; i < frames.size(); ++i)
    Require(frames[i].body == slow[i].body && frames[i].problem == slow[i].problem,
            "a message differs by how it comes");

  aoa::lsp::Server server(NoWorld());
  size_t answers = 0;
  for (const Frame& frame : frames) {
    server.Receive(frame);
    while (server.Work()) {
    }
    server.Publish();
    for (const std::string& text : server.TakeOutput()) {
      auto message = nlohmann::json::parse(text, nullptr, false);
      Require(message.is_object() && message["jsonrpc"] == "2.0", "no message");
      answers += message.contains("id");
    }
  }
  Require(answers <= frames.size(), "more answers than messages");
}

const std::vector<std::string>& aoa::fuzz::Words() {
  static const std::vector<std::string> words = {"Content-Length: ",
                                                 "\r\n\r\n",
                                                 "\r\n",
                                                 "0",
                                                 "65",
                                                 "99999999999",
                                                 "{",
                                                 "}",
                                                 "[",
                                                 "]",
                                                 "\"",
                                                 ":",
                                                 ",",
                                                 "null",
                                                 "-1",
                                                 "\"jsonrpc\":\"2.0\"",
                                                 "\"id\":1",
                                                 "\"method\":",
                                                 "\"params\":",
                                                 "\"textDocument/hover\"",
                                                 "\"textDocument/completion\"",
                                                 "\"textDocument/didChange\"",
                                                 "\"shutdown\"",
                                                 "\"exit\"",
                                                 "\\n",
                                                 "\\ud83d",
                                                 "side a {",
                                                 "w [h]",
                                                 "<->",
                                                 "\xF0\x9F\x98\x80"};
  return words;
}
