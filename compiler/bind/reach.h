// How far the lines of the rules reach, for messages: the loop, the condition or the extent that leaves a name out of a
// line that would spell it, or takes one in that is not there.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "compiler/bind/program.h"

namespace aoa::bind {

// Each says in `d` what leaves `name` out, and is false if nothing does.
//
// Of the declarations of an end:
bool SayNotDeclared(const Program& program, size_t end, const std::string& name, diag::Diagnostic& d);
// Of the names that a leg's statements read (`in`) or make:
bool SayNotStated(const Program& program, size_t leg, bool in, const std::string& name, diag::Diagnostic& d);

// Of a family of which `first` to `last` are not there: says in `d` what makes it reach so far, where the last of its
// names are missing and the first are not.
void SayLast(const Program& program, size_t end, const Family& family, const std::string& first,
             const std::string& last, diag::Diagnostic& d);

// Where the numbers of a variable in names that are there are 1 to k: the pattern that spells them, `m.${l+1}.w` for
// `m.$l.w`.
std::optional<std::string> SpelledFromOne(const Pattern& pattern, const std::string& variable,
                                          const std::set<int64_t>& numbers);
// Says so in `d` of a family of the source of which no tensor with the number 0 is there.
void SayNumbersFromOne(const End& source, const Family& family, const std::string& missing, diag::Diagnostic& d);

}  // namespace aoa::bind
