#include "runtime/formats/safetensors_reader.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "compiler/core/text.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/schema_merge.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

constexpr size_t kChunk = 1 << 20;
// The metadata of a rank is short; what is longer than this is parsed with the rest.
constexpr size_t kFrontBytes = 1 << 16;

// A file whose length field has been found to fit it.
struct OpenHeader {
  io::File file;
  uint64_t file_size = 0;
  uint64_t header_size = 0;

  uint64_t data_start() const { return kHeaderLengthBytes + header_size; }
  uint64_t data_bytes() const { return file_size - data_start(); }
  Status Read(uint64_t text_offset, char* out, size_t size) const {
    return file.ReadAt(kHeaderLengthBytes + text_offset, std::as_writable_bytes(std::span(out, size)));
  }
};

Status CheckLength(uint64_t length, uint64_t file_size) {
  if (length > kMaxHeaderBytes) {
    return Status::Invalid(
        fmt::format("byte 0: a header of {} bytes is announced, {} are allowed", length, kMaxHeaderBytes));
  }
  if (length <= file_size - kHeaderLengthBytes) return {};
  return Status::Invalid(
      fmt::format("byte 0: a header of {} bytes is announced, and the file ends at byte {}", length, file_size));
}

Status CheckFirstBytes(std::string_view first, uint64_t file_size) {
  if (first.size() < kHeaderLengthBytes) {
    return Status::Invalid(fmt::format("the file ends at byte {}, inside of the header's length", file_size));
  }
  if (first == "version ") {
    return Status::Invalid("the file is a pointer of Git LFS; `git lfs pull` puts the tensors in its place");
  }
  return {};
}

Result<OpenHeader> Open(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(path));
  AOA_ASSIGN_OR_RETURN(uint64_t size, file.Size());
  std::array<char, kHeaderLengthBytes> first{};
  auto there = std::span(first).first(std::min<uint64_t>(size, first.size()));
  AOA_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(there)));
  AOA_RETURN_IF_ERROR(CheckFirstBytes({there.data(), there.size()}, size).WithContext(Printable(path)));
  static_assert(std::endian::native == std::endian::little);
  const auto length = std::bit_cast<uint64_t>(first);
  AOA_RETURN_IF_ERROR(CheckLength(length, size).WithContext(Printable(path)));
  return OpenHeader{std::move(file), size, length};
}

// What the first look at a file finds out.
struct Probe {
  uint64_t file_size = 0;
  uint64_t header_size = 0;
  std::optional<Metadata> metadata;  // if it was split off
  uint64_t rest_begin = 0;           // of the text behind it
  XXH128_hash_t rest_hash{};
};

struct HashStateDeleter {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

Result<XXH128_hash_t> HashText(const OpenHeader& header, uint64_t begin) {
  std::unique_ptr<XXH3_state_t, HashStateDeleter> state(XXH3_createState());
  XXH3_128bits_reset(state.get());
  std::vector<char> chunk(std::min<uint64_t>(kChunk, header.header_size - begin));
  for (uint64_t at = begin; at < header.header_size; at += chunk.size()) {
    chunk.resize(std::min<uint64_t>(chunk.size(), header.header_size - at));
    AOA_RETURN_IF_ERROR(header.Read(at, chunk.data(), chunk.size()));
    XXH3_128bits_update(state.get(), chunk.data(), chunk.size());
  }
  return XXH3_128bits_digest(state.get());
}

Result<Probe> LookAt(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(OpenHeader header, Open(path));
  Probe probe;
  probe.file_size = header.file_size;
  probe.header_size = header.header_size;
  std::string front(std::min<uint64_t>(kFrontBytes, header.header_size), '\0');
  AOA_RETURN_IF_ERROR(header.Read(0, front.data(), front.size()));
  if (HeaderSplit split = SplitHeader(front); split.metadata_end != 0) {
    std::string_view object =
        std::string_view(front).substr(split.metadata_begin, split.metadata_end - split.metadata_begin);
    auto metadata = HeaderParser().ParseMetadata(HeaderText(object));
    if (!metadata.ok()) return std::move(metadata).status().WithContext(Printable(path));
    probe.metadata = *std::move(metadata);
    probe.rest_begin = split.metadata_end;
  }
  AOA_ASSIGN_OR_RETURN(probe.rest_hash, HashText(header, probe.rest_begin));
  return probe;
}

// Files whose headers seem to hold the same tensors; the first one is parsed.
using Group = std::vector<size_t>;

std::vector<Group> GroupByText(const std::vector<Probe>& probes) {
  std::vector<Group> groups;
  std::map<std::array<uint64_t, 3>, size_t> known;
  for (size_t i = 0; i < probes.size(); ++i) {
    const Probe& probe = probes[i];
    std::array key = {probe.rest_hash.high64, probe.rest_hash.low64, probe.header_size - probe.rest_begin};
    auto [it, added] = known.try_emplace(key, groups.size());
    if (added) groups.emplace_back();
    groups[it->second].push_back(i);
  }
  return groups;
}

struct Reading {
  Header header;
  Group members;    // that share it
  Group different;  // equal hashes, other text
  Status status;
};

class HeaderFiles {
 public:
  HeaderFiles(const std::vector<std::string>& paths, int threads)
      : paths_(paths), threads_(threads), probes_(paths.size()) {}

  Status LookAtAll() {
    std::vector<Status> failures(paths_.size());
    ParallelFor(paths_.size(), threads_, [&](size_t i) {
      auto probe = LookAt(paths_[i]);
      if (probe.ok()) {
        probes_[i] = *std::move(probe);
      } else {
        failures[i] = std::move(probe).status();
      }
    });
    auto first = std::find_if(failures.begin(), failures.end(), [](const Status& status) { return !status.ok(); });
    return first == failures.end() ? Status() : *first;
  }

  // Reads as many groups at a time as there are threads, so that few headers are held at once.
  Status ReadInto(SchemaMerger& merger, std::vector<Metadata>& metadata, std::vector<SchemaFile>& files) {
    std::vector<Group> groups = GroupByText(probes_);
    std::vector<HeaderParser> parsers(std::min(groups.size(), static_cast<size_t>(threads_)));
    for (size_t first = 0; first < groups.size(); first += static_cast<size_t>(threads_)) {
      std::vector<Reading> wave(std::min(groups.size() - first, static_cast<size_t>(threads_)));
      ParallelFor(wave.size(), threads_, [&](size_t i) { wave[i] = ReadGroup(groups[first + i], parsers[i]); });
      for (Reading& reading : wave) {
        AOA_RETURN_IF_ERROR(std::move(reading.status));
        uint32_t table = merger.Add(reading.header);
        for (size_t i : reading.members) {
          files[i] = FileOf(i, table);
          metadata[i] = probes_[i].metadata ? *std::move(probes_[i].metadata) : reading.header.metadata;
        }
        if (!reading.different.empty()) groups.push_back(std::move(reading.different));
      }
    }
    return {};
  }

 private:
  SchemaFile FileOf(size_t i, uint32_t table) const {
    SchemaFile file;
    file.path = paths_[i];
    file.size = probes_[i].file_size;
    file.data_start = kHeaderLengthBytes + probes_[i].header_size;
    file.table = table;
    return file;
  }

  Reading ReadGroup(const Group& group, HeaderParser& parser) const {
    Reading reading;
    HeaderText text{size_t{0}};
    reading.status = ReadFirst(group[0], parser, text, reading);
    for (size_t i = 1; i < group.size() && reading.status.ok(); ++i) {
      reading.status = Compare(group[i], text.view().substr(probes_[group[0]].rest_begin), reading);
    }
    return reading;
  }

  Status ReadFirst(size_t i, HeaderParser& parser, HeaderText& text, Reading& reading) const {
    AOA_ASSIGN_OR_RETURN(OpenHeader header, OpenAgain(i));
    text = HeaderText(header.header_size);
    AOA_RETURN_IF_ERROR(header.Read(0, text.data(), header.header_size));
    auto parsed = parser.Parse(text);
    if (!parsed.ok()) return std::move(parsed).status().WithContext(Printable(paths_[i]));
    reading.header = *std::move(parsed);
    reading.members.push_back(i);
    return CheckDataBytes(reading.header, header.data_bytes()).WithContext(Printable(paths_[i]));
  }

  Status Compare(size_t i, std::string_view first_rest, Reading& reading) const {
    AOA_ASSIGN_OR_RETURN(OpenHeader header, OpenAgain(i));
    AOA_ASSIGN_OR_RETURN(bool same, HasText(header, probes_[i].rest_begin, first_rest));
    (same ? reading.members : reading.different).push_back(i);
    if (!same) return {};
    return CheckDataBytes(reading.header, header.data_bytes()).WithContext(Printable(paths_[i]));
  }

  Result<OpenHeader> OpenAgain(size_t i) const {
    AOA_ASSIGN_OR_RETURN(OpenHeader header, Open(paths_[i]));
    if (header.file_size == probes_[i].file_size && header.header_size == probes_[i].header_size) return header;
    return Status::Invalid(fmt::format("{}: the file changes while it is read", Printable(paths_[i])));
  }

  static Result<bool> HasText(const OpenHeader& header, uint64_t begin, std::string_view text) {
    std::vector<char> chunk(std::min(kChunk, text.size()));
    for (size_t at = 0; at < text.size(); at += chunk.size()) {
      chunk.resize(std::min(chunk.size(), text.size() - at));
      AOA_RETURN_IF_ERROR(header.Read(begin + at, chunk.data(), chunk.size()));
      if (std::memcmp(chunk.data(), text.data() + at, chunk.size()) != 0) return false;
    }
    return true;
  }

  const std::vector<std::string>& paths_;
  int threads_;
  std::vector<Probe> probes_;
};

}  // namespace

Result<std::vector<Metadata>> ReadHeaders(const std::vector<std::string>& paths, int threads, Schema& schema) {
  HeaderFiles headers(paths, std::max(threads, 1));
  AOA_RETURN_IF_ERROR(headers.LookAtAll());
  std::vector<Metadata> metadata(paths.size());
  std::vector<SchemaFile> files(paths.size());
  SchemaMerger merger(schema);
  AOA_RETURN_IF_ERROR(headers.ReadInto(merger, metadata, files));
  schema.files.insert(schema.files.end(), std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
  return metadata;
}

}  // namespace aoa::formats
