// A bound program as text: `--emit=types`.
#include <fmt/format.h>

#include <map>

#include "compiler/bind/bind.h"
#include "compiler/core/text.h"

namespace aoa::bind {
namespace {

class Dumper {
 public:
  explicit Dumper(const Program& program) : program_(program) {}

  std::string Text() {
    DumpDimensions();
    for (size_t e = 0; e < program_.ends.size(); ++e) DumpEnd(e);
    for (size_t l = 0; l < program_.legs.size(); ++l) DumpLeg(l);
    return std::move(out_);
  }

 private:
  template <class... Args>
  void Line(fmt::format_string<Args...> format, Args&&... args) {
    out_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  void DumpDimensions() {
    const Dimensions& dimensions = *program_.dimensions;
    Line("dimensions");
    for (SymbolId s = 0; s < dimensions.size(); ++s) {
      if (!dimensions.ValueOf(s)) continue;
      Line("  {}", dimensions.Describe(s));
    }
  }

  void DumpEnd(size_t number) {
    const End& end = program_.ends[number];
    std::string mesh = end.has_mesh ? ", mesh " + end.mesh.ToString() : "";
    Line("side {}: {}{}", end.side->name, end.format, mesh);
    for (const Placement& p : end.placements) {
      std::string stages;
      for (const auto& stage : p.deal.stages) stages += fmt::format(" [{}]", fmt::join(stage, " "));
      Line("  place {}:{}", p.variable, stages);
    }
    for (const Role& role : end.roles) {
      std::string dtype = role.dtype ? fmt::format(" : {}", Name(*role.dtype)) : "";
      Line("  {} {} \"{}{{{}}}{}\"{}", role.scalar ? "scalar" : "state", role.name, role.prefix, role.left_out,
           role.suffix, dtype);
    }
    // Tensors of one family and type are one line.
    std::map<std::pair<uint32_t, uint32_t>, std::vector<TensorId>> groups;
    for (TensorId id = 0; id < end.tensors.size(); ++id) {
      const Tensor& t = end.tensors[id];
      if (t.role < 0 && (t.present || number == 0)) groups[{t.family, t.type}].push_back(id);
    }
    for (const auto& [key, ids] : groups) {
      std::string type =
          key.second == kNoType ? "untyped" : ToString(end.types[key.second], end.has_mesh ? &end.mesh : nullptr);
      std::string name = key.first == kNoFamily ? end.NameOf(ids[0]) : end.families[key.first].pattern.text();
      std::string dtype = number == 0 ? fmt::format(" : {}", Name(end.tensors[ids[0]].dtype)) : "";
      Line("  {} {}{}{}", Printable(name), type, dtype,
           ids.size() == 1 ? "" : fmt::format("  ({} tensors)", ids.size()));
    }
  }

  void DumpLeg(size_t number) {
    const Leg& leg = program_.legs[number];
    Line("{} -> {}", program_.ends[number].side->name, program_.ends[number + 1].side->name);
    std::vector<size_t> instances(leg.rules.size(), 0);
    for (const Instance& i : leg.instances) ++instances[i.rule];
    for (size_t r = 0; r < leg.rules.size(); ++r) {
      const Rule& rule = leg.rules[r];
      if (instances[r] == 0) continue;
      const char* kind = rule.kind == Rule::Kind::kMap    ? "map"
                         : rule.kind == Rule::Kind::kCopy ? "copy"
                         : rule.kind == Rule::Kind::kDrop ? "drop"
                                                          : "create";
      std::string where = rule.where ? fmt::format(" at {}:{}", rule.where.file->path(),
                                                   rule.where.file->PositionOf(rule.where.begin).line)
                                     : "";
      Line("  {}{}{}: {}", kind, rule.inverse ? " inverse" : "", where,
           instances[r] == 1 ? "1 instance" : fmt::format("{} instances", instances[r]));
      for (const RuleView& view : rule.views) Line("    {} -> {}", Operands(view.in), Operands(view.out));
    }
  }

  static std::string Operands(const std::vector<OperandView>& operands) {
    std::string text;
    for (const OperandView& o : operands) {
      text += text.empty() ? "" : ", ";
      if (o.blank) {
        text += "_";
        continue;
      }
      std::string stacked;
      for (const PieceVariable& v : o.stacked) stacked += v.name + " ";
      text += (stacked.empty() ? "" : "(" + stacked.substr(0, stacked.size() - 1) + ") ") + ToString(o.type);
    }
    return text.empty() ? "_" : text;
  }

  const Program& program_;
  std::string out_;
};

}  // namespace

std::string Dump(const Program& program) { return Dumper(program).Text(); }

}  // namespace aoa::bind
