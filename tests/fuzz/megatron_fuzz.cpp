// Files of a Megatron rank from nowhere, as the model and as the buffers of the distributed optimizer. Whatever the
// input: no crash, and every tensor of the schema lies in the file.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "runtime/formats/composite.h"
#include "runtime/formats/megatron_rank.h"
#include "runtime/formats/megatron_states.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/memory_file.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

// A folder of a rank whose files are links to an input.
class RankFolder {
 public:
  RankFolder() {
    std::string pattern = (fs::temp_directory_path() / "aoac-fuzz-XXXXXX").native();
    if (mkdtemp(pattern.data()) == nullptr) std::exit(2);
    root_ = pattern;
  }
  RankFolder(const RankFolder&) = delete;
  ~RankFolder() { fs::remove_all(root_); }

  const fs::path& root() const { return root_; }
  void Link(std::string_view name, const std::string& target) const { fs::create_symlink(target, root_ / name); }

 private:
  fs::path root_;
};

void TestRank(const RankFolder& folder) {
  auto rank = ReadMegatronRank(folder.root().native(), "");
  if (!rank.ok()) {
    fuzz::CheckRefusal(rank.status(), 8000);
    return;
  }
  Schema schema;
  CompositeSchema composite(schema);
  composite.Begin("input", 0);
  if (!AddMegatronTensors(*rank, composite, schema.notes).ok()) return;
  composite.End();
  for (const Stretch& stretch : *schema.files[0].stretches) {
    const Store& store = schema.stores[stretch.store];
    REQUIRE(stretch.offset <= store.size && stretch.bytes <= store.size - stretch.offset);
  }
}

}  // namespace
}  // namespace aoa::formats

void aoa::fuzz::Test(std::string_view input) {
  MemoryFile file(input);
  formats::RankFolder folder;
  folder.Link(formats::kMegatronFile, file.path());
  formats::TestRank(folder);
  folder.Link(formats::kMegatronBuffers, file.path());
  formats::TestRank(folder);
}

const std::vector<std::string>& aoa::fuzz::Words() {
  using namespace std::string_literals;
  static const std::vector<std::string> words = {"model"s,
                                                 "model0"s,
                                                 "model1"s,
                                                 "args"s,
                                                 "optimizer"s,
                                                 "param_groups"s,
                                                 "params"s,
                                                 "state"s,
                                                 "step"s,
                                                 "exp_avg"s,
                                                 "exp_avg_sq"s,
                                                 "fp32_from_fp16_params"s,
                                                 "wd_mult"s,
                                                 "buckets_coalesced"s,
                                                 "numel_unpadded"s,
                                                 "param"s,
                                                 "checkpoint_version"s,
                                                 "query_key_value"s,
                                                 "layers.9."s,
                                                 "tensor_model_parallel_size"s,
                                                 "K\x00"s,
                                                 "K\x01"s,
                                                 "K\x02"s,
                                                 "J\xFF\xFF\xFF\x7F"s,
                                                 "N"s,
                                                 "}"s,
                                                 ")"s,
                                                 "\x88"s};
  return words;
}
