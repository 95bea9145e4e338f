// aoac lsp: a language server on standard input and output. All it knows is in compiler/lsp; here are the streams, the
// files and the checkpoints.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "compiler/core/text.h"
#include "compiler/diag/suggest.h"
#include "compiler/driver/commands.h"
#include "compiler/lsp/server.h"
#include "runtime/formats/format.h"
#include "runtime/io/file.h"

namespace aoa::driver {
namespace {

constexpr uint64_t kLongestFile = 64 << 20;
constexpr size_t kMostWaiting = 1000;  // messages taken in before one is handled

std::optional<std::string> LoadText(const std::string& path, std::string& error) {
  auto text = io::ReadSmallFile(path, kLongestFile);
  if (text.ok()) return *std::move(text);
  error = text.status().message();
  return std::nullopt;
}

std::optional<lsp::Checkpoint> ReadCheckpoint(const std::string& path, const std::string& config, std::string& error) {
  lsp::Checkpoint out;
  out.path = path.empty() ? config : path;
  if (!path.empty()) {
    const formats::Format* format = formats::RecognizeFormat(path);
    if (!format) {
      error = fmt::format("{}: no checkpoint of a known format", Printable(path));
      return std::nullopt;
    }
    auto schema = format->Read(path, {});
    if (!schema.ok()) {
      error = schema.status().message();
      return std::nullopt;
    }
    out.schema = *std::move(schema);
  }
  std::string text = out.schema.config;
  if (!config.empty()) {
    auto loaded = LoadText(config, error);
    if (!loaded) return std::nullopt;
    text = *std::move(loaded);
  }
  if (text.empty()) return out;
  nlohmann::json parsed = nlohmann::json::parse(WithoutNonFinite(text), nullptr, false);
  if (!parsed.is_object()) {
    error = fmt::format("{}: is no JSON object", Printable(config.empty() ? path : config));
    return std::nullopt;
  }
  out.config = std::move(parsed);
  return out;
}

lsp::Host MakeHost() {
  lsp::Host host;
  host.load = LoadText;
  host.read_checkpoint = ReadCheckpoint;
  for (const formats::Format* format : formats::AllFormats()) host.formats.emplace_back(format->name());
  host.version = AOA_VERSION;
  return host;
}

// More bytes, or none at the end of the input.
std::string ReadSome() {
  std::array<char, 1 << 16> buffer;
  ssize_t count = 0;
  do count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  while (count < 0 && errno == EINTR);
  if (count < 0) throw std::system_error(errno, std::generic_category());
  return std::string(buffer.data(), static_cast<size_t>(count));
}

bool InputWaits() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, 0) > 0;
}

void Send(lsp::Server& server) {
  for (const std::string& body : server.TakeOutput()) {
    std::string message = lsp::Framed(body);
    std::fwrite(message.data(), 1, message.size(), stdout);
  }
  if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());
}

}  // namespace

Exit RunLsp(const Arguments& arguments) {
  Session session;
  for (const std::string& word : arguments) {
    if (word != "--stdio")  // what clients say to servers that have a choice
      session.Misuse(fmt::format("lsp: `{}` means nothing", diag::Printable(word))).Expected("aoac lsp");
  }
  if (session.diagnostics.HasErrors()) return session.Finish();
  lsp::Server server(MakeHost());
  lsp::FrameReader frames;
  for (bool more = true; more && !server.exited();) {
    std::string bytes = ReadSome();
    more = !bytes.empty();  // else the editor is gone, and what it said last is still done
    frames.Feed(bytes);
    while (auto frame = frames.Next()) server.Receive(*frame);
    if (more && InputWaits() && server.waiting() < kMostWaiting) continue;  // what comes may cancel what waits
    while (server.Work()) Send(server);
    server.Publish();
    Send(server);
  }
  return server.exit_status() == 0 ? Exit::kDone : Exit::kWrong;
}

}  // namespace aoa::driver
