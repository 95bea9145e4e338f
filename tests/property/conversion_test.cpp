// Random programs through the whole compiler, against the enumeration of what their types mean.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compiler/codegen/codegen.h"
#include "compiler/core/check.h"
#include "compiler/diag/render.h"
#include "compiler/driver/pipeline.h"
#include "runtime/exec/executor.h"
#include "runtime/formats/format.h"
#include "tests/property/files.h"
#include "tests/property/scatter.h"
#include "tests/unit/scratch.h"

namespace aoa::property {
namespace {

enum class Backend { kReference, kJit };

// Runs a program's conversions in folders of its own.
class Conversion {
 public:
  Conversion(const Program& program, const testing::Scratch& scratch)
      : program_(program), scratch_(scratch), root_(scratch.At("case")) {
    std::filesystem::remove_all(root_);
    scratch.Write("case/rules.aoa", program.Text());
  }

  std::string Folder(const std::string& name) const { return root_ + "/" + name; }

  // From now on sources and targets are scattered.
  void Scatter(uint64_t seed) { scatter_ = seed; }

  // Converts; checks index program and plan on the way. What went wrong, or an empty text.
  std::string Run(size_t from, const std::string& source, size_t to, const std::string& target, Backend backend,
                  uint64_t memory, int threads) {
    try {
      return Convert(from, source, to, target, backend, memory, threads);
    } catch (const InternalError& error) {
      return error.what();
    }
  }

  // Whether a target holds what the types of its side say.
  std::string Judge(size_t side, const std::string& target) const {
    return Difference(SideContent(program_, side, '\0'), ReadSide(Folder(target)));
  }

 private:
  std::string Convert(size_t from, const std::string& source, size_t to, const std::string& target, Backend backend,
                      uint64_t memory, int threads) {
    driver::Session session;
    auto unit = driver::LoadRules(Folder("rules.aoa"), session);
    if (!unit) return Problems(session);
    driver::Options options;
    options.threads = threads;
    for (const MeshAxis& axis : program_.sides[to].mesh) options.mesh_to.entries.push_back(SizeOf(axis));
    driver::SideSpec spec{program_.sides[from].name, "", Folder(source)};
    driver::SideSpec goal{program_.sides[to].name, "", Folder(target)};
    auto read = driver::ReadSource(*unit, spec, options, session);
    if (!read) return Problems(session);
    if (scatter_) ScatterSource(read->schema, root_, *scatter_);
    auto compiled = driver::Compile(*unit, *read,
                                    driver::MakeRequest(*unit, options, *read, spec.side, goal.side, session), session);
    if (!compiled) return Problems(session);
    if (std::string broken = index::Verify(compiled->program, compiled->index); !broken.empty())
      return "index: " + broken;
    plan::Resources resources;
    resources.memory = memory;
    resources.threads = threads;
    auto planned = scatter_ ? PlanScattered(*compiled, *read, resources, session)
                            : driver::MakePlan(*compiled, *read, goal, resources, options, session);
    if (!planned) return Problems(session);
    if (std::string broken = plan::Verify(planned->plan); !broken.empty()) return "plan: " + broken;
    std::string problem = Execute(*compiled, *planned, goal.path, backend, threads);
    return problem.empty() && scatter_ ? TakeChecksums(goal.path) : problem;
  }

  std::optional<driver::Planned> PlanScattered(const driver::Compiled& compiled, const driver::Source& source,
                                               const plan::Resources& resources, driver::Session& session) {
    auto lay_out = [&](const TargetContent& content) -> std::optional<TargetLayout> {
      auto layout = formats::FindFormat("safetensors")->LayOut(content, {});
      if (!layout.ok()) return std::nullopt;
      ScatterTarget(*layout, content, *scatter_);
      return *std::move(layout);
    };
    auto plan =
        plan::BuildPlan(compiled.program, compiled.index, source.schema, lay_out, {}, resources, session.diagnostics);
    if (!plan) return std::nullopt;
    return driver::Planned{*std::move(plan), {}};
  }

  static bind::MeshSizes::Entry SizeOf(const MeshAxis& axis) {
    bind::MeshSizes::Entry entry;
    entry.axis = axis.name;
    entry.size = axis.size;
    return entry;
  }

  static std::string Problems(const driver::Session& session) {
    return diag::Render(session.diagnostics, {.limit = 5});
  }

  std::string Execute(const driver::Compiled& compiled, const driver::Planned& planned, const std::string& target,
                      Backend backend, int threads) {
    std::unique_ptr<codegen::KernelTable> kernels;
    exec::Work work{
        planned.plan,   {}, [&](uint32_t t) { return driver::TargetNameOf(compiled, t); }, driver::ScalarsOf(compiled),
        planned.extras, {}};
    if (backend == Backend::kJit) {
      codegen::Options options;
      options.cache_folder = scratch_.At("kernels");
      if (!planned.plan.kernels.empty()) kernels = codegen::KernelTable::Start(planned.plan.kernels, options);
      work.kernels = [&](uint32_t index) { return kernels->Get(index); };
    }
    exec::RunOptions run;
    run.target = target;
    run.key = "property";
    run.threads = threads;
    exec::Progress progress;
    auto report = exec::Execute(work, run, progress);
    return report.ok() ? "" : report.status().message();
  }

  const Program& program_;
  const testing::Scratch& scratch_;
  std::string root_;
  std::optional<uint64_t> scatter_;
};

struct Settings {
  Backend backend = Backend::kReference;
  uint64_t memory = 64 << 20;
  int threads = 1;
  bool scatter = false;
};

// There and back: the target is what enumeration says, and so is the source made from it again.
void ThereAndBack(uint64_t seed, size_t sides, bool large, const Settings& s, const testing::Scratch& scratch) {
  Program program = DrawProgram(seed, sides, large);
  Conversion conversion(program, scratch);
  if (s.scatter) conversion.Scatter(seed);
  size_t last = sides - 1;
  WriteSide(conversion.Folder("source"), SideContent(program, 0, '\x5A'));
  std::string problem = conversion.Run(0, "source", last, "target", s.backend, s.memory, s.threads);
  if (problem.empty()) problem = conversion.Judge(last, "target");
  if (problem.empty()) problem = conversion.Run(last, "target", 0, "back", s.backend, s.memory, s.threads);
  if (problem.empty()) problem = conversion.Judge(0, "back");
  ASSERT_EQ(problem, "") << "seed " << seed << " of\n" << program.Text();
}

// How many times the usual number of programs: AOA_PROPERTY_TIMES=50 for a long search.
uint64_t Times(uint64_t programs) {
  const char* times = std::getenv("AOA_PROPERTY_TIMES");
  return programs * (times ? std::max<uint64_t>(1, std::strtoull(times, nullptr, 10)) : 1);
}

TEST(Conversion, ReferenceAgreesWithEnumeration) {
  testing::Scratch scratch;
  for (uint64_t seed = 0; seed < Times(700) && !HasFatalFailure(); ++seed) ThereAndBack(seed, 2, false, {}, scratch);
}

TEST(Conversion, KernelsAgreeWithEnumeration) {
  testing::Scratch scratch;
  for (uint64_t seed = 1000000; seed < 1000000 + Times(60) && !HasFatalFailure(); ++seed)
    ThereAndBack(seed, 2, false, {Backend::kJit}, scratch);
}

// Tensors of many jobs: chunks, tiles, several threads, little memory.
TEST(Conversion, LargeTensorsInLittleMemory) {
  testing::Scratch scratch;
  for (uint64_t seed = 2000000; seed < 2000000 + Times(30) && !HasFatalFailure(); ++seed) {
    Settings settings{seed % 2 == 0 ? Backend::kJit : Backend::kReference, (seed % 3 == 0 ? 1u : 8u) << 20,
                      static_cast<int>(1 + seed % 3)};
    ThereAndBack(seed, 2, true, settings, scratch);
  }
}

TEST(Conversion, ScatteredSourcesAndTargets) {
  testing::Scratch scratch;
  for (uint64_t seed = 4000000; seed < 4000000 + Times(300) && !HasFatalFailure(); ++seed)
    ThereAndBack(seed, 2, false, {Backend::kReference, 64 << 20, 1, true}, scratch);
  for (uint64_t seed = 5000000; seed < 5000000 + Times(40) && !HasFatalFailure(); ++seed)
    ThereAndBack(seed, 2, seed % 2 == 0, {Backend::kJit, 4 << 20, 2, true}, scratch);
}

// Through a hub: the direct copy is what two steps give.
TEST(Conversion, CompositionIsTwoSteps) {
  testing::Scratch scratch;
  for (uint64_t seed = 3000000; seed < 3000000 + Times(250) && !HasFatalFailure(); ++seed) {
    Program program = DrawProgram(seed, 3, false);
    Conversion conversion(program, scratch);
    WriteSide(conversion.Folder("source"), SideContent(program, 0, '\x5A'));
    std::string problem = conversion.Run(0, "source", 2, "direct", Backend::kReference, 64 << 20, 1);
    if (problem.empty()) problem = conversion.Run(0, "source", 1, "hub", Backend::kReference, 64 << 20, 1);
    if (problem.empty()) problem = conversion.Run(1, "hub", 2, "twice", Backend::kReference, 64 << 20, 1);
    if (problem.empty()) problem = conversion.Judge(2, "direct");
    if (problem.empty())
      problem = Difference(ReadSide(conversion.Folder("direct")), ReadSide(conversion.Folder("twice")));
    ASSERT_EQ(problem, "") << "seed " << seed << " of\n" << program.Text();
  }
}

// The enumeration itself is right about what a person can see at a glance.
TEST(Conversion, EnumerationOfAnExample) {
  Variables variables = {{"r", {2, 1}}, {"h", {3, 2}}};
  Meshes mesh = {{"tp", 2}};
  Node r, h, sum, product;
  r.kind = h.kind = Node::Kind::kVariable;
  r.variable = "r";
  h.variable = "h";
  sum.kind = Node::Kind::kSum;
  sum.parts = {r, Node()};
  product.kind = Node::Kind::kProduct;
  product.parts = {h, sum};
  std::vector<Label> expected;
  for (int64_t i = 0; i < 3; ++i)
    expected.insert(expected.end(), {{0, 2 * i, false}, {0, 2 * i + 1, false}, {1, 2 * i, false}});
  EXPECT_EQ(List(product, {variables, mesh}).labels, expected);
  product.cuts = {{0, 'c'}};
  std::vector<int64_t> second = {1};
  EXPECT_EQ(List(product, {variables, mesh, &second}).labels, std::vector<Label>(expected.begin() + 5, expected.end()));
  EXPECT_EQ(ToText(product, mesh), "(h (r + 1))@tp~ceil");
}

}  // namespace
}  // namespace aoa::property
