#include "tests/property/scatter.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>

#include "runtime/io/crc32.h"

namespace aoa::property {
namespace {

constexpr size_t kStores = 2;
constexpr uint64_t kTail = 8;  // bytes behind the tensors of a target: their checksum, twice

using Random = std::mt19937_64;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The elements of a row-major tensor in the order in which `order` lists its axes, outermost first. Sets their strides.
std::string Permute(const std::string& bytes, const Shape& shape, size_t width, const std::vector<size_t>& order,
                    Shape& strides) {
  strides.assign(shape.size(), 0);
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= shape[order[i]];
  }
  std::string out(bytes.size(), '\0');
  std::vector<int64_t> index(shape.size(), 0);
  for (size_t from = 0; from < bytes.size(); from += width) {
    int64_t to = 0;
    for (size_t i = 0; i < index.size(); ++i) to += index[i] * strides[i];
    std::memcpy(out.data() + to * static_cast<int64_t>(width), bytes.data() + from, width);
    for (size_t i = index.size(); i-- > 0 && ++index[i] == shape[i];) index[i] = 0;
  }
  return out;
}

class Scatterer {
 public:
  Scatterer(Schema& schema, const std::string& folder, uint64_t seed) : schema_(schema), random_(seed) {
    for (size_t s = 0; s < kStores; ++s) schema.stores.push_back({folder + "/store" + std::to_string(s), 0, nullptr});
  }

  void Run() {
    for (SchemaFile& file : schema_.files) Scatter(file);
    for (size_t s = 0; s < kStores; ++s) {
      std::ofstream(schema_.stores[s].path, std::ios::binary) << content_[s];
      schema_.stores[s].size = content_[s].size();
    }
  }

 private:
  void Scatter(SchemaFile& file) {
    const std::string data = ReadFile(file.path).substr(file.data_start);
    SchemaTable table = schema_.tables[file.table];
    std::string line;
    for (StoredTensor& stored : table) {
      std::string bytes = data.substr(stored.begin, stored.bytes);
      Shape shape = schema_.shapes[stored.shape];
      stored.begin = line.size();
      if (!bytes.empty() && random_() % 2 == 0) {
        std::vector<size_t> order(shape.size());
        std::iota(order.begin(), order.end(), size_t{0});
        std::shuffle(order.begin(), order.end(), random_);
        Shape strides;
        bytes = Permute(bytes, shape, static_cast<size_t>(Width(stored.dtype)), order, strides);
        stored.strides = static_cast<uint32_t>(schema_.shapes.size());
        schema_.shapes.push_back(strides);
      }
      line += bytes;
    }
    file.table = static_cast<uint32_t>(schema_.tables.size());
    schema_.tables.push_back(std::move(table));
    file.data_start = 0;
    file.size = line.size();
    file.stretches = std::make_shared<const std::vector<Stretch>>(Store(line));
  }

  // Pieces of a line of bytes in random places.
  std::vector<Stretch> Store(const std::string& line) {
    std::vector<Stretch> stretches;
    for (uint64_t at = 0; at < line.size();) {
      uint64_t bytes = std::min<uint64_t>(line.size() - at, 1 + random_() % (line.size() / 3 + 7));
      auto store = static_cast<uint32_t>(random_() % kStores);
      content_[store].append(random_() % 5, '\xEE');
      stretches.push_back({at, bytes, store, content_[store].size()});
      content_[store] += line.substr(at, bytes);
      at += bytes;
    }
    return stretches;
  }

  Schema& schema_;
  Random random_;
  std::string content_[kStores];
};

}  // namespace

void ScatterSource(Schema& schema, const std::string& folder, uint64_t seed) { Scatterer(schema, folder, seed).Run(); }

void ScatterTarget(TargetLayout& layout, const TargetContent& content, uint64_t seed) {
  Random random(seed);
  for (TargetFile& file : layout.files) {
    std::vector<PlacedTensor> parts;
    for (const PlacedTensor& placed : *file.tensors) {
      const TargetTensor& tensor = content.tables[file.table][placed.tensor];
      int64_t elements = ElementCount(tensor.shape), width = Width(tensor.dtype);
      if (elements == 0) parts.push_back(placed);
      for (int64_t first = 0; first < elements;) {
        auto count =
            std::min<int64_t>(elements - first, 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(elements)));
        parts.push_back({placed.tensor, placed.offset + static_cast<uint64_t>(first * width), first, count, file.rank});
        first += count;
      }
    }
    file.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(parts));
    auto tail = std::make_shared<const std::string>(kTail, '\0');
    file.inserts = std::make_shared<const std::vector<Insert>>(1, Insert{file.size, tail, kTail});
    file.checksums = std::make_shared<const std::vector<Checksum>>(
        1, Checksum{file.data_start, file.size - file.data_start, {file.size, file.size + 4}});
    file.size += kTail;
  }
}

std::string TakeChecksums(const std::string& folder) {
  static_assert(std::endian::native == std::endian::little);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    std::string text = ReadFile(entry.path());
    uint64_t header = 0;
    uint32_t found[2];
    std::memcpy(&header, text.data(), sizeof(header));
    std::memcpy(found, text.data() + text.size() - kTail, kTail);
    std::string data = text.substr(8 + header, text.size() - kTail - 8 - header);
    uint32_t expected = io::Crc32(std::as_bytes(std::span(data)));
    if (found[0] != expected || found[1] != expected) return entry.path().filename().string() + ": another checksum";
    std::filesystem::resize_file(entry.path(), text.size() - kTail);
  }
  return "";
}

}  // namespace aoa::property
