// JSON-RPC 2.0 messages. https://www.jsonrpc.org/specification
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace aoa::lsp {

enum class RpcError {
  kParse = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternal = -32603,
  kNotInitialized = -32002,
  kCancelled = -32800,
};

// A request (with an id) or a notification (without).
struct RpcMessage {
  std::string method;
  nlohmann::json params;             // null if there are none
  std::optional<nlohmann::json> id;  // a number or a string
};

// What came instead of a message.
struct RpcProblem {
  RpcError error = RpcError::kParse;
  std::string text;
  nlohmann::json id;  // of the request that is wrong, else null
};

// Reads a message. Nothing, and no problem, for the answer to a request of ours.
std::optional<RpcMessage> ReadMessage(const std::string& body, std::optional<RpcProblem>& problem);

// Texts of messages, without headers. Bytes that are no UTF-8 become U+FFFD.
std::string ResultText(const nlohmann::json& id, nlohmann::json result);
std::string ErrorText(const nlohmann::json& id, RpcError error, const std::string& text);
std::string NotificationText(const std::string& method, nlohmann::json params);

}  // namespace aoa::lsp
