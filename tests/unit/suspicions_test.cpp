#include "compiler/draft/suspicions.h"

#include <gtest/gtest.h>

#include <functional>

namespace aoa::draft {
namespace {

using Found = std::vector<std::string>;

// Of a checkpoint whose layers have these tensors.
Found OfLayers(int count, const std::function<std::vector<std::string>(int)>& names) {
  Schema schema;
  schema.shapes.push_back({2});
  SchemaTable table;
  for (int l = 0; l < count; ++l) {
    for (const std::string& name : names(l)) {
      StoredTensor tensor;
      tensor.name = schema.names.Intern("l." + std::to_string(l) + "." + name);
      table.push_back(tensor);
    }
  }
  schema.tables.push_back(std::move(table));
  schema.files.emplace_back();
  return SuspicionsOf(schema);
}

std::vector<std::string> Mixed(int layer, int period, int offset) {
  return layer % period == offset ? std::vector<std::string>{"n", "attn.q", "attn.k", "attn.v"}
                                  : std::vector<std::string>{"n", "ssm.a", "ssm.b"};
}

TEST(Suspicions, LayersOfSeveralKindsAreNotWrong) {
  EXPECT_EQ(OfLayers(24, [](int l) { return Mixed(l, 8, 4); }), Found{});
  EXPECT_EQ(OfLayers(8, [](int l) { return Mixed(l, 8, 4); }), Found{});  // no period is seen
  EXPECT_EQ(OfLayers(9, [](int l) { return Mixed(l, 2, 1); }), Found{});
  auto irregular = [](int l) { return l == 2 || l == 3 || l == 7 ? Mixed(0, 1, 0) : Mixed(0, 2, 1); };
  EXPECT_EQ(OfLayers(12, irregular), Found{});
  auto shared = [](int l) { return l % 2 == 0 ? std::vector<std::string>{"q", "k"} : std::vector<std::string>{"q"}; };
  EXPECT_EQ(OfLayers(6, shared), Found{});
}

TEST(Suspicions, ATensorThatOneLayerOfItsKindLacksIsWrong) {
  auto lacking = [](int l) {
    auto names = Mixed(l, 4, 1);
    if (l == 9) std::erase(names, "attn.k");
    if (l == 11) std::erase(names, "ssm.b");
    return names;
  };
  EXPECT_EQ(OfLayers(20, lacking), (Found{"there is no `l.11.ssm.b`, though there is `l.10.ssm.b` and `l.12.ssm.b`",
                                          "there is no `l.9.attn.k`, though there is `l.5.attn.k` and `l.13.attn.k`"}));
}

TEST(Suspicions, TensorsThatLackTogetherAreOneLine) {
  auto lacking = [](int l) {
    return l == 3 ? std::vector<std::string>{"n"} : std::vector<std::string>{"n", "a", "b", "c"};
  };
  EXPECT_EQ(OfLayers(6, lacking), Found{"`l.3` lacks `c` and 2 more, though `l.2` and `l.4` have them"});
  auto two = [](int l) {
    return l == 3 || l == 5 ? std::vector<std::string>{"n"} : std::vector<std::string>{"n", "a"};
  };
  EXPECT_EQ(OfLayers(9, two), Found{"`l.3` and `l.5` lack `a`, though `l.2` and `l.4` have it"});
  auto slip = [](int l) { return std::vector<std::string>{"n", l == 3 ? "w.gate" : "gate"}; };
  EXPECT_EQ(OfLayers(6, slip), Found{"there is no `l.3.gate`, though there is `l.2.gate` and `l.4.gate`"});
}

}  // namespace
}  // namespace aoa::draft
