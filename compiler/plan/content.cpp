#include "compiler/plan/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "compiler/diag/suggest.h"
#include "compiler/plan/shardings.h"

namespace aoa::plan {
namespace {

using bind::End;
using bind::Family;
using bind::Tensor;
using bind::TensorId;

// Where a tensor stands in the order of its side: families that share their name variables are one group, ordered by
// the numbers first; states follow all weights.
struct Order {
  int role = -1;
  int64_t group = 0;
  std::vector<int64_t> values;
  int64_t family = 0;
  auto operator<=>(const Order&) const = default;
};

class ContentMaker {
 public:
  ContentMaker(const bind::Program& program, const index::IndexProgram& index, const Schema& source, Layouts& layouts,
               diag::Diagnostics& diagnostics)
      : program_(program),
        index_(index),
        source_(source),
        end_(program.ends.back()),
        layouts_(layouts),
        diagnostics_(diagnostics) {}

  std::optional<Content> Make(std::vector<int64_t> ranks, WantedCuts cuts) {
    OrderFamilies();
    Collect();
    if (diagnostics_.HasErrors()) return std::nullopt;
    if (ranks.empty()) {
      for (int64_t rank = 0; rank < end_.mesh.ranks(); ++rank) ranks.push_back(rank);
    }
    Content out;
    out.target.has_mesh = end_.has_mesh;
    out.target.mesh = end_.mesh.ToString();
    out.target.axes = end_.mesh;
    out.target.shardings = end_.shardings ? end_.shardings : OwnShardings(cuts);
    out.target.layout_given = end_.shardings != nullptr;
    AddDeals(out.target);
    std::map<std::string, uint32_t> tables;
    for (int64_t rank : ranks) {
      std::vector<int64_t> coordinates = end_.mesh.Coordinates(rank);
      auto [it, added] =
          tables.try_emplace(Signature(rank, coordinates), static_cast<uint32_t>(out.target.tables.size()));
      if (added) AddTable(rank, coordinates, out);
      out.target.ranks.emplace_back(rank, it->second);
    }
    return out;
  }

 private:
  // A tensor of the target with what decides on which ranks it is, and in what shape.
  struct Item {
    ContentEntry entry;
    TensorId id = 0, weight = 0;
    Order order;
    bind::Stages stages;
    const Layout* layout = nullptr;  // of a tensor; of the weight for blocks; null for a scalar
    bool owned = false;              // a state that one rank of the zero axis keeps
    int64_t number = 0;              // of the weight among those of its ranks (set rank by rank)
  };

  // How placements deal, where the rules alone do not say it.
  void AddDeals(TargetContent& target) const {
    for (const bind::Placement& p : end_.placements) {
      target.rounds = std::max(target.rounds, p.deal.rounds);
      if (!p.axis) continue;
      const std::string& axis = end_.mesh.axis(*p.axis).name;
      if (p.counts_of != bind::Placement::CountsOf::kRules) target.stages.emplace_back(axis, p.counts);
      if (!p.node->interleave || !p.counts.empty()) continue;
      for (const std::string& name : end_.side->rounds) {
        if (p.node->interleave->kind == ast::Expr::Kind::kName && p.node->interleave->text == name)
          target.named_rounds.emplace_back(name, p.deal.rounds);
      }
    }
  }

  void OrderFamilies() {
    groups_.resize(end_.families.size());
    std::vector<size_t> order(end_.families.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    auto declared = [&](size_t f) {
      return end_.families[f].declaration ? end_.families[f].declaration - end_.side->declarations.data() : PTRDIFF_MAX;
    };
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return declared(a) < declared(b); });
    int64_t group = 0;
    std::vector<std::string> last;
    for (size_t i = 0; i < order.size(); ++i) {
      std::vector<std::string> variables = end_.families[order[i]].pattern.Variables();
      if (i > 0 && (variables.empty() || variables != last)) ++group;
      last = variables;
      groups_[order[i]] = {group, static_cast<int64_t>(i)};
    }
  }

  Item MakeItem(ContentEntry entry, TensorId id) {
    const Tensor& tensor = end_.tensors[id];
    Item item;
    item.entry = entry;
    item.id = id;
    item.weight = tensor.role < 0 ? id : tensor.weight;
    item.order.role = tensor.role;
    item.stages.resize(end_.placements.size());
    if (tensor.family != bind::kNoFamily) {
      const Family& family = end_.families[tensor.family];
      const std::string& name = end_.NameOf(item.weight);
      item.order.group = groups_[tensor.family].first;
      item.order.family = groups_[tensor.family].second;
      if (!family.pattern.HasStar()) {
        auto values = family.pattern.Match(name);
        for (const std::string& v : family.pattern.Variables()) item.order.values.push_back(values ? values->at(v) : 0);
      }
      item.stages = bind::StagesOf(end_, family, name);
    }
    return item;
  }

  // The cuts of the side's own types; null where names are numbered locally, for then a name says too little.
  std::shared_ptr<const Shardings> OwnShardings(WantedCuts cuts) const {
    if (cuts == WantedCuts::kNone) return nullptr;
    for (const bind::Placement& p : end_.placements) {
      if (p.node->numbered_locally) return nullptr;
    }
    std::vector<TensorId> tensors;
    std::map<TensorId, const Item*> items;
    for (const Item& item : items_) {
      if (item.entry.kind != ContentEntry::Kind::kTensor) continue;
      tensors.push_back(item.id);
      items[item.id] = &item;
    }
    if (cuts == WantedCuts::kBlocks) return BlocksOf(end_, tensors);
    return ShardingsOf(end_, tensors, [&](TensorId id, int64_t rank) { return Holds(*items.at(id), rank); });
  }

  SourceRange WhereOf(TensorId id) const {
    const Tensor& tensor = end_.tensors[id];
    return tensor.family == bind::kNoFamily ? SourceRange{} : end_.families[tensor.family].where;
  }

  void Collect() {
    for (uint32_t t = 0; t < index_.targets.size(); ++t) {
      const index::Target& target = index_.targets[t];
      const Tensor& tensor = end_.tensors[target.tensor];
      Item item = MakeItem({ContentEntry::Kind::kTensor, t}, target.tensor);
      item.owned = tensor.role >= 0 && end_.zero && end_.zero->by.text == "whole";
      item.layout = layouts_.Of(target.tensor);
      if (item.layout) items_.push_back(std::move(item));
    }
    for (uint32_t s = 0; s < index_.scalars.size(); ++s)
      items_.push_back(MakeItem({ContentEntry::Kind::kScalar, s}, index_.scalars[s].tensor));
    for (uint32_t b = 0; b < index_.blocks.size(); ++b) {
      const index::Target& weight = index_.targets[index_.blocks[b].weight];
      Item item = MakeItem({ContentEntry::Kind::kBlocks, b}, index_.blocks[b].tensor);
      item.layout = layouts_.Of(weight.tensor);
      if (item.layout) items_.push_back(std::move(item));
    }
    std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.order < b.order; });
    for (const Family& family : end_.families) {
      for (const bind::OnEnds& on : family.on) ends_on_.insert(on.axis);
    }
    NumberWeights();
    CheckHeld();
  }

  // Whether some ranks that have a part of a tensor may not hold the tensor.
  bool MayLose(const Item& item) const {
    if (item.entry.kind != ContentEntry::Kind::kTensor) return false;
    const Tensor& tensor = end_.tensors[item.id];
    if (!end_.mesh.overlays.empty() || !PlacedAs(tensor).on.empty()) return true;
    if (tensor.role < 0 || !end_.zero_axis) return false;
    const uint32_t type = end_.tensors[item.weight].type;
    const std::vector<size_t> axes = type == bind::kNoType ? std::vector<size_t>() : CuttingAxes(end_.types[type]);
    return std::find(axes.begin(), axes.end(), *end_.zero_axis) != axes.end() ||
           std::any_of(end_.placements.begin(), end_.placements.end(),
                       [&](const bind::Placement& p) { return p.axis == end_.zero_axis; });
  }

  // A stage's ranks, or those at the ends of an axis, may have too few coordinates on an axis that cuts the tensor or
  // shares out its states.
  void CheckHeld() {
    std::vector<std::pair<const Item*, std::vector<bool>>> held;  // by block
    for (const Item& item : items_) {
      if (MayLose(item)) held.emplace_back(&item, item.layout->blocks.size());
    }
    for (int64_t rank = 0; rank < end_.mesh.ranks() && !held.empty(); ++rank) {
      std::vector<int64_t> coordinates = end_.mesh.Coordinates(rank);
      std::map<TensorId, int64_t> owners;
      if (!declared_.empty()) owners = Owners(rank);
      for (auto& [item, blocks] : held) {
        if (Holds(*item, rank) && Keeps(*item, owners, coordinates))
          blocks[item->layout->of_rank[static_cast<size_t>(rank)]] = true;
      }
    }
    for (const auto& [item, blocks] : held)
      layouts_.CheckHeld(*item->layout, blocks, diag::Printable(end_.NameOf(item->id)), WhereOf(item->id));
  }

  // Whether a rank that holds the weight keeps the item: of a state that is kept whole, one rank of the zero axis does.
  bool Keeps(const Item& item, const std::map<TensorId, int64_t>& owners,
             const std::vector<int64_t>& coordinates) const {
    return !item.owned || !end_.zero_axis || owners.at(item.weight) == coordinates[*end_.zero_axis];
  }

  // For states that are kept whole: weights in declared order, every family by its numbers.
  void NumberWeights() {
    if (!end_.zero || end_.zero->by.text != "whole") return;
    for (const Item& item : items_) {
      if (item.order.role < 0 && item.entry.kind == ContentEntry::Kind::kTensor) declared_.push_back(&item);
    }
    std::stable_sort(declared_.begin(), declared_.end(), [](const Item* a, const Item* b) {
      return std::tie(a->order.family, a->order.values) < std::tie(b->order.family, b->order.values);
    });
  }

  // The family that says where a tensor lies.
  const Family& PlacedAs(const Tensor& tensor) const {
    static const Family anywhere;
    const Family& family = tensor.family == bind::kNoFamily ? anywhere : end_.families[tensor.family];
    return family.blocks_of ? end_.families[*family.blocks_of] : family;
  }

  bool Holds(const Item& item, int64_t rank) const {
    const Family& placed = PlacedAs(end_.tensors[item.id]);
    return bind::IsOnRank(end_, placed, item.stages, end_.NameOf(item.id), rank);
  }

  // The coordinate on the zero axis that keeps each weight's states, on ranks that hold the same as this one: the k-th
  // weight that they hold, k modulo the axis.
  std::map<TensorId, int64_t> Owners(int64_t rank) const {
    std::map<TensorId, int64_t> owners;
    int64_t parts = end_.zero_axis ? end_.mesh.axis(*end_.zero_axis).size : 1, k = 0;
    for (const Item* item : declared_) {
      if (Holds(*item, rank)) owners[item->id] = k++ % parts;
    }
    return owners;
  }

  // What decides which tensors a rank's file has, and in which shapes.
  std::string Signature(int64_t rank, const std::vector<int64_t>& coordinates) {
    std::string key;
    for (const bind::Placement& p : end_.placements) key += fmt::format("{},", p.axis ? coordinates[*p.axis] : 0);
    for (size_t axis : ends_on_)
      key += fmt::format("{}{},", coordinates[axis] == 0, coordinates[axis] == end_.mesh.axis(axis).size - 1);
    if (!declared_.empty() && end_.zero_axis) key += fmt::format("z{},", coordinates[*end_.zero_axis]);
    if (end_.shardings) key += fmt::format("s{},", end_.shardings->StageOf(rank));
    const Layout* last = nullptr;
    for (const Layout* layout : DistinctLayouts()) {
      if (layout != last) key += aoa::ToString(layout->blocks[layout->of_rank[static_cast<size_t>(rank)]].shape);
      last = layout;
    }
    return key;
  }

  const std::vector<const Layout*>& DistinctLayouts() {
    if (distinct_.empty()) {
      for (const Item& item : items_) {
        if (item.layout) distinct_.push_back(item.layout);
      }
      std::sort(distinct_.begin(), distinct_.end());
      distinct_.erase(std::unique(distinct_.begin(), distinct_.end()), distinct_.end());
      std::stable_sort(distinct_.begin(), distinct_.end(),
                       [](const Layout* a, const Layout* b) { return a->blocks.size() < b->blocks.size(); });
    }
    return distinct_;
  }

  void AddTable(int64_t rank, const std::vector<int64_t>& coordinates, Content& out) {
    std::map<TensorId, int64_t> owners;
    if (!declared_.empty()) owners = Owners(rank);
    std::vector<TargetTensor>& table = out.target.tables.emplace_back();
    std::vector<ContentEntry>& entries = out.entries.emplace_back();
    std::unordered_set<std::string> names;
    std::map<TensorId, uint32_t> weights;
    for (const Item& item : items_) {
      if (!Holds(item, rank)) continue;
      if (!Keeps(item, owners, coordinates)) continue;
      const Tensor& tensor = end_.tensors[item.id];
      TargetTensor stored;
      stored.name = NameOf(item);
      stored.dtype = tensor.dtype;
      stored.shape = ShapeOf(item, rank);
      stored.bytes = static_cast<uint64_t>(ElementCount(stored.shape)) * static_cast<uint64_t>(Width(tensor.dtype));
      stored.scalar = item.entry.kind == ContentEntry::Kind::kScalar;
      if (tensor.role >= 0) {
        stored.role = end_.roles[static_cast<size_t>(tensor.role)].name;
        if (auto weight = weights.find(item.weight); weight != weights.end()) stored.weight = weight->second;
      } else {
        weights[item.id] = static_cast<uint32_t>(table.size());
      }
      if (tensor.family != bind::kNoFamily) stored.group = end_.families[tensor.family].group;
      if (tensor.role < 0) stored.tied = OriginalOf(item);
      if (!names.insert(stored.name).second) {
        diagnostics_.Error(diag::Code::kProducedTwice, WhereOf(item.id),
                           fmt::format("two tensors of rank {} are named `{}`", rank, diag::Printable(stored.name)));
      }
      table.push_back(std::move(stored));
      entries.push_back(item.entry);
    }
  }

  // The original of a second copy, as its name is without local numbers.
  std::string OriginalOf(const Item& item) const {
    const size_t number = end_.tensors[item.id].family;
    if (number == bind::kNoFamily || !end_.families[number].tied) return "";
    auto values = end_.families[number].pattern.Match(end_.NameOf(item.id));
    return values ? end_.families[*end_.families[number].tied].pattern.Spell(*values) : "";
  }

  // The name inside a file: numbered locally where the placement says so, states by their template.
  std::string NameOf(const Item& item) const {
    const Tensor& tensor = end_.tensors[item.id];
    if (tensor.family == bind::kNoFamily) return end_.NameOf(item.id);
    std::string name = bind::LocalName(end_, end_.families[tensor.family], item.stages, end_.NameOf(item.weight));
    if (tensor.role < 0) return name;
    return end_.roles[static_cast<size_t>(tensor.role)].NameFor(name);
  }

  Shape ShapeOf(const Item& item, int64_t rank) const {
    if (item.entry.kind == ContentEntry::Kind::kScalar) {
      const index::ScalarTarget& scalar = index_.scalars[item.entry.index];
      if (scalar.sources.empty()) return {};
      const Tensor& source = program_.ends[0].tensors[scalar.sources[0]];
      const bind::Holder& holder = program_.ends[0].holders[source.first_holder];
      const uint32_t shape = source_.tables[program_.ends[0].groups[holder.group].table][holder.entry].shape;
      return shape == StoredTensor::kUnknown ? Shape() : source_.shapes[shape];
    }
    const Shape& shape = item.layout->blocks[item.layout->of_rank[static_cast<size_t>(rank)]].shape;
    if (item.entry.kind == ContentEntry::Kind::kTensor) return shape;
    return ScaleShape(shape, end_.families[end_.tensors[item.id].family].blocks);
  }

  const bind::Program& program_;
  const index::IndexProgram& index_;
  const Schema& source_;
  const End& end_;
  Layouts& layouts_;
  diag::Diagnostics& diagnostics_;
  std::vector<std::pair<int64_t, int64_t>> groups_;  // by family: (group, order)
  std::vector<Item> items_;
  std::vector<const Item*> declared_;
  std::vector<const Layout*> distinct_;
  std::set<size_t> ends_on_;  // mesh axes on whose ends some tensor stands alone
};

}  // namespace

Shape ScaleShape(const Shape& weight, const std::vector<int64_t>& blocks) {
  Shape out;
  for (size_t i = 0; i < weight.size(); ++i) {
    int64_t block = i < blocks.size() ? blocks[i] : 1;
    out.push_back((weight[i] + block - 1) / block);
  }
  return out;
}

std::optional<Content> MakeContent(const bind::Program& program, const index::IndexProgram& index, const Schema& source,
                                   Layouts& layouts, const std::vector<int64_t>& ranks, WantedCuts cuts,
                                   diag::Diagnostics& diagnostics) {
  return ContentMaker(program, index, source, layouts, diagnostics).Make(ranks, cuts);
}

}  // namespace aoa::plan
