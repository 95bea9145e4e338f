#include "runtime/formats/paddle_pickle.h"

#include <memory>
#include <utility>

#include "runtime/formats/paddle_file.h"
#include "runtime/formats/pickle_writer.h"

namespace aoa::formats {

using pickle::Value;

const Value* PaddlePickle::Array(uint32_t number, const PaddleShare& share) {
  const TargetTensor& tensor = table_[number];
  const auto width = static_cast<uint64_t>(Width(tensor.dtype));
  Value* bytes = tree.New(Value::Kind::kBytes);
  if (const uint64_t length = static_cast<uint64_t>(share.length) * width; length > 0) {
    bytes->outside = true;
    bytes->integer = static_cast<int64_t>(length);
    PlacedTensor placed{number};
    if (share.flat) {
      placed.first = share.first;
      placed.count = share.count;
    }
    pieces_[bytes] = {placed, static_cast<uint64_t>(share.count) * width};
  }
  Value* first = tree.New(Value::Kind::kBytes);
  first->text = "b";
  Value* out =
      tree.Call("numpy.core.multiarray _reconstruct", {tree.Global("numpy ndarray"), tree.Tuple({tree.Int(0)}), first});
  const Shape shape = tensor.scalar ? Shape{1} : share.flat ? Shape{share.length} : tensor.shape;
  std::vector<const Value*> extents;
  for (int64_t extent : shape) extents.push_back(tree.Int(extent));
  out->state = tree.Tuple(
      {tree.Int(1), tree.Tuple(std::move(extents)), Type(PaddleTypeName(tensor.dtype)), tree.Bool(false), bytes});
  return out;
}

Result<TargetFile> PaddlePickle::Finish(const Value& root) {
  AOA_ASSIGN_OR_RETURN(pickle::Written written, pickle::Write(root, pickle::Protocol::kFour));
  TargetFile file;
  std::vector<PlacedTensor> tensors;
  std::vector<Insert> inserts;
  size_t from = 0;
  auto insert = [&](size_t to) {
    if (to == from) return;
    auto text = std::make_shared<const std::string>(written.bytes.substr(from, to - from));
    inserts.push_back({file.size, text, text->size()});
    file.size += to - from;
    from = to;
  };
  for (const auto& hole : written.holes) {
    insert(hole.at);
    Piece piece = pieces_.at(hole.value);
    piece.placed.offset = file.size;
    if (piece.bytes > 0) tensors.push_back(piece.placed);
    if (hole.length > piece.bytes) inserts.push_back({file.size + piece.bytes, nullptr, hole.length - piece.bytes});
    file.size += hole.length;
  }
  insert(written.bytes.size());
  file.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(tensors));
  file.inserts = std::make_shared<const std::vector<Insert>>(std::move(inserts));
  return file;
}

const Value* PaddlePickle::Type(std::string_view name) {
  const Value*& type = types_[std::string(name)];
  if (type) return type;
  Value* made = tree.Call("numpy dtype", {tree.Text(name), tree.Bool(false), tree.Bool(true)});
  const char* order = name.ends_with("1") ? "|" : "<";
  made->state = tree.Tuple(
      {tree.Int(3), tree.Text(order), tree.None(), tree.None(), tree.None(), tree.Int(-1), tree.Int(-1), tree.Int(0)});
  return type = made;
}

}  // namespace aoa::formats
