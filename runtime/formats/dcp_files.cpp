#include "runtime/formats/dcp_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/dcp_target.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/schema_merge.h"
#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

// Looks into the object that a chunk is.
Result<DcpStoredChunk> ReadChunk(const std::string& folder, const DcpTensor& tensor, const DcpChunk& chunk) {
  const DcpItem& item = chunk.item;
  DcpStoredChunk out;
  out.path = (fs::path(folder) / item.file).native();
  auto fail = [&](Status status) {
    return std::move(status).WithContext(fmt::format("the chunk at {} of {}", ToString(chunk.at), Quote(tensor.name)));
  };
  if (Status status = CheckDcpItem(out.path, item, out.size); !status.ok()) return fail(std::move(status));
  auto file = TorchFile::OpenPart(out.path, item.offset, item.offset + item.length);
  if (!file.ok()) return fail(std::move(file).status());
  auto stored = file->TensorOf(file->root(), tensor.name);
  if (!stored.ok()) return fail(std::move(stored).status().WithContext(Printable(out.path)));
  if (!*stored)
    return fail(Status::Invalid(fmt::format("{}: byte {}: this is no tensor", Printable(out.path), item.offset)));
  out.stored = **std::move(stored);
  if (out.stored.shape != chunk.shape || out.stored.dtype != tensor.dtype)
    return fail(Status::Invalid(fmt::format("{}: byte {}: it is {} {}, the metadata say {} {}", Printable(out.path),
                                            item.offset, Name(out.stored.dtype), ToString(out.stored.shape),
                                            Name(tensor.dtype), ToString(chunk.shape))));
  return out;
}

struct ChunkOf {
  const DcpTensor* tensor = nullptr;
  const DcpChunk* chunk = nullptr;
  std::string name;
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

Result<std::vector<DcpStoredChunk>> ReadChunks(const std::string& folder, const std::vector<ChunkOf>& chunks,
                                               int threads) {
  std::vector<std::optional<Result<DcpStoredChunk>>> read(chunks.size());
  ParallelFor(chunks.size(), threads,
              [&](size_t i) { read[i] = ReadChunk(folder, *chunks[i].tensor, *chunks[i].chunk); });
  std::vector<DcpStoredChunk> out;
  for (auto& chunk : read) {
    if (!chunk->ok()) return std::move(*chunk).status();
    out.push_back(*std::move(*chunk));
  }
  return out;
}

}  // namespace

Status CheckDcpItem(const std::string& path, const DcpItem& item, uint64_t& size) {
  std::error_code error;
  size = fs::file_size(path, error);
  if (error) return Status::Invalid(fmt::format("{} is not there", Printable(path)));
  if (item.offset <= size && item.length <= size - item.offset) return Status();
  return Status::Invalid(fmt::format("it would be the {} bytes from byte {} on of {}, which has {}", item.length,
                                     item.offset, Printable(path), size));
}

Result<std::vector<DcpStoredChunk>> LocateDcpChunks(const std::string& folder, const DcpTensor& tensor, int threads) {
  std::vector<ChunkOf> chunks;
  for (const DcpChunk& chunk : tensor.chunks) chunks.push_back({&tensor, &chunk, {}});
  return ReadChunks(folder, chunks, threads);
}

Result<TorchFile> OpenDcpObject(const std::string& folder, const DcpItem& item) {
  const std::string path = (fs::path(folder) / item.file).native();
  uint64_t size = 0;
  AOA_RETURN_IF_ERROR(CheckDcpItem(path, item, size));
  return TorchFile::OpenPart(path, item.offset, item.offset + item.length);
}

Status ReadDcpFiles(const std::string& folder, const DcpMetadata& metadata, int threads, const DcpName& keep,
                    Schema& schema) {
  std::map<std::string, std::vector<ChunkOf>> files;
  for (const DcpTensor& tensor : metadata.tensors) {
    std::string name = keep(tensor);
    if (name.empty()) continue;
    for (const DcpChunk& chunk : tensor.chunks) files[chunk.item.file].push_back({&tensor, &chunk, name});
  }
  SchemaMerger merger(schema);
  for (auto& [name, chunks] : files) {
    AOA_RETURN_IF_ERROR(CheckShared((fs::path(folder) / name).native(), chunks));
    AOA_ASSIGN_OR_RETURN(std::vector<DcpStoredChunk> read, ReadChunks(folder, chunks, threads));
    SchemaTable table;
    for (size_t i = 0; i < chunks.size(); ++i) {
      const TorchTensor& tensor = read[i].stored;
      StoredTensor stored;
      stored.name = schema.names.Intern(chunks[i].name);
      stored.shape = merger.InternShape(tensor.shape);
      stored.dtype = tensor.dtype;
      stored.begin = tensor.offset;
      stored.bytes = tensor.bytes;
      if (!tensor.row_major) stored.strides = merger.InternShape(tensor.strides);
      stored.whole = merger.InternShape(chunks[i].tensor->shape);
      stored.at = merger.InternShape(chunks[i].chunk->at);
      table.push_back(stored);
    }
    std::stable_sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
    schema.files.push_back({read[0].path, read[0].size, 0, merger.Add(std::move(table)), 0, false, nullptr});
  }
  return Status();
}

RowRange RowsOf(const Shape& shape, int64_t rank, int64_t ranks) {
  if (shape.empty()) return rank == 0 ? RowRange{0, 1} : RowRange{};
  const int64_t rows = (shape[0] + ranks - 1) / ranks, first = std::min(shape[0], rows * rank);
  return {first, std::min(shape[0], first + rows) - first};
}

namespace {

// Adds a rank's rows of a tensor to its file. Nothing if it has none.
Result<std::optional<DcpChunk>> AddRows(const TargetTensor& tensor, uint32_t number, int64_t rank, int64_t ranks,
                                        DcpTargetFile& file) {
  const RowRange rows = RowsOf(tensor.shape, rank, ranks);
  if (rows.count == 0 && !(rank == 0 && ElementCount(tensor.shape) == 0)) return std::nullopt;
  DcpChunk chunk;
  chunk.shape = tensor.shape;
  chunk.at.assign(tensor.shape.size(), 0);
  int64_t row = 1;
  if (!tensor.shape.empty()) {
    chunk.at[0] = rows.first;
    chunk.shape[0] = rows.count;
    for (size_t i = 1; i < tensor.shape.size(); ++i) row *= tensor.shape[i];
  }
  if (tensor.scalar) {
    AOA_ASSIGN_OR_RETURN(chunk.item, file.AddScalar(tensor.dtype, chunk.shape, number));
  } else {
    const DcpRun run{number, rows.first * row, rows.count * row, 0};
    AOA_ASSIGN_OR_RETURN(chunk.item, file.AddChunk(tensor.dtype, chunk.shape, std::span(&run, 1)));
  }
  return chunk;
}

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
    DcpTargetFile file(fmt::format("{}__{}_0.distcp", folder, rank), rank);
    for (uint32_t i = 0; i < table.size(); ++i) {
      AOA_ASSIGN_OR_RETURN(auto chunk, AddRows(table[i], i, rank, ranks, file));
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
