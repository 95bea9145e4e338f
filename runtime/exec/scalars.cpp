#include "runtime/exec/scalars.h"

#include <fmt/format.h>

#include "compiler/core/check.h"
#include "compiler/core/convert.h"
#include "compiler/core/text.h"
#include "runtime/exec/elements.h"

namespace aoa::exec {
namespace {

std::string Says(const std::string& name, const Plan::InShard& shard, DType type, uint64_t bits,
                 const Sources& sources) {
  return fmt::format("`{}` in {} is {}", Printable(name), Printable(sources.path(shard.file)),
                     Show(NumberOf(type, bits)));
}

// The bits that all places hold.
Result<uint64_t> Agreed(const std::vector<Plan::Places>& tensors, DType type, ElementReader& reader,
                        const Sources& sources) {
  AOA_CHECK(!tensors.empty() && !tensors[0].all.empty(), "a scalar without a place");
  const Plan::InShard& first = tensors[0].all[0];
  AOA_ASSIGN_OR_RETURN(uint64_t expected, reader.Bits(first, 0, Width(type)));
  for (const Plan::Places& tensor : tensors) {
    for (const Plan::InShard& shard : tensor.all) {
      AOA_ASSIGN_OR_RETURN(uint64_t bits, reader.Bits(shard, 0, Width(type)));
      if (bits != expected)
        return Status::Disagreement(Says(tensors[0].name, first, type, expected, sources) + ", and " +
                                    Says(tensor.name, shard, type, bits, sources) +
                                    ": the pieces of a weight share one number");
    }
  }
  return expected;
}

}  // namespace

Result<std::vector<uint64_t>> ReadScalars(const Plan& plan, Sources& sources, const ComputeScalar& compute) {
  std::vector<uint64_t> values;
  ElementReader reader(sources);
  for (uint32_t i = 0; i < plan.scalars.size(); ++i) {
    const Plan::Scalar& scalar = plan.scalars[i];
    if (!scalar.computed) {
      AOA_ASSIGN_OR_RETURN(uint64_t bits, Agreed(scalar.sources, scalar.dtype, reader, sources));
      values.push_back(bits);
      continue;
    }
    std::vector<double> inputs;
    for (const Plan::Scalar::Input& input : scalar.inputs) {
      AOA_ASSIGN_OR_RETURN(uint64_t bits, Agreed(input.sources, input.dtype, reader, sources));
      inputs.push_back(NumberOf(input.dtype, bits));
    }
    AOA_ASSIGN_OR_RETURN(double value, compute(i, inputs));
    uint32_t flags = 0;
    uint64_t bits = Encode(scalar.dtype, value, Overflow::kError, flags);
    if (flags)
      return Status::Value(
          fmt::format("`{}`: {} does not fit {}", Printable(scalar.name), Show(value), Name(scalar.dtype)));
    values.push_back(bits);
  }
  return values;
}

}  // namespace aoa::exec
