#include "compiler/lsp/extents.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/bind/bind.h"

namespace aoa::lsp {
namespace {

// Names of a checkpoint that are looked at to find its side: layers repeat.
constexpr size_t kSample = 256;

bool IsDeclared(const bind::Side& side, const std::string& name) {
  return std::any_of(side.declarations.begin(), side.declarations.end(), [&](const bind::Declaration& d) {
    return !d.pattern.HasExtent() && d.pattern.Match(name).has_value();
  });
}

bool IsLiteral(const Axis& axis) {
  return !axis.variable.empty() && axis.variable[0] >= '0' && axis.variable[0] <= '9';
}

std::string Joined(const std::vector<Axis>& parts, const char* separator) {
  std::string text;
  for (const Axis& part : parts) text += (text.empty() ? "" : separator) + Extents::ExtentText(part);
  return text;
}

void CollectVariables(const Axis& axis, std::set<std::string>& seen, std::string& text) {
  bool shown = axis.kind == Axis::Kind::kVariable && axis.extent != Axis::kUnknown && !IsLiteral(axis) &&
               !axis.variable.starts_with('_');
  if (shown && seen.insert(axis.variable).second)
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", axis.variable, axis.extent);
  for (const Axis& part : axis.parts) CollectVariables(part, seen, text);
}

}  // namespace

const bind::Side* SideOf(const bind::Unit& unit, const Schema& schema) {
  const bind::Side* best = nullptr;
  size_t most = 0, step = std::max<size_t>(schema.names.size() / kSample, 1);
  for (const std::string& name : unit.side_order) {
    const bind::Side& side = unit.sides.at(name);
    bool readable = std::any_of(side.formats.begin(), side.formats.end(),
                                [&](const auto& f) { return f.node->name.text == schema.format; });
    if (!readable) continue;
    size_t count = 0;
    for (size_t i = 0; i < schema.names.size(); i += step) count += IsDeclared(side, schema.names[i]);
    if (count > most) best = &side;
    most = std::max(most, count);
  }
  return best;
}

Extents::Extents(const Analysis& analysis, const Checkpoint* checkpoint)
    : dimensions_(analysis.unit, checkpoint && checkpoint->config ? &*checkpoint->config : nullptr,
                  !checkpoint || !checkpoint->config) {
  for (const std::string& name : analysis.unit.side_order)
    ends_[name] = dimensions_.AddSymbolicEnd(analysis.unit.sides.at(name));
  if (!checkpoint) return;
  OfferShapes(analysis, *checkpoint);
  while (dimensions_.Propagate() || dimensions_.ApplyDefault()) {
  }
}

// What a run from the checkpoint to its own side finds out. A file with mistakes cannot run; then the configuration
// has to do.
void Extents::OfferShapes(const Analysis& analysis, const Checkpoint& checkpoint) {
  const bind::Side* side = SideOf(analysis.unit, checkpoint.schema);
  if (!side || analysis.diagnostics.HasErrors()) return;
  bind::Request request;
  request.from = request.to = side->name;
  request.config = checkpoint.config ? &*checkpoint.config : nullptr;
  diag::Diagnostics unheard;
  auto program = bind::Bind(analysis.unit, checkpoint.schema, request, unheard);
  if (!program) return;
  for (const std::string& name : analysis.unit.dimension_names) {
    bind::SymbolId symbol = program->dimensions->At(0, name);
    auto value = program->dimensions->ValueOf(symbol);
    if (value) dimensions_.Offer(dimensions_.At(EndOf(side->name), name), {*value, "the checkpoint", {}});
  }
}

size_t Extents::EndOf(const std::string& side) const {
  auto end = ends_.find(side);
  return end == ends_.end() ? bind::kFile : end->second;
}

TensorType Extents::TypeOf(const std::string& side, const ast::Type& type) {
  size_t end = EndOf(side);
  if (end == bind::kFile) return {};
  int any = 0;
  return dimensions_.Lower(type, end, any);
}

Axis Extents::AxisOf(const std::string& side, const ast::Axis& axis) {
  size_t end = ends_.empty() ? bind::kFile : side.empty() ? 0 : EndOf(side);
  if (end == bind::kFile) return {};
  int any = 0;
  return dimensions_.Lower(axis, end, any);
}

std::optional<std::string> Extents::ValueOf(const std::string& side, const std::string& dimension) {
  bind::SymbolId symbol = dimensions_.At(EndOf(side), dimension);
  if (!dimensions_.ValueOf(symbol)) return std::nullopt;
  return dimensions_.Describe(symbol);
}

std::string Extents::ExtentText(const Axis& axis) {
  int64_t extent = Extent(axis);
  if (extent != Axis::kUnknown) return std::to_string(extent);
  switch (axis.kind) {
    case Axis::Kind::kVariable:
      return axis.variable.starts_with('_') ? "?" : axis.variable;
    case Axis::Kind::kOne:
      return "1";
    case Axis::Kind::kProduct:
      return Joined(axis.parts, "*");
    case Axis::Kind::kSum:
      return "(" + Joined(axis.parts, " + ") + ")";
    case Axis::Kind::kPad:
      break;
  }
  std::string multiple = axis.multiple == Axis::kUnknown ? "?" : std::to_string(axis.multiple);
  return fmt::format("pad({}, {})", Joined(axis.parts, " "), multiple);
}

std::string Extents::ShapeText(const TensorType& type) {
  return "[" + Joined(type.stored ? *type.stored : type.axes, ", ") + "]";
}

std::string Extents::VariablesText(const TensorType& type) {
  std::set<std::string> seen;
  std::string text;
  for (const Axis& axis : type.axes) CollectVariables(axis, seen, text);
  return text;
}

}  // namespace aoa::lsp
