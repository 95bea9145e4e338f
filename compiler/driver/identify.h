// Which sides of which rule files a checkpoint fits: found by names, decided by binding it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compiler/core/schema.h"

namespace aoa::driver {

struct Fit {
  std::string rules;  // path of the file
  std::string side;
  bool fits = false;
  size_t unknown = 0;    // of the checkpoint's kinds of names: tensors that differ in numbers only are of one kind
  size_t absent = 0;     // declared kinds that it lacks, of those that stand under no condition and are not optional
  bool unsized = false;  // the configuration does not say all sizes that the side asks it for
  size_t alike = 0;      // leading characters that the family's name shares with the configuration's `model_type`
  std::string why;       // it does not fit: the names, or what the compiler says of their types

  size_t Misnamed() const { return unknown + absent; }
};

// The configuration that sides are asked about with; null: there is none. `own`: it is the checkpoint's, which a side
// may spell in other words than the rules.
struct GivenConfiguration {
  const nlohmann::json* config = nullptr;
  bool own = true;
};

// All sides of the rule files in `folder`, the best first. Files that have mistakes are passed by.
std::vector<Fit> FindFits(const std::string& folder, const Schema& schema, GivenConfiguration config);

// Of the files beside `rules` and of itself: one that a checkpoint fits, by a side of this name, or another side of the
// same file, if there is one. Nothing if none does, or if `side` of `rules` does, or would but for sizes and is of the
// checkpoint's family more than that one.
std::optional<Fit> BetterRules(const std::string& rules, const std::string& side, const Schema& schema,
                               GivenConfiguration config);

// The folder of shipped rule files: beside the program, or where it is installed. Empty if there is none.
std::string ShippedRules();

}  // namespace aoa::driver
