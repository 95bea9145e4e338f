#include "compiler/core/kernel.h"

#include <cstdio>

namespace aoa {

std::string ToString(const KernelKey& key) {
  std::string out(Name(key.in));
  for (const ValueStep& step : key.chain) {
    char text[96];
    switch (step.kind) {
      case ValueStep::Kind::kCast:
        out += " cast ";
        out += Name(step.to);
        out += step.overflow == Overflow::kError ? "" : step.overflow == Overflow::kSaturate ? " saturate" : " inf";
        break;
      case ValueStep::Kind::kAffine:
        std::snprintf(text, sizeof text, " affine%s %a %a", step.inverse ? "^-1" : "", double(step.scale),
                      double(step.offset));
        out += text;
        break;
      case ValueStep::Kind::kNormalize:
        out += " normalize";
        break;
      case ValueStep::Kind::kMean:
        out += " mean";
        break;
    }
  }
  out += " -> ";
  out += Name(key.out);
  for (const KernelDim& dim : key.dims) {
    out += " [" + (dim.extent ? std::to_string(dim.extent) : "?") + " in " + std::to_string(dim.in) + " out " +
           std::to_string(dim.out);
    if (dim.table) out += " table " + std::to_string(dim.table);
    out += "]";
  }
  return out;
}

}  // namespace aoa
