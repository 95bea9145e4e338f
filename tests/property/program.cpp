#include "tests/property/program.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>

namespace aoa::property {
namespace {

using Names = std::set<std::string>;

bool InSomeName(const Program& program, size_t side, const std::string& variable) {
  for (const StatementModel& statement : program.statements) {
    for (const Tensor& tensor : statement.terms[side]) {
      if (std::find(tensor.names.begin(), tensor.names.end(), variable) != tensor.names.end()) return true;
    }
  }
  return false;
}

class Drawer {
 public:
  Drawer(uint64_t seed, bool large) : random_(seed), large_(large) {}

  Program Draw(size_t sides) {
    DrawVariables();
    for (size_t s = 0; s < sides; ++s) DrawSide(s);
    size_t count = large_ ? 1 : Below(3) + 1;
    for (size_t i = 0; i < count; ++i) DrawStatement(i);
    for (size_t s = 0; s < sides; ++s) {
      Place(s);
      Decorate(s);
    }
    return std::move(program_);
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }
  bool Chance(int percent) { return static_cast<int>(Below(100)) < percent; }

  void DrawVariables() {
    int64_t weight = 1;
    for (size_t i = 0, count = large_ ? 4 : 4 + Below(3); i < count; ++i) {
      Variable v;
      v.extent =
          large_ ? static_cast<int64_t>(i < 2 ? 40 + Below(400) : 1 + Below(6)) : static_cast<int64_t>(1 + Below(6));
      if (!large_ && Chance(3)) v.extent = 0;
      v.weight = weight;
      weight *= std::max<int64_t>(1, v.extent);
      program_.variables["v" + std::to_string(i)] = v;
    }
  }

  void DrawSide(size_t number) {
    SideModel side;
    side.name = std::string(1, static_cast<char>('a' + number));
    if (Chance(75)) {
      static const char* const names[] = {"tp", "pp", "ep"};
      for (size_t i = 0, count = 1 + Below(3); i < count; ++i)
        side.mesh.push_back({names[i], static_cast<int64_t>(1 + Below(i == 0 ? 4 : 3))});
      std::shuffle(side.mesh.begin(), side.mesh.end(), random_);
    }
    program_.sides.push_back(std::move(side));
  }

  // ---------------------------------------------------------------- statements

  Names Some(const Names& from, size_t most) {
    std::vector<std::string> list(from.begin(), from.end());
    std::shuffle(list.begin(), list.end(), random_);
    list.resize(std::min(list.size(), Below(most + 1)));
    return {list.begin(), list.end()};
  }

  void DrawStatement(size_t number) {
    Names all;
    for (const auto& [name, variable] : program_.variables) all.insert(name);
    Names common = large_ ? Names{"v0", "v1"} : Some(all, 3);
    Names rest;
    std::set_difference(all.begin(), all.end(), common.begin(), common.end(), std::inserter(rest, rest.end()));
    std::vector<Names> pieces;
    for (size_t i = 0, count = 1 + Below(large_ ? 3 : 5); i < count; ++i) {
      Names piece = Some(rest, large_ ? 1 : 2);
      piece.insert(common.begin(), common.end());
      pieces.push_back(piece);
    }
    StatementModel statement;
    static const char* const dtypes[] = {"I64", "I32", "BF16", "U8", "F32", "F16"};
    statement.dtype = dtypes[Below(6)];
    for (size_t s = 0; s < program_.sides.size(); ++s) statement.terms.push_back(Group(pieces, number, s));
    program_.statements.push_back(std::move(statement));
  }

  // Tensors that hold the pieces in order.
  std::vector<Tensor> Group(const std::vector<Names>& pieces, size_t number, size_t side) {
    std::vector<Tensor> terms;
    for (size_t at = 0; at < pieces.size();) {
      size_t count = Chance(45) ? pieces.size() - at : 1 + Below(pieces.size() - at);
      std::vector<Names> mine(pieces.begin() + static_cast<long>(at), pieces.begin() + static_cast<long>(at + count));
      Tensor tensor;
      tensor.stem = "s" + std::to_string(number) + static_cast<char>('a' + side) + std::to_string(terms.size());
      tensor.first_piece = static_cast<int64_t>(at);
      for (const std::string& name : Common(mine)) {
        if (program_.variables[name].extent == 0 || program_.variables[name].extent > 8 || !Chance(25)) continue;
        tensor.names.push_back(name);
        for (Names& piece : mine) piece.erase(name);
      }
      tensor.axes = Axes(mine);
      terms.push_back(std::move(tensor));
      at += count;
    }
    return terms;
  }

  static Names Common(const std::vector<Names>& pieces) {
    Names common = pieces[0];
    for (const Names& piece : pieces)
      std::erase_if(common, [&](const std::string& name) { return !piece.contains(name); });
    return common;
  }

  Node Leaf(const std::string& name) {
    Node node;
    node.kind = Node::Kind::kVariable;
    node.variable = name;
    return node;
  }

  Node Combine(Node::Kind kind, std::vector<Node> parts) {
    if (parts.empty()) return {};
    if (parts.size() == 1) return parts[0];
    Node node;
    node.kind = kind;
    node.parts = std::move(parts);
    return node;
  }

  std::vector<Node> Factors(const Names& names) {
    std::vector<Node> nodes;
    for (const std::string& name : names) nodes.push_back(Leaf(name));
    if (Chance(8)) nodes.emplace_back();
    std::shuffle(nodes.begin(), nodes.end(), random_);
    return nodes;
  }

  // One node whose pieces are these.
  Node NodeOf(std::vector<Names> pieces) {
    if (pieces.size() == 1) return Combine(Node::Kind::kProduct, Factors(pieces[0]));
    Names outside = Some(Common(pieces), 2);
    for (Names& piece : pieces) {
      for (const std::string& name : outside) piece.erase(name);
    }
    std::vector<Node> parts;
    for (size_t at = 0; at < pieces.size();) {
      size_t most = pieces.size() - at - (at == 0 ? 1 : 0), count = 1 + Below(most);
      parts.push_back(NodeOf({pieces.begin() + static_cast<long>(at), pieces.begin() + static_cast<long>(at + count)}));
      at += count;
    }
    std::vector<Node> nodes = Factors(outside);
    nodes.insert(nodes.begin() + static_cast<long>(Below(nodes.size() + 1)), Combine(Node::Kind::kSum, parts));
    return Combine(Node::Kind::kProduct, nodes);
  }

  std::vector<Node> Axes(std::vector<Names> pieces) {
    Names outside = pieces.size() == 1 ? pieces[0] : Some(Common(pieces), 3);
    for (Names& piece : pieces) {
      for (const std::string& name : outside) piece.erase(name);
    }
    std::vector<Node> nodes = Factors(outside), axes;
    if (pieces.size() > 1) nodes.insert(nodes.begin() + static_cast<long>(Below(nodes.size() + 1)), NodeOf(pieces));
    for (size_t at = 0; at < nodes.size();) {
      size_t count = Chance(55) ? 1 : 1 + Below(nodes.size() - at);
      axes.push_back(Combine(Node::Kind::kProduct,
                             {nodes.begin() + static_cast<long>(at), nodes.begin() + static_cast<long>(at + count)}));
      at += count;
    }
    return axes;
  }

  // ---------------------------------------------------------------- layouts

  void Place(size_t s) {
    SideModel& side = program_.sides[s];
    for (size_t m = 0; m < side.mesh.size(); ++m) {
      if (side.mesh[m].name != "pp" || !Chance(60)) continue;
      Names used;
      for (const StatementModel& statement : program_.statements) {
        for (const Tensor& tensor : statement.terms[s]) used.insert(tensor.names.begin(), tensor.names.end());
      }
      if (used.empty() || Chance(20)) {
        for (const StatementModel& statement : program_.statements) {
          for (const Tensor& tensor : statement.terms[s]) {
            for (const Node& axis : tensor.axes) Collect(axis, used);
          }
        }
      }
      std::erase_if(
          used, [&](const std::string& name) { return program_.variables[name].extent == 0 || IsDealt(side, name); });
      if (used.empty()) continue;
      auto it = used.begin();
      std::advance(it, static_cast<long>(Below(used.size())));
      side.deals.push_back(DealOf(*it, m, side.mesh[m].size));
      side.deals.back().named = InSomeName(program_, s, *it);
    }
  }

  static bool IsDealt(const SideModel& side, const std::string& name) {
    return std::any_of(side.deals.begin(), side.deals.end(), [&](const Deal& deal) { return deal.variable == name; });
  }

  static void Collect(const Node& node, Names& used) {
    if (node.kind == Node::Kind::kVariable) used.insert(node.variable);
    for (const Node& part : node.parts) Collect(part, used);
  }

  Deal DealOf(const std::string& name, size_t axis, int64_t stages) {
    Deal deal{name, axis, "", std::vector<std::vector<int64_t>>(static_cast<size_t>(stages))};
    int64_t extent = program_.variables[name].extent, next = 0;
    auto give = [&](int64_t stage, int64_t count) {
      for (int64_t i = 0; i < count; ++i) deal.stages[static_cast<size_t>(stage)].push_back(next++);
    };
    if (extent % (2 * stages) == 0 && Chance(50)) {
      deal.rule = " interleave 2";
      for (int64_t i = 0; i < 2 * stages; ++i) give(i % stages, extent / stages / 2);
    } else if (Chance(40)) {
      deal.rule = " by [";
      for (int64_t s = 0; s < stages; ++s) {
        int64_t count =
            s + 1 == stages ? extent - next : static_cast<int64_t>(Below(static_cast<size_t>(extent - next) + 1));
        deal.rule += (s == 0 ? "" : ", ") + std::to_string(count);
        give(s, count);
      }
      deal.rule += "]";
    } else {
      bool last = Chance(50);
      if (extent % stages != 0) deal.rule = last ? " surplus last" : " surplus first";
      for (int64_t s = 0; s < stages; ++s)
        give(s, extent / stages + ((last ? s >= stages - extent % stages : s < extent % stages) ? 1 : 0));
    }
    return deal;
  }

  void Decorate(size_t s) {
    SideModel& side = program_.sides[s];
    for (StatementModel& statement : program_.statements) {
      for (Tensor& tensor : statement.terms[s]) {
        if (tensor.axes.empty()) continue;
        if (Chance(25)) PadSome(tensor.axes[Below(tensor.axes.size())]);
        std::vector<size_t> axes;
        for (size_t m = 0; m < side.mesh.size(); ++m) {
          bool deals = std::any_of(side.deals.begin(), side.deals.end(), [&](const Deal& d) { return d.axis == m; });
          if (!deals && Chance(65)) axes.push_back(m);
        }
        std::shuffle(axes.begin(), axes.end(), random_);
        for (size_t m : axes) CutSome(side, tensor.axes[Below(tensor.axes.size())], m);
      }
    }
  }

  void PadSome(Node& node) {
    if (!node.parts.empty() && Chance(50)) return PadSome(node.parts[Below(node.parts.size())]);
    Node pad;
    pad.kind = Node::Kind::kPad;
    pad.multiple = static_cast<int64_t>(1 + Below(5));
    pad.parts = {node};
    node = std::move(pad);
  }

  static bool IsCut(const Node& node) {
    return !node.cuts.empty() || std::any_of(node.parts.begin(), node.parts.end(), IsCut);
  }

  // Cuts a node or nodes below it, no piece twice.
  void CutSome(const SideModel& side, Node& node, size_t axis) {
    if (!node.cuts.empty()) {
      if (node.cuts.size() > 1 || node.cuts[0].rounding != 0) return;
      int64_t parts = side.mesh[node.cuts[0].axis].size * side.mesh[axis].size;
      if (AllOf(Extents(side, node), [&](int64_t n) { return n % parts == 0; })) node.cuts.push_back({axis, 0});
      return;
    }
    bool descend = IsCut(node) || Chance(60);
    if (node.kind == Node::Kind::kSum && descend) {
      for (Node& part : node.parts) {
        if (Chance(90)) CutSome(side, part, axis);
      }
    } else if (!node.parts.empty() && descend) {
      CutSome(side, node.parts[Below(node.parts.size())], axis);
    } else if (!IsCut(node)) {
      bool even = AllOf(Extents(side, node), [&](int64_t n) { return Divides(n, side.mesh[axis].size); });
      node.cuts.push_back({axis, even && Chance(80) ? char{0} : Chance(50) ? 'c' : 'f'});
    }
  }

  template <class Test>
  static bool AllOf(const std::vector<int64_t>& numbers, Test test) {
    return std::all_of(numbers.begin(), numbers.end(), test);
  }

  // Of a node before its own cuts, on every stage.
  std::vector<int64_t> Extents(const SideModel& side, Node node) const {
    node.cuts.clear();
    std::vector<int64_t> out;
    for (int64_t rank = 0; rank < RankCount(side.mesh); ++rank) {
      std::vector<int64_t> coordinates = CoordinatesOf(side.mesh, rank);
      std::map<std::string, std::vector<int64_t>> dealt;
      for (const Deal& deal : side.deals) {
        if (!deal.named) dealt[deal.variable] = deal.stages[static_cast<size_t>(coordinates[deal.axis])];
      }
      out.push_back(
          static_cast<int64_t>(List(node, {program_.variables, side.mesh, &coordinates, &dealt}).labels.size()));
    }
    return out;
  }

  std::mt19937_64 random_;
  bool large_;
  Program program_;
};

int WidthOf(const std::string& dtype) {
  return dtype == "I64" ? 8 : dtype == "U8" ? 1 : dtype == "I32" || dtype == "F32" ? 4 : 2;
}

// The value of an element: other labels have other values, as far as the width allows.
uint64_t ValueOf(size_t statement, int64_t piece, int64_t index) {
  uint64_t x = static_cast<uint64_t>(index) * 0x9E3779B97F4A7C15ull +
               static_cast<uint64_t>(piece) * 0xBF58476D1CE4E5B9ull + statement * 0x94D049BB133111EBull + 1;
  x ^= x >> 29;
  x *= 0xD6E8FEB86659FD93ull;
  return x ^ (x >> 32);
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string PatternOf(const Tensor& tensor) {
  std::string text = tensor.stem;
  for (const std::string& name : tensor.names) text += ".$" + name + ".w";
  return text;
}

}  // namespace

Program DrawProgram(uint64_t seed, size_t sides, bool large) { return Drawer(seed, large).Draw(sides); }

int64_t RankCount(const Meshes& mesh) {
  return std::accumulate(mesh.begin(), mesh.end(), int64_t{1},
                         [](int64_t n, const MeshAxis& axis) { return n * axis.size; });
}

std::vector<int64_t> CoordinatesOf(const Meshes& mesh, int64_t rank) {
  std::vector<int64_t> out(mesh.size());
  for (size_t m = mesh.size(); m-- > 0;) {
    out[m] = rank % mesh[m].size;
    rank /= mesh[m].size;
  }
  return out;
}

std::string Program::Text() const {
  std::string text = "dims {\n";
  for (const auto& [name, variable] : variables) text += "  " + name + " = " + std::to_string(variable.extent) + "\n";
  text += "}\n";
  for (size_t s = 0; s < sides.size(); ++s) {
    const SideModel& side = sides[s];
    text += "side " + side.name + " {\n  format safetensors\n";
    for (size_t m = 0; m < side.mesh.size(); ++m) text += (m == 0 ? "  mesh " : ", ") + side.mesh[m].name;
    for (size_t m = 0; m < side.mesh.size(); ++m) text += (m == 0 ? "  # " : ", ") + std::to_string(side.mesh[m].size);
    if (!side.mesh.empty()) text += "\n";
    for (const Deal& deal : side.deals)
      text += "  place " + deal.variable + " on " + side.mesh[deal.axis].name + deal.rule + "\n";
    for (const StatementModel& statement : statements) {
      for (const Tensor& tensor : statement.terms[s]) {
        text += "  " + PatternOf(tensor) + " [";
        for (size_t i = 0; i < tensor.axes.size(); ++i) text += (i == 0 ? "" : " ") + ToText(tensor.axes[i], side.mesh);
        text += "] : " + Lower(statement.dtype) + "\n";
      }
    }
    text += "}\n";
  }
  for (size_t s = 0; s + 1 < sides.size(); ++s) {
    text += "map " + sides[s].name + " <-> " + sides[s + 1].name + " {\n";
    for (const StatementModel& statement : statements) {
      auto list = [&](size_t side) {
        std::string out;
        for (const Tensor& tensor : statement.terms[side]) out += (out.empty() ? "" : ", ") + PatternOf(tensor);
        return out;
      };
      text += "  " + list(s) + " <-> " + list(s + 1) + "\n";
    }
    text += "}\n";
  }
  return text;
}

namespace {

// The blocks of one family on a rank.
class Storing {
 public:
  Storing(const Program& program, size_t side, int64_t rank, char filler)
      : program_(program), side_(program.sides[side]), coordinates_(CoordinatesOf(side_.mesh, rank)), filler_(filler) {
    for (const Deal& deal : side_.deals) {
      const std::vector<int64_t>& values = deal.stages[static_cast<size_t>(coordinates_[deal.axis])];
      (deal.named ? named_ : dealt_)[deal.variable] = values;
    }
  }

  void Add(size_t statement, const Tensor& tensor, size_t at, const std::string& name, int64_t index,
           std::vector<StoredBlock>& out) const {
    if (at < tensor.names.size()) {
      const std::string& variable = tensor.names[at];
      const Variable& v = program_.variables.at(variable);
      auto held = named_.find(variable);
      for (int64_t value = 0; value < v.extent; ++value) {
        if (held != named_.end() && std::find(held->second.begin(), held->second.end(), value) == held->second.end())
          continue;
        Add(statement, tensor, at + 1, name + "." + std::to_string(value) + ".w", index + value * v.weight, out);
      }
      return;
    }
    Block block = BlockOf(tensor.axes, {program_.variables, side_.mesh, &coordinates_, &dealt_});
    StoredBlock stored{name, program_.statements[statement].dtype, block.shape, ""};
    auto width = static_cast<size_t>(WidthOf(stored.dtype));
    stored.bytes.assign(block.labels.size() * width, filler_);
    for (size_t i = 0; i < block.labels.size(); ++i) {
      const Label& label = block.labels[i];
      if (label.filler) continue;
      uint64_t value = ValueOf(statement, tensor.first_piece + label.piece, index + label.index);
      std::memcpy(stored.bytes.data() + i * width, &value, width);
    }
    out.push_back(std::move(stored));
  }

 private:
  const Program& program_;
  const SideModel& side_;
  std::vector<int64_t> coordinates_;
  std::map<std::string, std::vector<int64_t>> named_, dealt_;
  char filler_;
};

}  // namespace

std::vector<StoredBlock> RankContent(const Program& program, size_t side, int64_t rank, char filler) {
  std::vector<StoredBlock> out;
  Storing storing(program, side, rank, filler);
  for (size_t i = 0; i < program.statements.size(); ++i) {
    for (const Tensor& tensor : program.statements[i].terms[side]) storing.Add(i, tensor, 0, tensor.stem, 0, out);
  }
  return out;
}

}  // namespace aoa::property
