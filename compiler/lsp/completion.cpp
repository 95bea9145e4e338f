#include "compiler/lsp/completion.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/lsp/context.h"
#include "compiler/parse/words.h"

namespace aoa::lsp {
namespace {

using Block = CursorContext::Block;
using Kind = Completion::Kind;
using Words = std::vector<std::string>;

// `model.layers.3.mlp.experts.7.w` as `model.layers.$l.mlp.experts.$e.w`: numbers between dots become variables.
std::string Folded(const std::string& name) {
  static constexpr const char* kVariables[] = {"$l", "$e"};
  std::string out;
  size_t variables = 0;
  for (size_t begin = 0; begin <= name.size();) {
    size_t end = std::min(name.find('.', begin), name.size());
    std::string part = name.substr(begin, end - begin);
    bool number = !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number && variables < std::size(kVariables)) part = kVariables[variables++];
    out += (begin == 0 ? "" : ".") + part;
    begin = end + 1;
  }
  return out;
}

class Completer {
 public:
  Completer(const Analysis& analysis, const Checkpoint* checkpoint, const std::vector<std::string>& formats,
            const CursorContext& context)
      : unit_(analysis.unit), checkpoint_(checkpoint), formats_(formats), at_(context) {}

  std::vector<Completion> Run() {
    if (at_.in_comment) return {};
    if (at_.in_type) {
      Dimensions();
      return std::move(out_);
    }
    switch (at_.block) {
      case Block::kFile:
        File();
        break;
      case Block::kDims:
        Expression();
        break;
      case Block::kSide:
        SideLine();
        break;
      case Block::kMap:
        MapLine();
        break;
      case Block::kConfig:
        if (at_.Last() == "=") Dimensions();
        break;
      case Block::kDefault:
        if (at_.Last() == "from" || at_.Last() == "to")
          Sides();
        else
          Add(parse::Texts(parse::DefaultWords()), Kind::kKeyword);
        break;
    }
    return std::move(out_);
  }

 private:
  void Add(std::string text, Kind kind, std::string detail = "") {
    if (seen_.insert(text).second) out_.push_back({std::move(text), kind, std::move(detail)});
  }
  void Add(const Words& texts, Kind kind) {
    for (const std::string& text : texts) Add(text, kind);
  }

  // ------------------------------------------------------------ by block

  void File() {
    if (at_.line.empty()) return Add(parse::Texts(parse::TopWords()), Kind::kKeyword);
    bool map = at_.First() == "map" && (at_.line.size() == 1 || at_.Last() == "<->" || at_.Last() == "->");
    if (map) Sides();
  }

  void SideLine() {
    if (at_.line.empty()) {
      Add(parse::Texts(parse::SideWords()), Kind::kKeyword);
      return Names(at_.side);
    }
    std::string_view first = at_.First(), last = at_.Last();
    if (first == "format") return at_.line.size() == 1 ? Add(formats_, Kind::kValue) : void();
    if (first == "like") return Sides();
    if (first == "if" || first == "for") return Expression();
    if (first == "place") return Place();
    if (first == "zero" || first == "overlay") return Axes();
    if (last == ":") return ElementTypes();
    if (last == "of" && at_.line.size() > 1) {  // `on first of tp`, `blocks of w`
      std::string_view before = at_.line[at_.line.size() - 2];
      if (before == "first" || before == "last") return Axes();
    }
    if (last == "tied" || last == "of" || first == "remove") return Names(at_.side);
    if (last == "on") return Add(Words{"first", "last"}, Kind::kValue);
    if (last == "replicas") return Add("mean", Kind::kValue);
    if (first != "mesh" && first != "state" && first != "scalar")
      Add(parse::Texts(parse::DeclarationWords()), Kind::kKeyword);
  }

  void Place() {
    if (at_.line.size() == 1) return Dimensions();
    if (at_.Last() == "on") return Axes();
    if (at_.Last() == "surplus") return Add(Words{"first", "last"}, Kind::kValue);
    if (at_.Last() == "numbered") return Add("locally", Kind::kValue);
    Add(parse::Texts(parse::PlaceWords()), Kind::kKeyword);
  }

  void MapLine() {
    if (at_.First() == "if" || at_.First() == "for") return Expression();
    if (at_.Last() == ":" || (at_.Last() == "=" && IsValueOf("dtype"))) return ElementTypes();
    if (at_.Last() == "=") return Add(Words{"last", "error", "saturate", "inf"}, Kind::kValue);
    bool due = at_.line.empty() || at_.Last() == "," || at_.Last() == "->" || at_.Last() == "<->" || at_.Last() == "<-";
    if (!due) return;
    if (at_.line.empty()) Add(parse::Texts(parse::MapWords()), Kind::kKeyword);
    Names(at_.HasArrow() ? at_.right : at_.left);
    Add("_", Kind::kValue, "no tensor");
    if (!at_.HasArrow() || at_.Last() != ",") return;
    Add(parse::Texts(parse::Flags()), Kind::kAttribute);
    for (const std::string& key : parse::Keys()) Add(key + "=", Kind::kAttribute);
  }

  // Whether the attribute before the last `=` has this word in its name.
  bool IsValueOf(std::string_view word) const {
    return at_.line.size() >= 2 && at_.line[at_.line.size() - 2].find(word) != std::string::npos;
  }

  // ------------------------------------------------------------ names of a kind

  void Sides() { Add(unit_.side_order, Kind::kSide); }

  void Names(const std::string& name) {
    auto side = unit_.sides.find(name);
    if (side == unit_.sides.end()) return;
    for (const bind::Declaration& d : side->second.declarations)
      Add(d.pattern.text(), Kind::kTensor, d.node->type ? std::string(d.node->type->where.text()) : "");
    bool readable = checkpoint_ && std::any_of(side->second.formats.begin(), side->second.formats.end(), [&](auto& f) {
                      return f.node->name.text == checkpoint_->schema.format;
                    });
    if (!readable) return;
    for (Completion& c : NamesOf(checkpoint_->schema)) Add(c.text, c.kind, c.detail);
  }

  void Dimensions() {
    std::vector<std::string> sides = {at_.side, at_.left, at_.right};
    for (const std::string& name : sides) {
      auto side = unit_.sides.find(name);
      if (side == unit_.sides.end()) continue;
      for (const auto& [dimension, equation] : side->second.dims) Dimension(dimension, *equation);
    }
    for (const auto& [dimension, equation] : unit_.dims) Dimension(dimension, *equation);
    Add(Words(unit_.dimension_names.begin(), unit_.dimension_names.end()), Kind::kDimension);
    if (at_.in_type) Axes();
  }
  void Dimension(const std::string& name, const ast::Equation& equation) {
    Add(name, Kind::kDimension, std::string(equation.where.text()));
  }

  void Axes() {
    auto side = unit_.sides.find(at_.side);
    if (side == unit_.sides.end()) return;
    for (const auto& mesh : side->second.meshes) Idents(mesh.node->axes);
    for (const auto& overlay : side->second.overlays) Idents(overlay.node->axes);
  }
  void Idents(const std::vector<ast::Ident>& names) {
    for (const ast::Ident& name : names) Add(name.text, Kind::kValue, "mesh axis");
  }

  void ElementTypes() {
    for (std::string_view name : DTypeNames()) Add(std::string(name), Kind::kValue);
  }

  void Expression() {
    if (checkpoint_ && checkpoint_->config) {
      for (const auto& [key, value] : checkpoint_->config->items())
        Add("config." + key, Kind::kValue, value.is_structured() ? "" : value.dump(-1, ' ', true, kReplace));
    }
    Dimensions();
    Add(parse::Texts(parse::Functions()), Kind::kFunction);
    Add(parse::Texts(parse::ExpressionWords()), Kind::kKeyword);
  }

  static constexpr auto kReplace = nlohmann::json::error_handler_t::replace;

  const bind::Unit& unit_;
  const Checkpoint* checkpoint_;
  const std::vector<std::string>& formats_;
  const CursorContext& at_;
  std::vector<Completion> out_;
  std::set<std::string> seen_;
};

}  // namespace

Completions CompletionsAt(const Analysis& analysis, const Checkpoint* checkpoint,
                          const std::vector<std::string>& formats, const std::string& text, uint32_t offset) {
  CursorContext context = ContextAt(text, offset);
  return {context.begin, Completer(analysis, checkpoint, formats, context).Run()};
}

std::vector<Completion> NamesOf(const Schema& schema) {
  struct Group {
    std::string name;  // the first
    size_t count = 0;
    std::string shape;
  };
  std::map<std::string, size_t> index;
  std::vector<std::pair<std::string, Group>> groups;
  std::set<uint32_t> seen;  // files of ranks repeat names
  for (const SchemaTable& table : schema.tables) {
    for (const StoredTensor& t : table) {
      if (!seen.insert(t.name).second) continue;
      const std::string& name = schema.names[t.name];
      std::string folded = Folded(name);
      auto [it, added] = index.emplace(folded, groups.size());
      if (added) groups.push_back({folded, {name, 0, ToString(schema.shapes[t.shape])}});
      ++groups[it->second].second.count;
    }
  }
  std::vector<Completion> out;
  for (const auto& [folded, group] : groups)
    out.push_back({group.count > 1 ? folded : group.name, Kind::kTensor, group.shape});
  return out;
}

}  // namespace aoa::lsp
