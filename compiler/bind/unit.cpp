#include "compiler/bind/unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "compiler/bind/context.h"
#include "compiler/bind/name_collector.h"
#include "compiler/bind/ranges.h"
#include "compiler/bind/resolve.h"
#include "compiler/diag/suggest.h"
#include "compiler/parse/parse.h"

namespace aoa::bind {
namespace {

using diag::Code;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

// Reads one file into the unit, after the files that it imports.
class UnitReader {
 public:
  UnitReader(Unit& unit, const LoadImport& load, diag::Diagnostics& diagnostics)
      : unit_(unit), dimension_names_(unit.dimension_names), load_(load), diagnostics_(diagnostics) {}

  void ReadAll(const SourceFile& main) {
    Read(main);
    for (const ast::Ident& name : sides_of_maps_) {
      if (unit_.sides.contains(name.text)) continue;
      auto& d = diagnostics_.Error(Code::kUnknownSide, name.where, fmt::format("there is no side `{}`", name.text));
      if (auto near = diag::Nearest(name.text, unit_.side_order)) {
        d.Help(fmt::format("there is `{}`", *near));
      } else if (!unit_.side_order.empty()) {
        d.Help(fmt::format("the sides are {}", diag::Enumerate(unit_.side_order)));
      }
    }
  }

 private:
  void Read(const SourceFile& source) {
    stack_.push_back(&source);
    done_.insert(source.path());
    const ast::File& file = unit_.files.emplace_back(parse::Parse(source, diagnostics_));
    for (const ast::Item& item : file.items) {
      if (auto* import = std::get_if<ast::Import>(&item)) ReadImport(*import, source);
    }
    // What stands in the unit now is imported: this file may replace and remove it.
    imported_declarations_.clear();
    own_declarations_.clear();
    for (const auto& [name, side] : unit_.sides) imported_declarations_[name] = side.declarations.size();
    imported_statements_.clear();
    for (const Map& map : unit_.maps) imported_statements_.push_back(map.statements.size());
    own_dims_.clear();
    own_side_dims_.clear();
    Removals(file);
    const ast::Family* named = nullptr;
    for (const ast::Item& item : file.items) {
      std::visit(Overloaded{
                     [&](const ast::Family& family) {
                       if (named) ReportTwice(family.where, named->where, "the family has two names");
                       named = &family;
                       unit_.family = family.name.text;
                     },
                     [&](const ast::Import&) {},
                     [&](const ast::DimsBlock& block) { Dims(block, unit_.dims, own_dims_); },
                     [&](const ast::Side& side) { ReadSide(side); },
                     [&](const ast::Map& map) { ReadMap(map); },
                     [&](const ast::Default& block) {
                       if (stack_.size() == 1) unit_.defaults = &block;
                     },
                 },
                 item);
    }
    stack_.pop_back();
  }

  // ------------------------------------------------------------ imports

  void ReadImport(const ast::Import& import, const SourceFile& importer) {
    std::string error;
    const SourceFile* file = load_(importer.path(), import.path, error);
    if (!file) {
      diagnostics_
          .Error(Code::kImport, import.path_where, fmt::format("`{}` cannot be read", diag::Printable(import.path)))
          .Found(error)
          .Help("the path of an import is relative to the file that imports");
      return;
    }
    for (const SourceFile* open : stack_) {
      if (open->path() == file->path()) {
        diagnostics_.Error(Code::kImport, import.path_where,
                           fmt::format("`{}` imports itself", diag::Printable(import.path)));
        return;
      }
    }
    if (!done_.contains(file->path())) Read(*file);
  }

  // ------------------------------------------------------------ dims

  void Dims(const ast::DimsBlock& block, std::map<std::string, const ast::Equation*>& dims,
            std::map<std::string, SourceRange>& own) {
    for (const ast::Equation& equation : block.equations) {
      const ast::Ident& name = equation.name;
      if (auto [it, added] = own.emplace(name.text, name.where); !added) {
        diagnostics_.Error(Code::kDeclaredTwice, name.where, fmt::format("dimension `{}` has two equations", name.text))
            .Also(it->second, "the first one")
            .Help("`?=` gives a default that another source may replace");
        continue;
      }
      dims[name.text] = &equation;
      unit_.dimension_names.insert(name.text);
      dimension_names_.Note(equation.value.get());
      if (equation.axis) dimension_names_.Note(*equation.axis);
    }
  }

  // ------------------------------------------------------------ sides

  Side& SideNamed(const std::string& name) {
    auto [it, added] = unit_.sides.try_emplace(name);
    if (added) {
      it->second.name = name;
      unit_.side_order.push_back(name);
    }
    return it->second;
  }

  void ReadSide(const ast::Side& node) {
    Side& side = SideNamed(node.name.text);
    for (const SourceRange& where : side.where) {
      if (where.file != node.where.file) continue;
      diagnostics_
          .Error(Code::kDeclaredTwice, node.name.where, fmt::format("side `{}` is declared twice", node.name.text))
          .Also(where, "the first one");
    }
    side.where.push_back(node.where);
    for (const ast::SideItem& item : node.items) ReadSideItem(item, side, {});
  }

  // A line of an importing file replaces the imported lines that say the same thing.
  template <class Node, class Same>
  void Add(std::vector<InContext<Node>>& list, const Node& node, const Context& context, Same same) {
    std::erase_if(list, [&](const InContext<Node>& other) {
      return other.node->where.file != node.where.file && same(*other.node);
    });
    dimension_names_.Note(context);
    CheckChosenOnce(node.where, context, diagnostics_);
    list.push_back({&node, context});
  }
  template <class Node>
  void Add(std::vector<InContext<Node>>& list, const Node& node, const Context& context) {
    Add(list, node, context, [](const Node&) { return true; });
  }

  // Of lines of one file that hold at once, one may say a thing.
  template <class Node, class Same>
  void CheckSaidOnce(const std::vector<InContext<Node>>& list, const Node& node, const Context& context,
                     const std::string& what, Same same) {
    for (const InContext<Node>& other : list) {
      if (other.node->where.file != node.where.file || !same(*other.node)) continue;
      if (other.context.guards.empty() && context.guards.empty()) ReportTwice(node.where, other.node->where, what);
    }
  }

  void ReportTwice(SourceRange where, SourceRange first, const std::string& what) {
    diagnostics_.Error(Code::kDeclaredTwice, where, what).Also(first, "the first one");
  }

  void ReadSideItem(const ast::SideItem& item, Side& side, const Context& context) {
    std::visit(Overloaded{
                   [&](const ast::Format& node) { Add(side.formats, node, context); },
                   [&](const ast::Like& node) { ReadLike(node, side, context); },
                   [&](const ast::MeshLine& node) { Add(side.meshes, node, context); },
                   [&](const ast::Overlay& node) { Add(side.overlays, node, context); },
                   [&](const ast::Place& node) {
                     dimension_names_.Note(node.interleave.get());
                     Add(side.places, node, context,
                         [&](const ast::Place& other) { return other.variable.text == node.variable.text; });
                   },
                   [&](const ast::Role& node) { ReadRole(node, side, context); },
                   [&](const ast::Zero& node) {
                     CheckSaidOnce(side.zeros, node, context, "the states are shared out twice",
                                   [](const ast::Zero&) { return true; });
                     Add(side.zeros, node, context);
                   },
                   [&](const ast::Config& node) {
                     for (const ast::ConfigEntry& entry : node.entries) {
                       auto same = [&](const ast::ConfigEntry& other) { return other.key.text == entry.key.text; };
                       unit_.dimension_names.insert(entry.name.text);
                       CheckSaidOnce(side.config, entry, context,
                                     fmt::format("the key `{}` of the configuration has two values", entry.key.text),
                                     same);
                       Add(side.config, entry, context, same);
                     }
                   },
                   [&](const ast::Remove&) {},
                   [&](const ast::DimsBlock& node) { Dims(node, side.dims, own_side_dims_[side.name]); },
                   [&](const ast::Declaration& node) { ReadDeclaration(node, side, context); },
                   [&](const ast::For<ast::SideItem>& node) {
                     Context inner = Inside(node, context);
                     for (const ast::SideItem& i : node.body) ReadSideItem(i, side, inner);
                   },
                   [&](const ast::If<ast::SideItem>& node) {
                     if (node.condition) CheckVariables(*node.condition, context, diagnostics_);
                     for (const ast::SideItem& i : node.then) ReadSideItem(i, side, Inside(node, context, false));
                     for (const ast::SideItem& i : node.otherwise) ReadSideItem(i, side, Inside(node, context, true));
                   },
               },
               item.item);
  }

  template <class Item>
  static Context Inside(const ast::For<Item>& node, Context context) {
    context.ranges.push_back({node.variable, node.from, node.to});
    return context;
  }
  template <class Item>
  static Context Inside(const ast::If<Item>& node, Context context, bool negated) {
    context.guards.push_back({node.condition.get(), negated});
    return context;
  }

  void ReadLike(const ast::Like& node, Side& side, const Context& context) {
    if (!context.guards.empty() || !context.ranges.empty()) {
      diagnostics_.Error(Code::kCondition, node.where, "`like` stands under a condition")
          .Note("it says what the side is before there is a checkpoint to ask");
    } else if (side.like && side.like->where.file == node.where.file) {
      diagnostics_.Error(Code::kDeclaredTwice, node.where, fmt::format("side `{}` is like two others", side.name))
          .Also(side.like->where, "the first one");
    }
    side.like = &node;
  }

  void ReadRole(const ast::Role& node, Side& side, const Context& context) {
    for (size_t i = 0; i < side.roles.size(); ++i) {
      const ast::Role& other = *side.roles[i].node;
      if (other.role.text != node.role.text) continue;
      if (other.where.file == node.where.file && context.guards.empty()) {
        diagnostics_
            .Error(Code::kDeclaredTwice, node.role.where, fmt::format("role `{}` is declared twice", node.role.text))
            .Also(other.role.where, "the first one");
        return;
      }
      if (other.where.file != node.where.file) side.roles.erase(side.roles.begin() + static_cast<ptrdiff_t>(i--));
    }
    dimension_names_.Note(node.computed.get());
    dimension_names_.Note(context);
    CheckChosenOnce(node.where, context, diagnostics_);
    side.roles.push_back({&node, context});
  }

  void ReadDeclaration(const ast::Declaration& node, Side& side, const Context& context) {
    dimension_names_.Note(node.type);
    dimension_names_.Note(context);
    size_t& imported = imported_declarations_[side.name];  // stand first in the list
    std::vector<Pattern> patterns = ExpandName(node.name, diagnostics_);
    std::vector<Pattern> tied = ExpandReference(node.tied, patterns.size(), diagnostics_),
                         blocks_of = ExpandReference(node.blocks_of, patterns.size(), diagnostics_);
    auto of = [](const std::vector<Pattern>& others, size_t i) {
      return others.empty() ? std::nullopt : std::optional(others[others.size() == 1 ? 0 : i]);
    };
    for (size_t i = 0; i < patterns.size(); ++i) {
      Pattern& pattern = patterns[i];
      if (pattern.HasStar()) {
        diagnostics_
            .Error(Code::kNamePattern, node.name.where, fmt::format("`{}` is declared with a star", pattern.text()))
            .Expected("a variable: a star stands for the names that a checkpoint or a side has, it declares none");
        continue;
      }
      dimension_names_.Note(pattern);
      std::string text = pattern.text();
      auto replaced = [&](const Declaration& other) { return other.pattern.text() == text; };
      auto end_of_imported = side.declarations.begin() + static_cast<ptrdiff_t>(imported);
      auto kept = std::remove_if(side.declarations.begin(), end_of_imported, replaced);
      imported -= static_cast<size_t>(end_of_imported - kept);
      side.declarations.erase(kept, end_of_imported);
      auto& own = own_declarations_[side.name][text];
      for (const auto& [where, other] : own) {
        if (SameContext(other, context))
          diagnostics_.Error(Code::kDeclaredTwice, node.name.where, fmt::format("`{}` is declared twice", text))
              .Also(where, "the first one");
      }
      own.emplace_back(node.name.where, context);
      side.declarations.push_back({std::move(pattern), &node, context, of(tied, i), of(blocks_of, i)});
    }
  }

  // ------------------------------------------------------------ removals

  void Removals(const ast::File& file) {
    for (const ast::Item& item : file.items) {
      auto* side = std::get_if<ast::Side>(&item);
      if (!side) continue;
      bool like = std::any_of(side->items.begin(), side->items.end(),
                              [](const ast::SideItem& line) { return std::holds_alternative<ast::Like>(line.item); });
      for (const ast::SideItem& line : side->items) {
        if (auto* remove = std::get_if<ast::Remove>(&line.item)) {
          for (const ast::Name& name : remove->names) RemoveNames(name, SideNamed(side->name.text), like);
        }
      }
    }
  }

  // What a side that is like another has of that one is known when all files are read (resolve.h).
  void RemoveNames(const ast::Name& name, Side& side, bool like) {
    for (Pattern& pattern : ExpandName(name, diagnostics_)) {
      std::string text = pattern.text();
      size_t removed = std::erase_if(side.declarations, [&](const Declaration& d) { return d.pattern.text() == text; });
      imported_declarations_[side.name] = side.declarations.size();
      if (removed == 0 && !like && !side.like) NothingToRemove(side, pattern, diagnostics_);
      side.removed.push_back(std::move(pattern));
      for (size_t m = 0; m < unit_.maps.size(); ++m) {
        Map& map = unit_.maps[m];
        std::erase_if(map.statements, [&](const Statement& s) {
          return (map.left == side.name && Names(s.left, text)) || (map.right == side.name && Names(s.right, text));
        });
        imported_statements_[m] = map.statements.size();
      }
    }
  }

  // ------------------------------------------------------------ maps

  Map& MapBetween(const ast::Map& node, bool& flipped) {
    for (Map& map : unit_.maps) {
      flipped = map.left == node.right.text && map.right == node.left.text && map.left != map.right;
      if (flipped || (map.left == node.left.text && map.right == node.right.text)) return map;
    }
    flipped = false;
    Map& map = unit_.maps.emplace_back();
    map.left = node.left.text;
    map.right = node.right.text;
    imported_statements_.push_back(0);
    return map;
  }

  void ReadMap(const ast::Map& node) {
    bool flipped = false;
    Map& map = MapBetween(node, flipped);
    map.where.push_back(node.where);
    sides_of_maps_.push_back(node.left);
    sides_of_maps_.push_back(node.right);
    if (node.left.text == node.right.text) {
      diagnostics_
          .Error(Code::kNoPath, Join(node.left.where, node.right.where),
                 fmt::format("a map from side `{}` to itself", node.left.text))
          .Note("a side to itself is the identity over its tensors and needs no map");
    }
    size_t index = static_cast<size_t>(&map - unit_.maps.data());
    for (const ast::MapItem& item : node.items) ReadMapItem(item, index, flipped, {});
  }

  void ReadMapItem(const ast::MapItem& item, size_t map, bool flipped, const Context& context) {
    std::visit(Overloaded{
                   [&](const ast::Statement& node) { ReadStatement(node, map, flipped, context); },
                   [&](const ast::For<ast::MapItem>& node) {
                     for (const ast::MapItem& i : node.body) ReadMapItem(i, map, flipped, Inside(node, context));
                   },
                   [&](const ast::If<ast::MapItem>& node) {
                     if (node.condition) CheckVariables(*node.condition, context, diagnostics_);
                     for (const ast::MapItem& i : node.then) ReadMapItem(i, map, flipped, Inside(node, context, false));
                     for (const ast::MapItem& i : node.otherwise)
                       ReadMapItem(i, map, flipped, Inside(node, context, true));
                   },
               },
               item.item);
  }

  // `offset` is what $LAYER_ID_OFFSET adds: nothing on the left of a statement, -1 on its right.
  std::vector<Operand> ReadOperands(const std::vector<ast::Operand>& nodes, int64_t offset) {
    std::vector<Operand> out;
    for (const ast::Operand& node : nodes) {
      dimension_names_.Note(node.type);
      if (node.blank) {
        out.push_back({&node, {}});
        continue;
      }
      std::vector<Pattern> patterns = ExpandName(node.name, diagnostics_);
      if (node.slice && static_cast<uint64_t>(node.slice->second - node.slice->first) >
                            kMostNames / std::max<size_t>(1, patterns.size())) {
        diagnostics_.Error(Code::kTooDeep, node.where,
                           fmt::format("`{}` stands for more than {} tensors", node.where.text(), kMostNames));
        continue;
      }
      for (Pattern& pattern : patterns) {
        dimension_names_.Note(pattern);
        for (PatternPart& part : pattern.parts) {
          if (part.kind == PatternPart::Kind::kVariable && part.text == "LAYER_ID_OFFSET") part.offset += offset;
        }
        if (!node.slice) {
          out.push_back({&node, std::move(pattern)});
          continue;
        }
        for (int64_t i = node.slice->first; i < node.slice->second; ++i) {  // name[0:3] is name_0, name_1, name_2
          Pattern one = pattern;
          one.Append(fmt::format("_{}", i));
          out.push_back({&node, std::move(one)});
        }
      }
    }
    return out;
  }

  void ReadStatement(const ast::Statement& node, size_t map_index, bool flipped, const Context& context) {
    Statement statement{&node, context, ReadOperands(node.left, 0), ReadOperands(node.right, -1), flipped};
    if (flipped) std::swap(statement.left, statement.right);
    dimension_names_.Note(context);
    Map& map = unit_.maps[map_index];
    auto imported = map.statements.begin() + static_cast<ptrdiff_t>(imported_statements_[map_index]);
    auto replaced = std::remove_if(map.statements.begin(), imported, [&](const Statement& other) {
      return Share(other.left, statement.left) || Share(other.right, statement.right);
    });
    imported_statements_[map_index] = static_cast<size_t>(replaced - map.statements.begin());
    map.statements.erase(replaced, imported);
    map.statements.push_back(std::move(statement));
  }

  Unit& unit_;
  NameCollector dimension_names_;
  const LoadImport& load_;
  diag::Diagnostics& diagnostics_;
  std::vector<const SourceFile*> stack_;
  std::set<std::string> done_;
  std::map<std::string, size_t> imported_declarations_;
  std::map<std::string, std::unordered_map<std::string, std::vector<std::pair<SourceRange, Context>>>>
      own_declarations_;  // side -> pattern
  std::vector<size_t> imported_statements_;
  std::map<std::string, SourceRange> own_dims_;
  std::map<std::string, std::map<std::string, SourceRange>> own_side_dims_;
  std::vector<ast::Ident> sides_of_maps_;
};

}  // namespace

Unit ReadUnit(const SourceFile& main, const LoadImport& load, diag::Diagnostics& diagnostics) {
  Unit unit;
  UnitReader(unit, load, diagnostics).ReadAll(main);
  Resolve(unit, diagnostics);
  return unit;
}

}  // namespace aoa::bind
