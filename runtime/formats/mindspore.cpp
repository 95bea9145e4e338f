#include "runtime/formats/mindspore.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>

#include "compiler/core/text.h"
#include "runtime/formats/companions.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/mindspore_absent.h"
#include "runtime/formats/mindspore_ckpt.h"
#include "runtime/formats/mindspore_files.h"
#include "runtime/formats/mindspore_run.h"
#include "runtime/formats/mindspore_strategy.h"
#include "runtime/formats/mindspore_writer.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_checkpoint.h"
#include "runtime/formats/safetensors_reader.h"
#include "runtime/formats/schema_merge.h"
#include "runtime/formats/shard_index.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

// Where the writer puts the strategy of a target that has one of its own.
constexpr const char* kStrategyFolder = "strategy";
// Texts of more bytes are not kept.
constexpr uint64_t kLongestText = 1 << 20;

// Numbers of the run are what has one element and no place in the layout.
bool IsOfRun(std::string_view name, const Shape& shape, const Shardings* layout) {
  return shape.size() <= 1 && ElementCount(shape) == 1 && (!layout || layout->Find(name) == Shardings::kNone);
}

std::string RunNote(const MindSporeRun& run) {
  std::string names;
  for (const CkptText& value : run.values) names += (names.empty() ? "" : ", ") + Printable(value.name);
  return "beside the model there are " + names;
}

Result<std::string> ReadBytes(const io::File& file, uint64_t offset, uint64_t bytes) {
  std::string out(static_cast<size_t>(bytes), '\0');
  AOA_RETURN_IF_ERROR(file.ReadAt(offset, std::as_writable_bytes(std::span(out))));
  return out;
}

// ---------------------------------------------------------------- .ckpt

// The values of the run that a file holds.
Status KeepRun(const std::string& path, const CkptFile& file, const Shardings* layout, MindSporeRun& run,
               std::vector<std::string>& notes) {
  AOA_ASSIGN_OR_RETURN(io::File opened, io::File::OpenForReading(path));
  for (const CkptEntry& entry : file.entries) {
    if (entry.dtype && !IsOfRun(entry.name, entry.dims, layout)) continue;
    if (entry.parts.size() > 1 || entry.bytes > kLongestText) {
      notes.push_back(
          fmt::format("{}: {} of {} bytes is left behind", Printable(path), Quote(entry.name), entry.bytes));
      continue;
    }
    AOA_ASSIGN_OR_RETURN(std::string content, ReadBytes(opened, entry.parts[0].offset, entry.bytes));
    run.values.push_back({entry.name, entry.type, entry.dims, std::move(content)});
  }
  return Status();
}

uint32_t AddTable(const CkptFile& file, const Shardings* layout, SchemaMerger& merger, Schema& schema) {
  SchemaTable table;
  for (const CkptEntry& entry : file.entries) {
    if (!entry.dtype || IsOfRun(entry.name, entry.dims, layout)) continue;
    StoredTensor& stored = table.emplace_back();
    stored.name = schema.names.Intern(entry.name);
    stored.shape = merger.InternShape(entry.dims);
    stored.dtype = *entry.dtype;
    stored.begin = entry.parts[0].offset;
    stored.bytes = entry.bytes;
  }
  return merger.Add(std::move(table));
}

// A file with tensors in several parts, as one whose parts lie together.
Status AddComposite(const MindSporeFiles::File& found, const CkptFile& file, const Shardings* layout,
                    CompositeSchema& composite) {
  const uint32_t store = composite.StoreOf(found.path, file.size);
  composite.Begin(found.path, found.rank);
  for (const CkptEntry& entry : file.entries) {
    if (!entry.dtype || IsOfRun(entry.name, entry.dims, layout)) continue;
    std::vector<StoredPart> parts;
    for (const CkptPart& part : entry.parts) parts.push_back({store, part.offset, part.bytes});
    AOA_RETURN_IF_ERROR(composite.Add(entry.name, *entry.dtype, entry.dims, parts));
  }
  composite.End();
  return Status();
}

Status ReadCkpts(const MindSporeFiles& found, const ReadOptions& options, MindSporeRun& run, Schema& schema) {
  std::vector<std::optional<Result<CkptFile>>> files(found.files.size());
  ParallelFor(files.size(), options.threads, [&](size_t i) { files[i] = ScanCkpt(found.files[i].path); });
  bool split = false;
  for (const auto& file : files) {
    if (!file->ok()) return file->status();
    for (const CkptEntry& entry : (*file)->entries) split |= entry.parts.size() > 1;
  }
  SchemaMerger merger(schema);
  CompositeSchema composite(schema);
  for (size_t i = 0; i < files.size(); ++i) {
    const CkptFile& file = **files[i];
    if (i == 0) AOA_RETURN_IF_ERROR(KeepRun(found.files[i].path, file, options.layout.get(), run, schema.notes));
    if (split) {
      AOA_RETURN_IF_ERROR(AddComposite(found.files[i], file, options.layout.get(), composite));
      continue;
    }
    const uint32_t table = AddTable(file, options.layout.get(), merger, schema);
    schema.files.push_back({found.files[i].path, file.size, 0, table, found.files[i].rank, false, nullptr});
  }
  return Status();
}

// ---------------------------------------------------------------- safetensors

// Takes the values of the run out of a file's tensors.
Status TakeRun(SchemaFile& file, const Shardings* layout, MindSporeRun* run, SchemaMerger& merger, Schema& schema) {
  SchemaTable left;
  std::optional<io::File> opened;
  for (const StoredTensor& stored : schema.tables[file.table]) {
    const std::string& name = schema.names[stored.name];
    if (!IsOfRun(name, schema.shapes[stored.shape], layout)) {
      left.push_back(stored);
      continue;
    }
    if (!run) continue;
    if (!opened) {
      AOA_ASSIGN_OR_RETURN(opened, io::File::OpenForReading(file.path));
    }
    AOA_ASSIGN_OR_RETURN(std::string content, ReadBytes(*opened, file.data_start + stored.begin, stored.bytes));
    const std::string_view type = CkptTypeName(stored.dtype);
    if (!type.empty())
      run->values.push_back({name, std::string(type), schema.shapes[stored.shape], std::move(content)});
  }
  file.table = merger.Add(std::move(left));
  return Status();
}

Status ReadSafetensors(const MindSporeFiles& found, const std::string& path, const ReadOptions& options,
                       MindSporeRun& run, Schema& schema) {
  std::vector<std::string> paths;
  for (const auto& file : found.files) paths.push_back(file.path);
  AOA_ASSIGN_OR_RETURN(auto metadata, ReadHeaders(paths, options.threads, schema));
  if (found.kind == MindSporeKind::kUnified) {
    const std::string map = (fs::path(path) / kParamNameMap).native(), hyper = (fs::path(path) / kHyperParam).native();
    AOA_ASSIGN_OR_RETURN(std::string text, io::ReadSmallFile(map, kMaxHeaderBytes));
    AOA_ASSIGN_OR_RETURN(ShardIndex index, ParseIndex(text));
    AOA_RETURN_IF_ERROR(CheckShards(index, schema).WithContext(Printable(map)));
    std::error_code error;
    const bool listed = std::find(paths.begin(), paths.end(), hyper) != paths.end();
    if (!listed && fs::exists(hyper, error)) AOA_RETURN_IF_ERROR(ReadHeaders({hyper}, 1, schema).status());
  }
  for (const Metadata& one : metadata) {
    const std::string* removed = FindMetadata(one, "remove_redundancy");
    schema.replicas_may_lack |= removed && *removed == "True";
  }
  SchemaMerger merger(schema);
  for (size_t i = 0; i < schema.files.size(); ++i) {
    if (i < found.files.size()) schema.files[i].rank = found.files[i].rank;
    const bool keep = i == 0 || found.kind == MindSporeKind::kUnified;
    AOA_RETURN_IF_ERROR(TakeRun(schema.files[i], options.layout.get(), keep ? &run : nullptr, merger, schema));
  }
  return Status();
}

// Whether what looks like two axes may be one that is cut twice, as JSON writes it: the first is cut to single indices,
// and the next is cut too.
bool MayBeNested(const Sharding& sharding) {
  for (size_t i = 0; i + 1 < sharding.seen_as.size(); ++i) {
    int64_t parts = 1;
    for (size_t by : sharding.cuts[i]) parts *= sharding.mesh[by];
    if (parts > 1 && parts == sharding.seen_as[i] && !sharding.cuts[i + 1].empty()) return true;
  }
  return false;
}

std::string FolderOf(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error) ? path : fs::path(path).parent_path().native();
}

}  // namespace

bool MindSporeFormat::Recognizes(const std::string& path) const { return LooksLikeMindSpore(path); }

Result<Schema> MindSporeFormat::Read(const std::string& path, const ReadOptions& asked) const {
  ReadOptions options = asked;
  const std::string beside = (fs::path(path) / kStrategyFolder).native();
  std::error_code error;
  if (!options.layout && fs::is_directory(beside, error)) {  // of a target that was cut by the types of its side
    AOA_ASSIGN_OR_RETURN(options.layout, ReadStrategies(beside));
  }
  AOA_ASSIGN_OR_RETURN(MindSporeFiles found, FindMindSporeFiles(path, options.layout.get(), options.partial));
  Schema schema;
  schema.path = path;
  schema.format = name();
  schema.variant = variants()[static_cast<size_t>(found.kind)];
  schema.notes = std::move(found.notes);
  auto run = std::make_shared<MindSporeRun>();
  if (found.kind == MindSporeKind::kCkpt)
    AOA_RETURN_IF_ERROR(ReadCkpts(found, options, *run, schema));
  else
    AOA_RETURN_IF_ERROR(ReadSafetensors(found, path, options, *run, schema));
  if (options.layout) {
    AddAbsentRanks(path, found.absent, *options.layout, schema);
    schema.shardings = options.layout;
    schema.has_mesh = true;
    schema.mesh = options.layout->mesh;
  }
  if (!run->values.empty()) {
    schema.notes.push_back(RunNote(*run));
    schema.preserved = std::move(run);
  }
  AOA_ASSIGN_OR_RETURN(schema.config, ReadConfig(FolderOf(path)));
  return schema;
}

Result<std::shared_ptr<const Shardings>> MindSporeFormat::ReadLayout(const std::string& path) const {
  return ReadStrategies(path);
}

Result<std::string> MindSporeFormat::WriteLayout(const Shardings& layout, const std::string& path) const {
  const bool json = path.ends_with(".json");
  for (const auto& [tensor, by_stage] : layout.tensors()) {
    for (uint32_t index : by_stage) {
      if (json || index == Shardings::kNone || !MayBeNested(layout.sharding(index))) continue;
      return Status::Invalid(
          fmt::format("{}: JSON does not say whether {} has as many axes as {}, so it cannot become "
                      "protobuf",
                      Printable(layout.path), Quote(tensor), ToString(layout.sharding(index).seen_as)));
    }
  }
  return WriteStrategy(StrategyOf(layout), json ? StrategyForm::kJson : StrategyForm::kProtobuf);
}

Result<TargetLayout> MindSporeFormat::LayOut(const TargetContent& content, const WriteOptions& options) const {
  return LayOutMindSpore(content, options);
}

std::vector<std::string> MindSporeFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
