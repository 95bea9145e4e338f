#include "compiler/core/mesh.h"

namespace aoa {

int64_t Mesh::ranks() const {
  int64_t ranks = 1;
  for (const Axis& axis : axes) ranks *= axis.size;
  return ranks;
}

size_t Mesh::axis_count() const {
  size_t count = axes.size();
  for (const Overlay& overlay : overlays) count += overlay.axes.size();
  return count;
}

const Mesh::Axis& Mesh::axis(size_t index) const {
  if (index < axes.size()) return axes[index];
  index -= axes.size();
  for (const Overlay& overlay : overlays) {
    if (index < overlay.axes.size()) return overlay.axes[index];
    index -= overlay.axes.size();
  }
  return axes.at(axes.size());  // out of range: throws
}

std::optional<size_t> Mesh::Find(std::string_view name) const {
  for (size_t i = 0; i < axis_count(); ++i) {
    if (axis(i).name == name) return i;
  }
  return std::nullopt;
}

std::vector<int64_t> Mesh::Coordinates(int64_t rank) const {
  std::vector<int64_t> out(axes.size());
  for (size_t i = axes.size(); i-- > 0;) {
    out[i] = rank % axes[i].size;
    rank /= axes[i].size;
  }
  for (const Overlay& overlay : overlays) {
    int64_t number = 0;
    for (size_t axis : overlay.on) number = number * axes[axis].size + out[axis];
    size_t first = out.size();
    out.resize(first + overlay.axes.size());
    for (size_t i = overlay.axes.size(); i-- > 0;) {
      out[first + i] = number % overlay.axes[i].size;
      number /= overlay.axes[i].size;
    }
  }
  return out;
}

std::string Mesh::ToString() const {
  std::string out;
  for (size_t i = 0; i < axis_count(); ++i) {
    out += (i ? "," : "") + axis(i).name + "=" + std::to_string(axis(i).size);
  }
  return out;
}

int64_t Deal::extent() const {
  int64_t extent = 0;
  for (const auto& stage : stages) extent += static_cast<int64_t>(stage.size());
  return extent;
}

std::optional<Deal> DealEvenly(int64_t extent, int64_t stages, int64_t rounds) {
  if (stages <= 0 || rounds <= 0 || extent % (stages * rounds) != 0) return std::nullopt;
  Deal deal;
  deal.rounds = rounds;
  deal.stages.resize(static_cast<size_t>(stages));
  int64_t block = extent / (stages * rounds);
  for (int64_t i = 0; i < extent; ++i) deal.stages[static_cast<size_t>(i / block % stages)].push_back(i);
  return deal;
}

Deal DealByCounts(const std::vector<int64_t>& counts) {
  Deal deal;
  int64_t next = 0;
  for (int64_t count : counts) {
    auto& stage = deal.stages.emplace_back();
    for (int64_t i = 0; i < count; ++i) stage.push_back(next++);
  }
  return deal;
}

}  // namespace aoa
