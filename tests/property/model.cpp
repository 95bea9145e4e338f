#include "tests/property/model.h"

#include <algorithm>

namespace aoa::property {
namespace {

Listed OfVariable(const Node& node, const Place& place) {
  const Variable& variable = place.variables.at(node.variable);
  Listed out;
  if (place.dealt && place.coordinates) {
    if (auto it = place.dealt->find(node.variable); it != place.dealt->end()) {
      for (int64_t value : it->second) out.labels.push_back({0, value * variable.weight, false});
      return out;
    }
  }
  for (int64_t value = 0; value < variable.extent; ++value) out.labels.push_back({0, value * variable.weight, false});
  return out;
}

Listed Joined(const Listed& left, const Listed& right) {
  Listed out;
  out.pieces = left.pieces * right.pieces;
  out.labels.reserve(left.labels.size() * right.labels.size());
  for (const Label& a : left.labels) {
    for (const Label& b : right.labels) {
      bool filler = a.filler || b.filler;
      out.labels.push_back(filler ? Label{0, 0, true}
                                  : Label{a.piece * right.pieces + b.piece, a.index + b.index, false});
    }
  }
  return out;
}

Listed OfSum(const Node& node, const Place& place) {
  Listed out;
  out.pieces = 0;
  for (const Node& part : node.parts) {
    Listed next = List(part, place);
    for (Label label : next.labels) {
      if (!label.filler) label.piece += out.pieces;
      out.labels.push_back(label);
    }
    out.pieces += next.pieces;
  }
  return out;
}

// [first, last) of part c of m.
std::pair<int64_t, int64_t> Part(int64_t n, int64_t m, int64_t c, char rounding) {
  if (rounding == 'c') {
    int64_t size = (n + m - 1) / m;
    return {std::min(n, c * size), std::min(n, (c + 1) * size)};
  }
  if (rounding == 'f') {
    int64_t first = 0;
    for (int64_t i = 0; i < c; ++i) first += n / m + (i < n % m ? 1 : 0);
    return {first, first + n / m + (c < n % m ? 1 : 0)};
  }
  if (n % m == 0) return {n / m * c, n / m * (c + 1)};
  return {c / (m / n), c / (m / n) + 1};
}

}  // namespace

bool Divides(int64_t extent, int64_t parts) { return extent % parts == 0 || (extent > 0 && parts % extent == 0); }

Listed List(const Node& node, const Place& place) {
  Listed out;
  switch (node.kind) {
    case Node::Kind::kVariable:
      out = OfVariable(node, place);
      break;
    case Node::Kind::kOne:
      out.labels = {{}};
      break;
    case Node::Kind::kProduct:
      out.labels = {{}};
      for (const Node& part : node.parts) out = Joined(out, List(part, place));
      break;
    case Node::Kind::kSum:
      out = OfSum(node, place);
      break;
    case Node::Kind::kPad:
      out = List(node.parts[0], place);
      while (out.labels.size() % static_cast<size_t>(node.multiple) != 0) out.labels.push_back({0, 0, true});
      break;
  }
  if (!place.coordinates) return out;
  for (const ModelCut& cut : node.cuts) {
    auto [first, last] = Part(static_cast<int64_t>(out.labels.size()), place.mesh[cut.axis].size,
                              (*place.coordinates)[cut.axis], cut.rounding);
    out.labels = std::vector<Label>(out.labels.begin() + first, out.labels.begin() + last);
  }
  return out;
}

Block BlockOf(const std::vector<Node>& axes, const Place& place) {
  Block block;
  Listed all;
  all.labels = {{}};
  for (const Node& axis : axes) {
    Listed next = List(axis, place);
    block.shape.push_back(static_cast<int64_t>(next.labels.size()));
    all = Joined(all, next);
  }
  block.labels = std::move(all.labels);
  return block;
}

std::string ToText(const Node& node, const Meshes& mesh) {
  std::string text;
  switch (node.kind) {
    case Node::Kind::kVariable:
      text = node.variable;
      break;
    case Node::Kind::kOne:
      text = "1";
      break;
    case Node::Kind::kProduct:
    case Node::Kind::kSum:
      for (const Node& part : node.parts) {
        text += (text.empty() ? "(" : node.kind == Node::Kind::kSum ? " + " : " ") + ToText(part, mesh);
      }
      text += ")";
      break;
    case Node::Kind::kPad:
      text = "pad(" + ToText(node.parts[0], mesh) + ", " + std::to_string(node.multiple) + ")";
      break;
  }
  for (size_t i = 0; i < node.cuts.size(); ++i) {
    const ModelCut& cut = node.cuts[i];
    text += (i == 0 ? "@" : ".") + mesh[cut.axis].name;
    text += cut.rounding == 'c' ? "~ceil" : cut.rounding == 'f' ? "~front" : "";
  }
  return text;
}

}  // namespace aoa::property
