#include "compiler/lsp/server.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/text.h"
#include "compiler/lsp/diagnostics.h"
#include "compiler/lsp/position.h"

namespace aoa::lsp {

using nlohmann::json;

Server::Server(Host host) : host_(std::move(host)), documents_(host_.load, host_.formats) {}

const std::vector<Server::Request>& Server::Requests() {
  static const std::vector<Request> requests = {
      {"initialize", &Server::Initialize},
      {"shutdown", &Server::Shutdown},
      {"textDocument/hover", &Server::Hover},
      {"textDocument/definition", &Server::Definition},
      {"textDocument/completion", &Server::Completion},
      {"textDocument/documentSymbol", &Server::Symbols},
      {"textDocument/formatting", &Server::Formatting},
  };
  return requests;
}

const std::vector<Server::Notification>& Server::Notifications() {
  static const std::vector<Notification> notifications = {
      {"initialized", &Server::Ignore},
      {"textDocument/didOpen", &Server::DidOpen},
      {"textDocument/didChange", &Server::DidChange},
      {"textDocument/didSave", &Server::DidSave},
      {"textDocument/didClose", &Server::DidClose},
      {"workspace/didChangeConfiguration", &Server::DidChangeConfiguration},
      {"workspace/didChangeWatchedFiles", &Server::DidChangeWatchedFiles},
  };
  return notifications;
}

void Server::Receive(const Frame& frame) {
  std::optional<RpcProblem> problem;
  if (!frame.problem.empty()) problem = {RpcError::kParse, frame.problem, nullptr};
  auto message = problem ? std::nullopt : ReadMessage(frame.body, problem);
  if (problem) output_.push_back(ErrorText(problem->id, problem->error, problem->text));
  if (!message) return;
  if (message->method == "$/cancelRequest")
    Cancel(message->params);
  else
    waiting_.push_back(std::move(*message));
}

// A request that is handled already has its answer, or gets it at once.
void Server::Cancel(Params params) {
  if (!params.is_object() || !params.contains("id")) return;
  auto it = std::find_if(waiting_.begin(), waiting_.end(),
                         [&](const RpcMessage& m) { return m.id && *m.id == params["id"]; });
  if (it == waiting_.end()) return;
  output_.push_back(ErrorText(*it->id, RpcError::kCancelled, "cancelled"));
  waiting_.erase(it);
}

bool Server::Work() {
  if (waiting_.empty() || exited()) return false;
  RpcMessage message = std::move(waiting_.front());
  waiting_.pop_front();
  if (message.id)
    HandleRequest(message);
  else
    HandleNotification(message);
  return true;
}

void Server::HandleRequest(const RpcMessage& message) {
  auto fail = [&](RpcError error, const std::string& text) { output_.push_back(ErrorText(*message.id, error, text)); };
  bool first = message.method == "initialize";
  if (state_ == State::kNew && !first) return fail(RpcError::kNotInitialized, "`initialize` comes first");
  if (state_ != State::kNew && first) return fail(RpcError::kInvalidRequest, "`initialize` comes once");
  if (shut_down_) return fail(RpcError::kInvalidRequest, "after `shutdown` only `exit` may come");
  const auto& requests = Requests();
  auto request =
      std::find_if(requests.begin(), requests.end(), [&](const Request& r) { return message.method == r.method; });
  if (request == requests.end())
    return fail(RpcError::kMethodNotFound, fmt::format("there is no `{}`", Printable(message.method)));
  try {
    output_.push_back(ResultText(*message.id, (this->*request->handle)(message.params)));
  } catch (const json::exception& wrong) {
    fail(RpcError::kInvalidParams, wrong.what());
  } catch (const std::exception& bug) {
    fail(RpcError::kInternal, bug.what());
  }
}

void Server::HandleNotification(const RpcMessage& message) {
  if (message.method == "exit") {
    state_ = State::kExited;
    return;
  }
  if (state_ == State::kNew || shut_down_) return;
  const auto& all = Notifications();
  auto known = std::find_if(all.begin(), all.end(), [&](const Notification& n) { return message.method == n.method; });
  if (known == all.end()) return;  // nobody waits for an answer
  try {
    (this->*known->handle)(message.params);
  } catch (const std::exception& wrong) {
    Log(fmt::format("{}: {}", message.method, wrong.what()));
  }
}

void Server::Publish() {
  if (state_ != State::kRunning || shut_down_) return;
  for (Document* document : documents_.Unpublished()) {
    document->published = true;
    try {
      json params = {{"uri", document->uri}, {"diagnostics", DiagnosticsOf(documents_.AnalysisOf(*document))}};
      if (document->version.is_number()) params["version"] = document->version;
      output_.push_back(NotificationText("textDocument/publishDiagnostics", std::move(params)));
    } catch (const std::exception& bug) {
      Log(fmt::format("{}: {}", document->uri, bug.what()));
    }
  }
}

std::vector<std::string> Server::TakeOutput() { return std::exchange(output_, {}); }

void Server::Log(const std::string& text) {
  constexpr int kError = 1;
  output_.push_back(NotificationText("window/logMessage", {{"type", kError}, {"message", text}}));
}

}  // namespace aoa::lsp
