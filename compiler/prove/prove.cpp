#include "compiler/prove/prover.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diag/suggest.h"

namespace aoa::prove {
namespace {

// `*` and `?` match any characters, dots too.
bool GlobMatches(std::string_view glob, std::string_view name) {
  size_t g = 0, n = 0, star = std::string_view::npos, retry = 0;
  while (n < name.size()) {
    if (g < glob.size() && (glob[g] == '?' || (glob[g] != '*' && glob[g] == name[n]))) {
      ++g;
      ++n;
    } else if (g < glob.size() && glob[g] == '*') {
      star = g++;
      retry = n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

}  // namespace

std::optional<Mapping> Prover::Run() {
  MatchViews();
  if (diagnostics_.HasErrors()) return std::nullopt;
  ChooseTargets();
  CheckSources();
  if (request_.only.empty()) CheckCoverage();
  if (diagnostics_.HasErrors()) return std::nullopt;
  for (size_t leg = 0; leg < program_.legs.size(); ++leg) FollowTypes(leg);
  CheckMeans();
  if (request_.states) CompareRoles();
  if (diagnostics_.HasErrors()) return std::nullopt;
  return std::move(mapping_);
}

// ---------------------------------------------------------------- typing

void Prover::MatchViews() {
  for (Leg& leg : program_.legs) {
    auto& by_rule = mapping_.views.emplace_back();
    for (Rule& rule : leg.rules) {
      auto& views = by_rule.emplace_back();
      for (const bind::RuleView& view : rule.views) views.push_back(MatchView(rule, view, leg.backwards));
    }
  }
  for (bool source : {true, false}) {
    const End& end = source ? program_.ends.front() : program_.ends.back();
    for (const bind::RuleView& view : end.tie_views) {
      auto matched = Match(view, view.out[0].where, "original", "copy", diagnostics_);
      (source ? mapping_.source_ties : mapping_.target_ties).push_back(matched.value_or(MatchedView{}));
    }
  }
}

MatchedView Prover::MatchView(const Rule& rule, const bind::RuleView& view, bool backwards) {
  if (rule.kind == Rule::Kind::kCreate) return Created(view);
  SourceRange where = rule.where ? rule.where : view.out.empty() ? SourceRange{} : view.out[0].where;
  const char* in_name = backwards ? "right" : "left";
  const char* out_name = backwards ? "left" : "right";
  if (rule.kind != Rule::Kind::kCopy)
    return Match(view, where, in_name, out_name, diagnostics_).value_or(MatchedView{});
  MatchedView all;
  for (uint32_t o = 0; o < view.out.size(); ++o) {
    auto matched = Match({{view.in[0]}, {view.out[o]}}, where, in_name, out_name, diagnostics_);
    if (!matched) return {};
    for (MatchedPiece& piece : *matched) {
      piece.out = o;
      all.push_back(std::move(piece));
    }
  }
  return all;
}

// A created tensor is filled piece by piece.
MatchedView Prover::Created(const bind::RuleView& view) {
  MatchedView out;
  for (uint32_t o = 0; o < view.out.size(); ++o) {
    for (const TypePiece& piece : Pieces(view.out[o].type)) {
      MatchedPiece filled;
      filled.out = o;
      filled.out_base = piece.base;
      for (const PieceVariable& v : piece.variables)
        filled.variables.push_back({v.name, v.extent, 0, v.stride, false, false});
      int64_t stride = 1;
      for (size_t i = view.out[o].stacked.size(); i-- > 0;) {
        filled.variables.insert(filled.variables.begin(),
                                {view.out[o].stacked[i].name, view.out[o].stacked[i].extent, 0, stride, false, true});
        stride *= view.out[o].stacked[i].extent;
      }
      out.push_back(std::move(filled));
    }
  }
  return out;
}

// ---------------------------------------------------------------- what is wanted

// Marks the instances that the wanted targets depend on; all of them without --only.
void Prover::ChooseTargets() {
  size_t last = program_.ends.size() - 1;
  const End& target = program_.ends[last];
  std::set<TensorId> wanted;  // at the end behind the current leg
  for (TensorId id = 0; id < target.tensors.size(); ++id) {
    const Tensor& tensor = target.tensors[id];
    if (tensor.role >= 0 || tensor.temporary) continue;
    bool placeholder = !tensor.present && !tensor.where && program_.legs.back().map;  // never to be made
    if (placeholder || (!request_.only.empty() && !GlobMatches(request_.only, target.NameOf(id)))) continue;
    wanted.insert(id);
  }
  if (!request_.only.empty() && wanted.empty()) {
    auto& d = diagnostics_.Error(
        Code::kCommandLine, {},
        fmt::format("--only: `{}` matches no tensor of side `{}`", diag::Printable(request_.only), target.side->name));
    if (!target.tensors.empty())
      d.Note(fmt::format("its tensors have names like `{}`", diag::Printable(target.NameOf(0))));
  }
  for (TensorId id : wanted) mapping_.targets.push_back(id);
  for (const bind::Tie& tie : target.ties) {
    if (wanted.contains(tie.copy)) wanted.insert(tie.original);
  }
  mapping_.needed.resize(program_.legs.size());
  for (size_t leg = program_.legs.size(); leg-- > 0;) {
    const std::vector<Instance>& instances = program_.legs[leg].instances;
    std::vector<bool>& needed = mapping_.needed[leg];
    needed.assign(instances.size(), request_.only.empty());
    std::set<TensorId> wanted_before;
    for (size_t i = instances.size(); i-- > 0;) {
      const Instance& instance = instances[i];
      for (TensorId out : instance.out) needed[i] = needed[i] || wanted.contains(out);
      if (!needed[i]) continue;
      for (TensorId in : instance.in) {
        if (in & kResult)
          wanted.insert(in & ~kResult);
        else
          wanted_before.insert(in);
      }
    }
    wanted = std::move(wanted_before);
  }
}

std::optional<Mapping> Prove(Program& program, const bind::Request& request, diag::Diagnostics& diagnostics) {
  return Prover(program, request, diagnostics).Run();
}

}  // namespace aoa::prove
