// The file formats. A format knows files: how to find them below a path, what their headers say, how to lay them out.
// It knows no rules and no model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/schema.h"
#include "compiler/core/sharding.h"
#include "compiler/core/status.h"

namespace aoa::formats {

struct ReadOptions {
  int threads = 1;                               // headers of many files are read side by side
  std::shared_ptr<const Shardings> layout = {};  // how the tensors are cut, where the user has said it; or null
};

struct WriteOptions {
  uint64_t max_shard_size = 5'000'000'000;  // bytes of tensors per file, where a format splits by size
  std::string variant = {};                 // one of the format's variants; empty: its first
  std::string prefix = {};                  // of file names, where a format has one; empty: its own
  std::string config = {};                  // the target's configuration as its side spells it, as JSON; or empty
  std::optional<int64_t> iteration = {};    // steps of training that the source has done, if it says so
  std::shared_ptr<const Preserved> preserved = {};  // what the reader of the same format kept of the source; or null
  // The whole number that the target's side gives a name, if it gives it one: settings of a format that rules declare.
  std::function<std::optional<int64_t>(const std::string&)> number = {};  // or empty
};

class Format {
 public:
  virtual ~Format() = default;
  virtual std::string_view name() const = 0;
  virtual std::vector<std::string_view> variants() const = 0;

  // Whether `path` looks like a checkpoint of this format (existence of files, first bytes). Cheap.
  virtual bool Recognizes(const std::string& path) const = 0;

  // Reads all headers below `path` (a file or a folder) and checks them strictly. No tensor byte is read. Every error
  // names the file, the place in it and the reason; names of tensors in messages are printable.
  virtual Result<Schema> Read(const std::string& path, const ReadOptions& options) const = 0;

  // Lays out a target. Deterministic in its arguments.
  virtual Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const = 0;

  // Whether files beside a checkpoint say how its tensors are cut (--layout-from, --layout-to).
  virtual bool HasLayouts() const { return false; }
  // Reads such a file, or a folder of them.
  virtual Result<std::shared_ptr<const Shardings>> ReadLayout(const std::string& path) const {
    return Status::Invalid(path + ": the format `" + std::string(name()) + "` has no layout files");
  }

  // The text of one file that says it all; the file's name decides its form.
  virtual Result<std::string> WriteLayout(const Shardings&, const std::string& path) const {
    return Status::Invalid(path + ": the format `" + std::string(name()) + "` has no layout files");
  }

  // What LayOut wants TargetContent::shardings to say.
  virtual WantedCuts WantsCuts() const { return HasLayouts() ? WantedCuts::kRuns : WantedCuts::kNone; }

  // Whether LayOut puts WriteOptions::config into the format's own files. If not, it is written as config.json.
  virtual bool StoresConfiguration() const { return false; }

  // Files beside the tensors that belong to the model and travel with it (configuration, tokenizer): names below
  // `path`.
  virtual std::vector<std::string> Companions(const std::string& path) const = 0;
};

// The format with this name, or null.
const Format* FindFormat(std::string_view name);
// All formats, in the order of documentation.
const std::vector<const Format*>& AllFormats();
// The first format that recognizes `path`, or null.
const Format* RecognizeFormat(const std::string& path);

}  // namespace aoa::formats
