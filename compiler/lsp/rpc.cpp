#include "compiler/lsp/rpc.h"

namespace aoa::lsp {
namespace {

using nlohmann::json;

std::string Text(const json& message) { return message.dump(-1, ' ', false, json::error_handler_t::replace); }

bool IsId(const json& id) { return id.is_string() || id.is_number(); }

}  // namespace

std::optional<RpcMessage> ReadMessage(const std::string& body, std::optional<RpcProblem>& problem) {
  json message = json::parse(body, nullptr, false);
  if (message.is_discarded()) {
    problem = {RpcError::kParse, "the message is no JSON", nullptr};
    return std::nullopt;
  }
  if (!message.is_object()) {
    problem = {RpcError::kInvalidRequest, "the message is no object", nullptr};
    return std::nullopt;
  }
  auto id = message.find("id"), method = message.find("method"), params = message.find("params");
  bool has_id = id != message.end();
  if (method == message.end() && has_id && (message.contains("result") || message.contains("error")))
    return std::nullopt;
  json shown = has_id && IsId(*id) ? *id : json();
  auto version = message.find("jsonrpc");
  if (version == message.end() || *version != "2.0")
    problem = {RpcError::kInvalidRequest, "the message is not of JSON-RPC 2.0", shown};
  else if (method == message.end() || !method->is_string())
    problem = {RpcError::kInvalidRequest, "the message has no method", shown};
  else if (has_id && !IsId(*id))
    problem = {RpcError::kInvalidRequest, "the id is neither a number nor a string", shown};
  else if (params != message.end() && !params->is_structured() && !params->is_null())
    problem = {RpcError::kInvalidRequest, "the parameters are neither an object nor a list", shown};
  if (problem) return std::nullopt;
  RpcMessage out{method->get<std::string>(), params == message.end() ? json() : std::move(*params), std::nullopt};
  if (has_id) out.id = std::move(shown);
  return out;
}

std::string ResultText(const json& id, json result) {
  return Text({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
}

std::string ErrorText(const json& id, RpcError error, const std::string& text) {
  return Text({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", static_cast<int>(error)}, {"message", text}}}});
}

std::string NotificationText(const std::string& method, json params) {
  return Text({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

}  // namespace aoa::lsp
