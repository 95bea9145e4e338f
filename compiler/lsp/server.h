// The language server: JSON-RPC messages in, messages out. It reads no stream and no file: the driver hands in bodies
// and what the world knows.
//
// Messages are taken in first and handled later, one after the other: so a request that waits can be cancelled, and
// diagnostics are made once for a burst of changes.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/lsp/documents.h"
#include "compiler/lsp/framing.h"
#include "compiler/lsp/rpc.h"

namespace aoa::lsp {

// The world, as the server sees it.
struct Host {
  LoadText load;  // a rule file
  // A checkpoint, its configuration (from the second path, if that is not empty), or both; at least one path is given.
  std::function<std::optional<Checkpoint>(const std::string& path, const std::string& config, std::string& error)>
      read_checkpoint;
  std::vector<std::string> formats;
  std::string version;
};

class Server {
 public:
  explicit Server(Host host);

  void Receive(const Frame& frame);
  size_t waiting() const { return waiting_.size(); }
  // Handles the message that came first. False if there is none.
  bool Work();
  // Sends the diagnostics that are due. To be called when no message waits.
  void Publish();
  // The bodies of messages for the editor, in their order.
  std::vector<std::string> TakeOutput();

  // Whether the editor has said `exit`; 0 if it had said `shutdown` before.
  bool exited() const { return state_ == State::kExited; }
  int exit_status() const { return shut_down_ ? 0 : 1; }

 private:
  enum class State { kNew, kRunning, kExited };
  using Params = const nlohmann::json&;
  struct Request {
    const char* method;
    nlohmann::json (Server::*handle)(Params);
  };
  struct Notification {
    const char* method;
    void (Server::*handle)(Params);
  };
  static const std::vector<Request>& Requests();
  static const std::vector<Notification>& Notifications();

  void HandleRequest(const RpcMessage& message);
  void HandleNotification(const RpcMessage& message);
  void Cancel(Params params);

  nlohmann::json Initialize(Params params);
  nlohmann::json Shutdown(Params params);
  nlohmann::json Hover(Params params);
  nlohmann::json Definition(Params params);
  nlohmann::json Completion(Params params);
  nlohmann::json Symbols(Params params);
  nlohmann::json Formatting(Params params);

  void DidOpen(Params params);
  void DidChange(Params params);
  void DidSave(Params params);
  void DidClose(Params params);
  void DidChangeConfiguration(Params params);
  void DidChangeWatchedFiles(Params params);
  void Ignore(Params) {}

  Document* DocumentOf(Params params);
  // The byte that a request is about.
  static uint32_t OffsetOf(const Document& document, Params params);
  void TakeSettings(const nlohmann::json& settings);
  const Checkpoint* CheckpointNow();
  void Log(const std::string& text);

  Host host_;
  Documents documents_;
  State state_ = State::kNew;
  bool shut_down_ = false;
  std::deque<RpcMessage> waiting_;
  std::vector<std::string> output_;

  std::string root_;  // the folder that is open; paths of settings are relative to it
  std::string checkpoint_path_, config_path_;
  std::optional<Checkpoint> checkpoint_;
  bool checkpoint_read_ = false;  // or tried to
};

}  // namespace aoa::lsp
