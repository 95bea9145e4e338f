// The extents of axes as far as they are known: from constants alone, or from a checkpoint's configuration and shapes.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "compiler/bind/dimensions.h"
#include "compiler/lsp/analysis.h"

namespace aoa::lsp {

class Extents {
 public:
  // `checkpoint` may be null. The analysis must outlive the extents, and be bounded.
  Extents(const Analysis& analysis, const Checkpoint* checkpoint);

  // The type with extents, for a file that holds the whole tensor: every mesh axis has size 1.
  TensorType TypeOf(const std::string& side, const ast::Type& type);
  Axis AxisOf(const std::string& side, const ast::Axis& axis);
  // "h = 4096 (config.hidden_size)", or nothing while it has no value. `side` may be empty.
  std::optional<std::string> ValueOf(const std::string& side, const std::string& dimension);
  // "[4096, 11008]", or with names for what is not known: "[g*r*d, 11008]".
  static std::string ShapeText(const TensorType& type);
  static std::string ExtentText(const Axis& axis);
  // The values of the variables in a type: "g = 8, d = 128", each once.
  static std::string VariablesText(const TensorType& type);

 private:
  size_t EndOf(const std::string& side) const;
  void OfferShapes(const Analysis& analysis, const Checkpoint& checkpoint);

  bind::Dimensions dimensions_;
  std::map<std::string, size_t> ends_;
};

// The side that a checkpoint's names are of: of those whose formats are the checkpoint's, the one that declares most of
// them. Null if none declares any.
const bind::Side* SideOf(const bind::Unit& unit, const Schema& schema);

}  // namespace aoa::lsp
