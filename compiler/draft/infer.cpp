#include "compiler/draft/infer.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/bind/bind.h"
#include "compiler/draft/reword.h"
#include "compiler/prove/prove.h"

namespace aoa::draft {
namespace {

using bind::End;
using bind::Tensor;
using bind::TensorId;

class SideInference {
 public:
  SideInference(AoaConfig& statements, const Schema& source, const nlohmann::json* config, std::vector<Trap>& traps,
                SourceFiles& texts, diag::Diagnostics& diagnostics)
      : statements_(statements),
        source_(source),
        config_(config),
        traps_(traps),
        texts_(texts),
        diagnostics_(diagnostics) {
    sides_.format = source.format;
  }

  std::optional<ImportedSides> Infer() {
    if (!Bind()) return std::nullopt;
    undeclared_ =
        RewordForNames(statements_, rules_, StatementsOf(statements_, rules_, unit_->files.front()), *program_, traps_);
    if (!Bind()) return std::nullopt;
    PassTheRest();
    // With these lines everything is read: what is left to say against the statements is said now.
    if (!Bind()) return std::nullopt;
    auto mapping = prove::Prove(*program_, request_, found_);
    Tell();
    if (!mapping) return std::nullopt;
    Declare(*mapping);
    return std::move(sides_);
  }

 private:
  // The statements over untyped sides, bound to the checkpoint.
  bool Bind() {
    found_ = {};
    rules_ = WriteRules(statements_, "", {}, sides_);
    text_ = &texts_.Add("imported.aoa", rules_.text);
    auto no_import = [](const std::string&, const std::string&, std::string&) -> const SourceFile* { return nullptr; };
    unit_ = std::make_unique<bind::Unit>(bind::ReadUnit(*text_, no_import, found_));
    request_ = {};
    request_.from = statements_.reverse ? "target" : "source";
    request_.to = statements_.reverse ? "source" : "target";
    request_.config = config_;
    program_ = found_.HasErrors() ? std::nullopt : bind::Bind(*unit_, source_, request_, found_);
    if (!program_) Tell();
    return program_.has_value();
  }

  void Tell() { diagnostics_.Append(AtConfiguration(found_, *text_, rules_, statements_)); }

  // What no statement reads passes by name, unless a statement makes a tensor of that name.
  void PassTheRest() {
    const End& end = program_->ends.front();
    std::vector<bool> read(end.tensors.size(), false);
    std::set<std::string> made;
    for (const bind::Instance& instance : program_->legs.front().instances) {
      for (TensorId id : instance.in) {
        if (!(id & bind::kResult)) read[id] = true;
      }
      for (TensorId id : instance.out) made.insert(program_->ends.back().NameOf(id & ~bind::kResult));
    }
    std::vector<NamedShape> passed;
    for (TensorId id = 0; id < end.tensors.size(); ++id) {
      const Tensor& tensor = end.tensors[id];
      if (!tensor.present || tensor.temporary || tensor.role >= 0 || read[id]) continue;
      if (made.contains(end.NameOf(id)))
        sides_.dropped.push_back(WriteName(end.NameOf(id)));
      else
        passed.push_back({end.NameOf(id), {}});  // whatever their shapes, so that names alone are folded
    }
    for (const FoldedLine& line : FoldNames(std::move(passed), false).lines) {
      size_t open = 0;
      for (const FoldedLine::Loop& loop : line.loops) {
        sides_.passed.push_back(fmt::format("for {} in {}..{} {{", loop.variable, loop.from, loop.to));
        if (!loop.condition.empty()) sides_.passed.push_back(fmt::format("if {} {{", loop.condition));
        open += loop.condition.empty() ? 1 : 2;
      }
      sides_.passed.push_back(fmt::format("{} {} {}", line.name, statements_.reverse ? "<-" : "->", line.name));
      sides_.passed.insert(sides_.passed.end(), open, "}");
    }
  }

  void Declare(const prove::Mapping& mapping) {
    const End& end = program_->ends.back();
    std::vector<NamedShape> made;
    for (TensorId id : mapping.targets) made.push_back({end.NameOf(id), WholeShape(end.types[end.tensors[id].type])});
    std::vector<NamedShape> read = TensorsOf(source_);
    for (std::vector<NamedShape>* tensors : {&read, &made})
      std::erase_if(*tensors, [&](const NamedShape& t) { return undeclared_.contains(t.name); });
    SideDrafter drafter(config_);
    std::vector<std::string> from = drafter.Declare(read), to = drafter.Declare(made);
    sides_.source = statements_.reverse ? to : from;
    sides_.target = statements_.reverse ? from : to;
    sides_.dims = drafter.Dims(true);
  }

  AoaConfig& statements_;
  const Schema& source_;
  const nlohmann::json* config_;
  std::vector<Trap>& traps_;
  SourceFiles& texts_;
  diag::Diagnostics& diagnostics_;
  diag::Diagnostics found_;  // of the text
  const SourceFile* text_ = nullptr;
  ImportedRules rules_;
  ImportedSides sides_;
  std::set<std::string> undeclared_;
  bind::Request request_;
  std::unique_ptr<bind::Unit> unit_;
  std::optional<bind::Program> program_;
};

}  // namespace

std::optional<ImportedSides> InferSides(AoaConfig& statements, const Schema& source, const nlohmann::json* config,
                                        std::vector<Trap>& traps, SourceFiles& texts, diag::Diagnostics& diagnostics) {
  return SideInference(statements, source, config, traps, texts, diagnostics).Infer();
}

std::vector<NamedShape> TensorsOf(const Schema& schema) {
  std::vector<NamedShape> tensors;
  std::vector<bool> seen(schema.names.size(), false);
  for (const SchemaFile& file : schema.files) {
    for (const StoredTensor& t : schema.tables[file.table]) {
      if (!seen[t.name]) tensors.push_back({schema.names[t.name], schema.shapes[t.shape]});
      seen[t.name] = true;
    }
  }
  return tensors;
}

}  // namespace aoa::draft
