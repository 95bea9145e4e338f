#include "runtime/formats/dcp_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "compiler/core/text.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/schema_merge.h"
#include "runtime/formats/torch_dtype.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

struct ChunkOf {
  const DcpTensor* tensor = nullptr;
  const DcpChunk* chunk = nullptr;
  std::string name;
  TorchTensor stored;
};

// Every chunk has bytes of its own. (Two names of a parameter may be one, but not so many that reading takes long.)
Status CheckShared(const std::string& path, const std::vector<ChunkOf>& chunks) {
  constexpr int kMostOften = 4;
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  __int128 announced = 0;
  for (const ChunkOf& chunk : chunks) announced += chunk.chunk->item.length;
  if (error || chunks.size() <= kMostOften || announced <= __int128{size} * kMostOften) return Status();
  return Status::Invalid(
      fmt::format("{}: its {} bytes would be those of {} chunks, over and over", Printable(path), size, chunks.size()));
}

// Looks into the object that a chunk is.
Status ReadChunk(const std::string& path, ChunkOf& chunk, uint64_t& size) {
  const DcpItem& item = chunk.chunk->item;
  auto fail = [&](Status status) {
    return std::move(status).WithContext(
        fmt::format("the chunk at {} of {}", ToString(chunk.chunk->at), Quote(chunk.tensor->name)));
  };
  std::error_code error;
  size = fs::file_size(path, error);
  if (error) return fail(Status::Invalid(fmt::format("{} is not there", Printable(path))));
  if (item.offset > size || item.length > size - item.offset)
    return fail(Status::Invalid(fmt::format("it would be the {} bytes from byte {} on of {}, which has {}", item.length,
                                            item.offset, Printable(path), size)));
  auto file = TorchFile::OpenPart(path, item.offset, item.offset + item.length);
  if (!file.ok()) return fail(std::move(file).status());
  auto tensor = file->TensorOf(file->root(), chunk.tensor->name);
  if (!tensor.ok()) return fail(std::move(tensor).status().WithContext(Printable(path)));
  if (!*tensor)
    return fail(Status::Invalid(fmt::format("{}: byte {}: this is no tensor", Printable(path), item.offset)));
  chunk.stored = **std::move(tensor);
  if (chunk.stored.shape != chunk.chunk->shape || chunk.stored.dtype != chunk.tensor->dtype)
    return fail(Status::Invalid(fmt::format("{}: byte {}: it is {} {}, the metadata say {} {}", Printable(path),
                                            item.offset, Name(chunk.stored.dtype), ToString(chunk.stored.shape),
                                            Name(chunk.tensor->dtype), ToString(chunk.chunk->shape))));
  return Status();
}

}  // namespace

Status ReadDcpFiles(const std::string& folder, const DcpMetadata& metadata, int threads, const DcpName& keep,
                    Schema& schema) {
  std::map<std::string, std::vector<ChunkOf>> files;
  for (const DcpTensor& tensor : metadata.tensors) {
    std::string name = keep(tensor);
    if (name.empty()) continue;
    for (const DcpChunk& chunk : tensor.chunks) files[chunk.item.file].push_back({&tensor, &chunk, name, {}});
  }
  SchemaMerger merger(schema);
  for (auto& [name, chunks] : files) {
    const std::string path = (fs::path(folder) / name).native();
    AOA_RETURN_IF_ERROR(CheckShared(path, chunks));
    std::vector<std::optional<Status>> read(chunks.size());
    std::vector<uint64_t> sizes(chunks.size());
    ParallelFor(chunks.size(), threads, [&](size_t i) { read[i] = ReadChunk(path, chunks[i], sizes[i]); });
    SchemaTable table;
    for (size_t i = 0; i < chunks.size(); ++i) {
      AOA_RETURN_IF_ERROR(std::move(*read[i]));
      const ChunkOf& chunk = chunks[i];
      StoredTensor stored;
      stored.name = schema.names.Intern(chunk.name);
      stored.shape = merger.InternShape(chunk.stored.shape);
      stored.dtype = chunk.stored.dtype;
      stored.begin = chunk.stored.offset;
      stored.bytes = chunk.stored.bytes;
      if (!chunk.stored.row_major) stored.strides = merger.InternShape(chunk.stored.strides);
      stored.whole = merger.InternShape(chunk.tensor->shape);
      stored.at = merger.InternShape(chunk.chunk->at);
      table.push_back(stored);
    }
    std::stable_sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
    schema.files.push_back({path, sizes.front(), 0, merger.Add(std::move(table)), 0, nullptr});
  }
  return Status();
}

RowRange RowsOf(const Shape& shape, int64_t rank, int64_t ranks) {
  if (shape.empty()) return rank == 0 ? RowRange{0, 1} : RowRange{};
  const int64_t rows = (shape[0] + ranks - 1) / ranks, first = std::min(shape[0], rows * rank);
  return {first, std::min(shape[0], first + rows) - first};
}

namespace {

// One rank's file while it is laid out.
class RankFile {
 public:
  RankFile(std::string path, int64_t rank, int64_t ranks) : path_(std::move(path)), rank_(rank), ranks_(ranks) {}

  // Adds the rank's rows of a tensor. Nothing if it has none.
  Result<std::optional<DcpChunk>> Add(const TargetTensor& tensor, uint32_t number) {
    RowRange rows = RowsOf(tensor.shape, rank_, ranks_);
    if (rows.count == 0 && !(rank_ == 0 && ElementCount(tensor.shape) == 0)) return std::nullopt;
    DcpChunk chunk;
    chunk.shape = tensor.shape;
    chunk.at.assign(tensor.shape.size(), 0);
    int64_t row = 1;
    if (!tensor.shape.empty()) {
      chunk.at[0] = rows.first;
      chunk.shape[0] = rows.count;
      for (size_t i = 1; i < tensor.shape.size(); ++i) row *= tensor.shape[i];
    }
    pickle::Tree tree;
    TorchStorages storages(TorchFile::Container::kZip, tree);
    const pickle::Value* value = storages.Tensor(tensor.dtype, chunk.shape);
    AOA_ASSIGN_OR_RETURN(TorchLayout layout, LayOutTorch("archive", *value, storages));
    chunk.item = {path_.substr(path_.rfind('/') + 1), size_, layout.size};
    for (Insert& insert : layout.inserts) {
      insert.offset += size_;
      inserts_.push_back(std::move(insert));
    }
    for (Checksum& checksum : layout.checksums) {
      checksum.begin += size_;
      for (uint64_t& place : checksum.places) place += size_;
      checksums_.push_back(std::move(checksum));
    }
    const uint64_t place = size_ + layout.storages[0];
    if (tensor.scalar)
      placed_.push_back({number, place});
    else
      placed_.push_back({number, place, rows.first * row, rows.count * row});
    size_ += layout.size;
    return chunk;
  }

  TargetFile Finish(uint32_t table) && {
    TargetFile file;
    file.path = path_;
    file.rank = rank_;
    file.table = table;
    file.size = size_;
    file.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(placed_));
    file.inserts = std::make_shared<const std::vector<Insert>>(std::move(inserts_));
    file.checksums = std::make_shared<const std::vector<Checksum>>(std::move(checksums_));
    return file;
  }

 private:
  std::string path_;
  int64_t rank_, ranks_;
  uint64_t size_ = 0;
  std::vector<PlacedTensor> placed_;
  std::vector<Insert> inserts_;
  std::vector<Checksum> checksums_;
};

}  // namespace

Result<TargetLayout> LayOutDcpFiles(const TargetContent& content, const std::string& folder, const DcpRename& rename) {
  const int64_t ranks = content.has_mesh ? content.axes.ranks() : 1;
  TargetLayout layout;
  DcpMetadata metadata;
  const auto& table = content.tables[content.ranks.front().second];
  for (const TargetTensor& tensor : table) {
    if (TorchDTypeName(tensor.dtype).empty())
      return Status::Invalid(fmt::format("tensor {}: torch has no type {}", Quote(tensor.name), Name(tensor.dtype)));
    metadata.tensors.push_back({rename(tensor), tensor.dtype, tensor.shape, {}});
  }
  size_t next = 0;
  for (int64_t rank = 0; rank < ranks; ++rank) {  // of ranks that are not written the metadata speak as well
    RankFile file(fmt::format("{}__{}_0.distcp", folder, rank), rank, ranks);
    for (uint32_t i = 0; i < table.size(); ++i) {
      AOA_ASSIGN_OR_RETURN(auto chunk, file.Add(table[i], i));
      if (chunk) metadata.tensors[i].chunks.push_back(*std::move(chunk));
    }
    while (next < content.ranks.size() && content.ranks[next].first < rank) ++next;
    if (next < content.ranks.size() && content.ranks[next].first == rank)
      layout.files.push_back(std::move(file).Finish(content.ranks[next].second));
  }
  AOA_ASSIGN_OR_RETURN(std::string text, DcpMetadataText(metadata));
  layout.extras.push_back({folder + std::string(kDcpMetadata), std::move(text)});
  return layout;
}

}  // namespace aoa::formats
