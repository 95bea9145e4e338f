#include "tests/property/files.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace aoa::property {
namespace {

using Json = nlohmann::json;

std::string Serialise(const FileContent& file) {
  Json header = Json::object();
  if (!file.mesh.empty()) header["__metadata__"] = {{"aoa.mesh", file.mesh}, {"aoa.rank", file.rank}};
  std::string data;
  for (const auto& [name, block] : file.tensors) {
    header[name] = {{"dtype", block.dtype},
                    {"shape", block.shape},
                    {"data_offsets", {data.size(), data.size() + block.bytes.size()}}};
    data += block.bytes;
  }
  std::string text = header.dump();
  uint64_t size = text.size();
  std::string out(sizeof(size), '\0');
  std::memcpy(out.data(), &size, sizeof(size));
  return out + text + data;
}

FileContent Parse(const std::string& bytes) {
  uint64_t size = 0;
  if (bytes.size() < sizeof(size)) throw std::runtime_error("a file of " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&size, bytes.data(), sizeof(size));
  Json header = Json::parse(bytes.substr(sizeof(size), size));
  std::string data = bytes.substr(sizeof(size) + size);
  FileContent file;
  std::map<size_t, size_t> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      file.mesh = entry.value("aoa.mesh", "");
      file.rank = entry.value("aoa.rank", "");
      continue;
    }
    size_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    if (end > begin) ranges[begin] = end;
    file.tensors[name] = {name, entry["dtype"], entry["shape"], data.substr(begin, end - begin)};
  }
  size_t at = 0;
  for (auto [begin, end] : ranges) {
    if (begin != at) throw std::runtime_error("a hole or an overlap at byte " + std::to_string(at));
    at = end;
  }
  if (at != data.size()) throw std::runtime_error("bytes after the last tensor");
  return file;
}

std::string Difference(const StoredBlock& expected, const StoredBlock& got) {
  if (expected.dtype != got.dtype) return got.dtype + " instead of " + expected.dtype;
  if (expected.shape != got.shape)
    return fmt::format("extents {} instead of {}", Json(got.shape).dump(), Json(expected.shape).dump());
  if (expected.bytes == got.bytes) return "";
  size_t at = 0;
  while (at < got.bytes.size() && expected.bytes[at] == got.bytes[at]) ++at;
  return fmt::format("byte {} of {} differs", at, expected.bytes.size());
}

}  // namespace

std::map<std::string, FileContent> SideContent(const Program& program, size_t side, char filler) {
  const Meshes& mesh = program.sides[side].mesh;
  std::string sizes;
  for (const MeshAxis& axis : mesh) sizes += (sizes.empty() ? "" : ",") + axis.name + "=" + std::to_string(axis.size);
  std::map<std::string, FileContent> files;
  for (int64_t rank = 0; rank < RankCount(mesh); ++rank) {
    FileContent& file = files[mesh.empty() ? "model.safetensors" : fmt::format("rank_{:05}.safetensors", rank)];
    for (StoredBlock& block : RankContent(program, side, rank, filler)) file.tensors[block.name] = std::move(block);
    if (mesh.empty()) continue;
    file.mesh = sizes;
    file.rank = std::to_string(rank);
  }
  return files;
}

void WriteSide(const std::string& folder, const std::map<std::string, FileContent>& files) {
  std::filesystem::create_directories(folder);
  for (const auto& [name, file] : files) std::ofstream(folder + "/" + name, std::ios::binary) << Serialise(file);
}

std::map<std::string, FileContent> ReadSide(const std::string& folder) {
  std::map<std::string, FileContent> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = Parse(std::string(std::istreambuf_iterator<char>(in), {}));
  }
  return files;
}

std::string Difference(const std::map<std::string, FileContent>& expected,
                       const std::map<std::string, FileContent>& got) {
  for (const auto& [name, file] : got) {
    if (!expected.contains(name)) return name + " should not be there";
  }
  for (const auto& [name, file] : expected) {
    auto it = got.find(name);
    if (it == got.end()) return name + " is missing";
    if (it->second.mesh != file.mesh || it->second.rank != file.rank) return name + ": other metadata";
    for (const auto& [tensor, block] : it->second.tensors) {
      if (!file.tensors.contains(tensor)) return name + ": " + tensor + " should not be there";
    }
    for (const auto& [tensor, block] : file.tensors) {
      auto found = it->second.tensors.find(tensor);
      if (found == it->second.tensors.end()) return name + ": " + tensor + " is missing";
      std::string difference = Difference(block, found->second);
      if (!difference.empty()) return name + ": " + tensor + ": " + difference;
    }
  }
  return "";
}

}  // namespace aoa::property
