#include "runtime/exec/agreements.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "compiler/core/text.h"
#include "runtime/exec/workers.h"

namespace aoa::exec {
namespace {

constexpr uint64_t kStep = 1 << 20;

// The first place where two buffers differ, or their size.
size_t FirstDifference(std::span<const std::byte> a, std::span<const std::byte> b) {
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) return a.size();
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
}

std::string ReplicasDiffer(const FillContext& context, const Plan::Agreement& agreement, const std::string& place) {
  return fmt::format("`{}`: rank {} differs from rank {} at {} of the tensor ({} and {})",
                     Printable(context.plan.names[agreement.name]), agreement.rank_b, agreement.rank_a, place,
                     Printable(context.sources.path(agreement.b.file)),
                     Printable(context.sources.path(agreement.a.file)));
}

Status CompareReplicas(const FillContext& context, const Plan::Agreement& agreement) {
  Buffer a(kStep), b(kStep);
  for (uint64_t at = 0; at < agreement.bytes; at += kStep) {
    auto size = static_cast<size_t>(std::min(kStep, agreement.bytes - at));
    AOA_RETURN_IF_ERROR(context.sources.Read(agreement.a.file, agreement.a.offset + at, a.First(size)));
    AOA_RETURN_IF_ERROR(context.sources.Read(agreement.b.file, agreement.b.offset + at, b.First(size)));
    size_t same = FirstDifference(a.First(size), b.First(size));
    if (same == size) continue;
    return Status::Disagreement(ReplicasDiffer(context, agreement, fmt::format("byte {}", at + same)));
  }
  return Status();
}

// The elements [lo, hi) of the block that is compared, as they are stored.
Status ReadStored(const FillContext& context, const Plan::Agreement& agreement, int64_t lo, int64_t hi, Filler& filler,
                  std::span<std::byte> out) {
  if (agreement.stored != Plan::kNoProgram)
    return filler.Elements({0, agreement.stored, agreement.stored_slot}, lo, hi, out);
  int width = context.plan.programs[agreement.program].width;
  return context.sources.Read(agreement.b.file, agreement.b.offset + static_cast<uint64_t>(lo * width), out);
}

Status CompareElements(const FillContext& context, const Plan::Agreement& agreement, Filler& filler) {
  const Plan& plan = context.plan;
  const Plan::BlockProgram& program = plan.programs[agreement.program];
  const Plan::OutShard shard{0, agreement.program, agreement.first_slot};
  auto step = static_cast<size_t>(program.chunk * program.width);
  Buffer made(step), stored(step);
  for (int64_t lo = 0; lo < program.elements; lo += program.chunk) {
    int64_t hi = std::min(lo + program.chunk, program.elements);
    auto size = static_cast<size_t>((hi - lo) * program.width);
    AOA_RETURN_IF_ERROR(filler.Elements(shard, lo, hi, made.First(size)));
    AOA_RETURN_IF_ERROR(ReadStored(context, agreement, lo, hi, filler, stored.First(size)));
    filler.Constants(program, lo, hi, stored.First(size));
    size_t same = FirstDifference(made.First(size), stored.First(size));
    if (same == size) continue;
    int64_t element = lo + static_cast<int64_t>(same) / program.width;
    if (agreement.original == Plan::kNone)
      return Status::Disagreement(ReplicasDiffer(context, agreement, fmt::format("element {}", element)));
    return Status::Disagreement(
        fmt::format("`{}` differs from `{}`, to which it is tied, at element {} of what {} holds",
                    Printable(plan.names[agreement.name]), Printable(plan.names[agreement.original]), element,
                    Printable(context.sources.path(agreement.b.file))));
  }
  return Status();
}

}  // namespace

Status CheckAgreements(const FillContext& context, int threads, const std::atomic<bool>& stop) {
  const std::vector<Plan::Agreement>& agreements = context.plan.agreements;
  std::atomic<size_t> next = 0;
  return RunWorkers(threads, [&](const std::atomic<bool>& failed) -> Status {
    Filler filler(context);
    for (size_t i; !stop && !failed && (i = next++) < agreements.size();) {
      bool bytes = agreements[i].program == Plan::kNoProgram;
      AOA_RETURN_IF_ERROR(bytes ? CompareReplicas(context, agreements[i])
                                : CompareElements(context, agreements[i], filler));
    }
    return Status();
  });
}

}  // namespace aoa::exec
