// What a fuzz harness provides, and what harnesses have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/status.h"

// A law that holds whatever the input. Where it does not, the process dies and the input is kept.
#define REQUIRE(condition)                                                 \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

namespace aoa::fuzz {

// One input: the harness's target.
void Test(std::string_view input);

// Pieces of the language of the inputs, which mutations of bytes seldom hit upon.
const std::vector<std::string>& Words();

// Inputs to begin with, beside the files on the command line. A harness may have some.
[[gnu::weak]] std::vector<std::string> MoreSeeds();

// A reader's refusal of an input: it is the file's fault, and the reason is fit to be shown.
inline void CheckRefusal(const Status& status, size_t longest = 4000) {
  REQUIRE(status.code() == StatusCode::kInvalid);
  REQUIRE(!status.message().empty() && status.message().size() < longest);
}

}  // namespace aoa::fuzz
