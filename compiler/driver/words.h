// The words of small commands: a few options, and some number of others.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/driver/session.h"

namespace aoa::driver {

struct WordOption {
  std::string name;
  bool has_value = false;
};

struct Words {
  std::vector<std::string> positional;
  std::map<std::string, std::string> options;  // those given; without a value: "yes"
  bool Has(const std::string& option) const { return options.contains(option); }
  // Of an option; empty if it is not given.
  std::string Value(const std::string& option) const { return Has(option) ? options.at(option) : ""; }
};

// Reads the words behind a command's name, which needs `count` others than options. `usage` is shown with a mistake,
// which is a diagnostic.
Words ReadWords(const std::string& command, const std::vector<std::string>& arguments,
                const std::vector<WordOption>& options, size_t count, const std::string& usage, Session& session);

}  // namespace aoa::driver
