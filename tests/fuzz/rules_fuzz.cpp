// Whatever the rules and the headers: every phase up to the plan ends, soon and in little memory, with diagnostics or
// with something that obeys the phases' laws.
//
// An input is a rule file whose first lines say what it meets:
//
//   #run a b                     the sides
//   #mesh tp=2,pp=2              of the source; without it there is one file
//   #to tp=4                     --mesh-to
//   #define n=3                  -D
//   #config {"n": 3}
//   #states
//   #tensor 0 w.q f32 3 4        rank, name, element type, extents
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "compiler/bind/check_sides.h"
#include "compiler/diag/render.h"
#include "compiler/driver/pipeline.h"
#include "compiler/index/index_program.h"
#include "compiler/plan/build_plan.h"
#include "compiler/prove/prove.h"
#include "tests/fuzz/harness.h"

namespace aoa {
namespace {

constexpr uint64_t kMostMemory = uint64_t{2} << 30;

// The lines before the rules.
struct Meeting {
  std::string from = "a", to = "b";
  bind::MeshSizes mesh_to;
  std::vector<bind::Definition> definitions;
  std::optional<nlohmann::json> config;
  bool states = false;
  Schema schema;
};

class Reader {
 public:
  Meeting Read(const std::string& text) {
    std::istringstream lines(text);
    meeting_.schema.path = "src";
    meeting_.schema.format = "safetensors";
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with('#')) Directive(line);
    }
    Finish();
    return std::move(meeting_);
  }

 private:
  void Directive(const std::string& line) {
    std::istringstream words(line);
    std::string word, value;
    words >> word;
    if (word == "#run") words >> meeting_.from >> meeting_.to;
    if (word == "#states") meeting_.states = true;
    if (word == "#config") {
      nlohmann::json config = nlohmann::json::parse(line.substr(7), nullptr, false);
      if (config.is_object()) meeting_.config = std::move(config);
    }
    diag::Diagnostics ignored;
    if (word == "#to" && words >> value) {
      if (auto sizes = driver::ParseMeshSizes("--mesh-to", value, ignored)) meeting_.mesh_to = *sizes;
    }
    if (word == "#mesh" && words >> value) {
      auto sizes = driver::ParseMeshSizes("mesh", value, ignored);
      meeting_.schema.has_mesh = sizes.has_value();
      for (size_t i = 0; sizes && i < sizes->entries.size(); ++i) {
        meeting_.schema.mesh.emplace_back(sizes->entries[i].axis, sizes->entries[i].size);
      }
    }
    if (word == "#define" && words >> value) Define(value);
    if (word == "#tensor") AddTensor(words);
  }

  void Define(const std::string& text) {
    size_t equal = text.find('=');
    if (equal == text.npos) return;
    bind::Definition definition;
    definition.name = text.substr(0, equal);
    definition.value = std::strtoll(text.c_str() + equal + 1, nullptr, 10);
    meeting_.definitions.push_back(std::move(definition));
  }

  void AddTensor(std::istringstream& words) {
    int64_t rank = 0;
    std::string name, dtype;
    if (!(words >> rank >> name >> dtype) || rank < 0 || rank > 64) return;
    auto type = DTypeNamed(dtype);
    if (!type) return;
    Schema& schema = meeting_.schema;
    Shape shape;
    int64_t count = 1;
    for (int64_t extent; words >> extent && shape.size() < 8;) {
      if (extent < 0 || extent > 1'000'000 || count > 1'000'000'000) return;
      shape.push_back(extent);
      count *= extent;
    }
    StoredTensor tensor;
    tensor.name = schema.names.Intern(name);
    for (const StoredTensor& other : files_[rank]) {
      if (other.name == tensor.name) return;
    }
    tensor.shape = static_cast<uint32_t>(schema.shapes.size());
    schema.shapes.push_back(shape);
    tensor.dtype = *type;
    tensor.begin = ends_[rank];
    tensor.bytes = static_cast<uint64_t>(count) * static_cast<uint64_t>(Width(*type));
    ends_[rank] += tensor.bytes;
    files_[rank].push_back(tensor);
  }

  // As a reader makes it: without a mesh one file, with one a file for each rank.
  void Finish() {
    Schema& schema = meeting_.schema;
    int64_t ranks = 1;
    for (const auto& [axis, size] : schema.mesh) ranks = std::min<int64_t>(ranks * size, 64);
    for (int64_t rank = 0; rank < ranks; ++rank) {
      SchemaFile file;
      file.path = "src/" + std::to_string(rank);
      file.data_start = 8;
      file.size = 8 + ends_[rank];
      file.rank = rank;
      file.table = static_cast<uint32_t>(schema.tables.size());
      schema.tables.push_back(files_[rank]);
      schema.files.push_back(std::move(file));
    }
  }

  Meeting meeting_;
  std::map<int64_t, SchemaTable> files_;
  std::map<int64_t, uint64_t> ends_;
};

void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

void Compile(const bind::Unit& unit, const Meeting& meeting, diag::Diagnostics& diagnostics) {
  bind::Request request;
  request.from = meeting.from;
  request.to = meeting.to;
  request.definitions = meeting.definitions;
  request.mesh_to = meeting.mesh_to;
  request.states = meeting.states;
  request.config = meeting.config ? &*meeting.config : nullptr;
  auto program = bind::Bind(unit, meeting.schema, request, diagnostics);
  if (!program) return;
  auto mapping = prove::Prove(*program, request, diagnostics);
  if (!mapping) return;
  auto index = index::Lower(*program, *mapping, request, diagnostics);
  if (!index) return;
  std::string broken = index::Verify(*program, *index);
  Require(broken.empty(), "index: " + broken);
  auto lay_out = [&](const TargetContent& content) -> std::optional<TargetLayout> {
    auto layout = formats::FindFormat("safetensors")->LayOut(content, {});
    if (!layout.ok()) return std::nullopt;
    return *std::move(layout);
  };
  auto plan = plan::BuildPlan(*program, *index, meeting.schema, lay_out, {}, {}, diagnostics);
  if (!plan) return;
  broken = plan::Verify(*plan);
  Require(broken.empty(), "plan: " + broken);
}

void CheckMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Require(static_cast<uint64_t>(usage.ru_maxrss) * 1024 < kMostMemory, "too much memory");
}

}  // namespace
}  // namespace aoa

void aoa::fuzz::Test(std::string_view input) {
  const std::string text(input);
  aoa::Meeting meeting = aoa::Reader().Read(text);
  aoa::SourceFiles files;
  aoa::diag::Diagnostics diagnostics;
  auto no_imports = [](const std::string&, const std::string&, std::string& error) -> const aoa::SourceFile* {
    error = "nothing is imported here";
    return nullptr;
  };
  aoa::bind::Unit unit = aoa::bind::ReadUnit(files.Add("fuzz.aoa", text), no_imports, diagnostics);
  aoa::bind::CheckSides(unit, {"safetensors"}, diagnostics);
  aoa::prove::CheckRules(unit, diagnostics);
  if (!diagnostics.HasErrors()) aoa::Compile(unit, meeting, diagnostics);
  std::string said = aoa::diag::Render(diagnostics, {});
  if (std::getenv("AOA_FUZZ_SHOW")) std::fprintf(stderr, "%s\n", said.c_str());
  aoa::CheckMemory();
}

const std::vector<std::string>& aoa::fuzz::Words() {
  static const std::vector<std::string> words = {"@tp",
                                                 "@pp~ceil",
                                                 "@tp.pp",
                                                 "pad(",
                                                 ", 2)",
                                                 " + ",
                                                 "(",
                                                 ")",
                                                 "1",
                                                 "2",
                                                 "3",
                                                 "7",
                                                 "0",
                                                 "64",
                                                 "1000000",
                                                 "99999999999",
                                                 "$l",
                                                 "${l+1}",
                                                 "${=n*2}",
                                                 "{a,b}",
                                                 "_",
                                                 "*",
                                                 " stored [",
                                                 " : f32",
                                                 " : bf16",
                                                 " : i8",
                                                 " optional",
                                                 " tied ",
                                                 " on first",
                                                 ", fill=last",
                                                 ", fill=3",
                                                 ", scale=2",
                                                 ", copy",
                                                 ", axis=0",
                                                 ", normalize=h",
                                                 ", cast=saturate",
                                                 "^T",
                                                 " <-> ",
                                                 " -> ",
                                                 " <- ",
                                                 "if tp > 1 {",
                                                 "}",
                                                 "for l in 0..",
                                                 "place l on pp",
                                                 " interleave 2",
                                                 " surplus last",
                                                 " by [1, 2]",
                                                 " numbered locally",
                                                 "mesh tp, pp\n",
                                                 "state m \"{}.m\" : f32\n",
                                                 "scalar step \"{}.s\"\n",
                                                 "zero tp by flat\n",
                                                 "zero tp by whole\n",
                                                 "config.n else 4",
                                                 "n = (a b)\n",
                                                 "axis n = (a + b)\n",
                                                 "k ?= 3\n",
                                                 "max(",
                                                 "ceil(",
                                                 " / ",
                                                 " * ",
                                                 " % ",
                                                 " replicas mean",
                                                 " blocks of w [2 2]",
                                                 "overlay wp on tp\n",
                                                 "side a {\n",
                                                 "map a <-> b {\n",
                                                 "dims {\n",
                                                 "remove w\n",
                                                 "tp=2",
                                                 "\n"};
  return words;
}
