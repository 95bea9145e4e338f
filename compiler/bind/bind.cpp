#include "compiler/bind/bind.h"

#include <fmt/format.h>

#include "compiler/bind/binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {

using diag::Code;

std::optional<Program> Binder::Run() {
  auto path = FindPath(unit_, request_.from, request_.to, diagnostics_);
  if (!path) return std::nullopt;
  path_ = std::move(*path);
  program_.dimensions = std::make_unique<Dimensions>(unit_, request_.config, false);
  Dimensions& dimensions = *program_.dimensions;
  AddEnds(path_);
  if (diagnostics_.HasErrors()) return std::nullopt;
  AddLines();
  GroupFiles();

  // Each round uses what the last one has learnt; names come after shapes, defaults after names.
  for (bool more = true; more;) {
    more = AddFamilies();
    more |= MatchNames();
    if (more) CollectFacts();
    more |= SolveFacts();
    more |= dimensions.Propagate();
    if (!more && pending_.empty()) more = NamesToExtents();
    if (!more) more = dimensions.ApplyDefault();
    if (!more && !pending_.empty()) more = NamesToExtents();
    if (!more) more = EmptyOptions();
  }
  ReportUndecided();
  dimensions.ReportContradictions(diagnostics_);
  if (diagnostics_.HasErrors()) return std::nullopt;

  bool dealt = true;
  for (size_t e = 0; e < program_.ends.size(); ++e) dealt &= DealPlacements(e);
  if (!dealt) return std::nullopt;
  ListSource();
  CheckSource();
  if (diagnostics_.HasErrors()) return std::nullopt;
  BindLegs();
  if (diagnostics_.HasErrors()) return std::nullopt;
  return std::move(program_);
}

// Whether the run reads states or scalars of a role: the target has it too, or may compute others from it.
bool Binder::IsCarried(const Role& role) const {
  const std::vector<Role>& roles = program_.ends.back().roles;
  return request_.states && std::any_of(roles.begin(), roles.end(), [&](const Role& other) {
           return other.name == role.name || (role.scalar && other.node->computed);
         });
}

std::optional<Program> Bind(const Unit& unit, const Schema& source, const Request& request,
                            diag::Diagnostics& diagnostics) {
  return Binder(unit, source, request, diagnostics).Run();
}

}  // namespace aoa::bind
