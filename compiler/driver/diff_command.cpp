// aoac diff A B, aoac diff RULES.aoa SIDE:PATH SIDE:PATH
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "compiler/bind/check_sides.h"
#include "compiler/diag/suggest.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/contents.h"
#include "runtime/exec/compare.h"
#include "runtime/exec/workers.h"

namespace aoa::driver {
namespace {

using Tensor = Contents::Tensor;

// [3, 0, 12] of a row-major number.
Shape IndexOf(int64_t number, const Shape& shape) {
  Shape index(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    index[i] = number % shape[i];
    number /= shape[i];
  }
  return index;
}

std::string ShowElement(DType dtype, uint64_t bits) {
  return fmt::format("{} (0x{:0{}x})", exec::Show(exec::NumberOf(dtype, bits)), bits, 2 * Width(dtype));
}

class Diff {
 public:
  Diff(const Options& options, Session& session) : options_(options), session_(session) {}

  Exit Run() {
    if (!ReadBoth()) return session_.Finish();
    Pair();
    Status status = Compare();
    if (!status.ok()) {
      session_.Fail(status);
      return session_.Finish();
    }
    return Report();
  }

 private:
  // The two sides of one name.
  struct Entry {
    const Tensor* a = nullptr;
    const Tensor* b = nullptr;
    std::string difference;  // empty: equal
    double largest = 0;
    exec::Difference elements;  // if shapes and types are equal
  };

  bool ReadBoth() {
    if (options_.sides.size() == 1) {
      names_ = {options_.rules, options_.sides[0]};
      a_ = Contents::Read(names_[0], options_, session_);
      b_ = Contents::Read(names_[1], options_, session_);
      return a_ && b_;
    }
    unit_ = LoadRules(options_.rules, session_);
    if (!unit_) return false;
    names_ = {options_.sides[0], options_.sides[1]};
    std::vector<SideSpec> specs;
    for (const std::string& word : options_.sides) {
      auto spec = ParseSideSpec("diff", word, session_.diagnostics);
      if (!spec) return false;
      if (spec->path.empty())
        session_.Misuse(fmt::format("{}: a path is missing", diag::Printable(word))).Expected("SIDE:PATH");
      specs.push_back(*spec);
    }
    if (session_.diagnostics.HasErrors()) return false;
    std::string as = unit_->sides.contains("hf") ? "hf" : specs[0].side;
    Options first = options_, second = options_;
    second.mesh_from = options_.mesh_to;
    if (options_.mesh_to.entries.empty()) {
      second.mesh_from = KnownTo(specs[1].side);
      first.mesh_from = second.mesh_from.entries.empty() ? options_.mesh_from : KnownTo(specs[0].side);
    }
    a_ = Contents::ReadAs(*unit_, specs[0], as, first, session_);
    b_ = Contents::ReadAs(*unit_, specs[1], as, second, session_);
    return a_ && b_;
  }

  // What --mesh-from says of axes that a side has: alone, it speaks of both checkpoints.
  bind::MeshSizes KnownTo(const std::string& side) const {
    bind::MeshSizes known;
    auto it = unit_->sides.find(side);
    if (it == unit_->sides.end()) return known;
    const std::vector<std::string> axes = bind::MeshAxesOf(it->second);
    for (const auto& entry : options_.mesh_from.entries) {
      if (std::find(axes.begin(), axes.end(), entry.axis) != axes.end()) known.entries.push_back(entry);
    }
    return known;
  }

  void Pair() {
    auto a = a_->tensors().begin(), b = b_->tensors().begin();
    while (a != a_->tensors().end() || b != b_->tensors().end()) {
      bool take_a = b == b_->tensors().end() || (a != a_->tensors().end() && a->head.name <= b->head.name);
      bool take_b = a == a_->tensors().end() || (b != b_->tensors().end() && b->head.name <= a->head.name);
      entries_.push_back({take_a ? &*a++ : nullptr, take_b ? &*b++ : nullptr, "", 0, {}});
    }
  }

  Status Compare() {
    std::atomic<size_t> next = 0;
    return exec::RunWorkers(Contents::ThreadsForBoth(*a_, *b_, options_), [&](const std::atomic<bool>& stop) -> Status {
      for (size_t i; !stop && (i = next++) < entries_.size();) AOA_RETURN_IF_ERROR(CompareEntry(entries_[i]));
      return Status();
    });
  }

  Status CompareEntry(Entry& entry) const {
    if (!entry.a || !entry.b) {
      entry.difference = fmt::format("only in {}", diag::Printable(names_[entry.a ? 0 : 1]));
      return Status();
    }
    const exec::TensorHead &a = entry.a->head, &b = entry.b->head;
    if (a.dtype != b.dtype || a.shape != b.shape) {
      entry.difference =
          fmt::format("{} {} and {} {}", Name(a.dtype), ToString(a.shape), Name(b.dtype), ToString(b.shape));
      return Status();
    }
    if (entry.a->scalar && entry.b->scalar) {
      if (*entry.a->scalar != *entry.b->scalar)
        entry.difference =
            fmt::format("{} and {}", ShowElement(a.dtype, *entry.a->scalar), ShowElement(a.dtype, *entry.b->scalar));
      return Status();
    }
    if (!entry.a->shard || !entry.b->shard) return Status();
    AOA_ASSIGN_OR_RETURN(auto found, exec::CompareShards(a_->context(), a_->shard(*entry.a), b_->context(),
                                                         b_->shard(*entry.b), a.dtype));
    if (!found) return Status();
    std::vector<std::string> first;
    for (const exec::Difference::Element& e : found->first)
      first.push_back(fmt::format("{}: {} and {}", ToString(IndexOf(e.number, a.shape)), ShowElement(a.dtype, e.bits_a),
                                  ShowElement(a.dtype, e.bits_b)));
    entry.difference = fmt::format("{} of {} elements, first at {}; largest difference {}", found->count,
                                   ElementCount(a.shape), fmt::join(first, ", "), exec::Show(found->largest));
    entry.elements = std::move(*found);
    entry.largest = found->largest;
    return Status();
  }

  static nlohmann::ordered_json Json(const Entry& e) {
    nlohmann::ordered_json json = {{"what", e.difference}, {"largest", e.largest}};
    if (e.elements.count == 0) return json;
    json["count"] = e.elements.count;
    json["first"] = nlohmann::ordered_json::array();
    const exec::TensorHead& head = e.a->head;
    for (const exec::Difference::Element& element : e.elements.first)
      json["first"].push_back({{"index", IndexOf(element.number, head.shape)},
                               {"a", exec::Show(exec::NumberOf(head.dtype, element.bits_a))},
                               {"b", exec::Show(exec::NumberOf(head.dtype, element.bits_b))}});
    return json;
  }

  Exit Report() const {
    auto different = static_cast<size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return !e.difference.empty(); }));
    auto name = [](const Entry& e) -> const std::string& { return (e.a ? e.a : e.b)->head.name; };
    if (options_.json) {
      nlohmann::ordered_json report = {
          {"equal", different == 0}, {"tensors", entries_.size()}, {"different", nlohmann::ordered_json::object()}};
      for (const Entry& e : entries_) {
        if (!e.difference.empty()) report["different"][name(e)] = Json(e);
      }
      fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    } else {
      for (const Entry& e : entries_) {
        if (!e.difference.empty()) fmt::print("{}: {}\n", diag::Printable(name(e)), e.difference);
      }
      const bool left = a_->leaves_states() || b_->leaves_states();
      if (!options_.quiet)
        fmt::print("{}{}\n",
                   different == 0 ? fmt::format("equal: {} tensors", entries_.size())
                                  : fmt::format("different: {} of {} tensors", different, entries_.size()),
                   left ? " (optimizer states are compared with --states)" : "");
    }
    Exit exit = session_.Finish();
    return exit == Exit::kDone && different > 0 ? Exit::kWrong : exit;
  }

  const Options& options_;
  Session& session_;
  std::vector<std::string> names_;
  std::unique_ptr<bind::Unit> unit_;
  std::unique_ptr<Contents> a_, b_;
  std::vector<Entry> entries_;
};

}  // namespace

Exit RunDiff(const Arguments& arguments) {
  Session session;
  auto options = ParseOptions(Command::kDiff, arguments, session);
  return options ? Diff(*options, session).Run() : session.Finish();
}

}  // namespace aoa::driver
