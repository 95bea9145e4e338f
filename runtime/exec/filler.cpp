#include "runtime/exec/filler.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "compiler/core/check.h"
#include "compiler/core/convert.h"
#include "compiler/core/index_map.h"
#include "runtime/exec/elements.h"

namespace aoa::exec {
namespace {

// Calls visit(offsets...) for every index of some digits: an odometer over counts with two strides each.
template <class Visit>
Status Odometer(const std::vector<int64_t>& counts, const std::vector<std::pair<int64_t, int64_t>>& strides, Visit visit) {
  std::vector<int64_t> index(counts.size(), 0);
  int64_t a = 0, b = 0;
  for (;;) {
    AOA_RETURN_IF_ERROR(visit(a, b));
    size_t i = counts.size();
    while (i-- > 0) {
      a += strides[i].first;
      b += strides[i].second;
      if (++index[i] < counts[i]) break;
      a -= strides[i].first * counts[i];
      b -= strides[i].second * counts[i];
      index[i] = 0;
    }
    if (i == SIZE_MAX) return Status();
  }
}

void FillRun(std::byte* out, int64_t count, uint64_t bits, int width) {
  if (bits == 0) {
    std::memset(out, 0, static_cast<size_t>(count * width));
    return;
  }
  for (int64_t i = 0; i < count; ++i) std::memcpy(out + i * width, &bits, static_cast<size_t>(width));
}

}  // namespace

std::vector<size_t> Filler::ByIn(const Plan::Move& move) const {
  std::vector<size_t> order(move.digits);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return DigitOf(move, a).in < DigitOf(move, b).in; });
  return order;
}

int64_t Filler::InStart(const Box& box) const {
  int64_t start = box.move.in_base;
  for (size_t i = 0; i < box.move.digits; ++i) start += box.first[i] * DigitOf(box.move, i).in;
  return start;
}

// ---------------------------------------------------------------- ranges and tiles

Status Filler::Range(const Plan::Job& job, std::span<std::byte> out) {
  for (uint64_t s = job.first_shard; s < job.first_shard + job.shards; ++s) {
    const Plan::OutShard& shard = plan_.out_shards[s];
    const Plan::BlockProgram& program = plan_.programs[shard.program];
    auto width = static_cast<uint64_t>(program.width);
    uint64_t end = shard.offset + static_cast<uint64_t>(program.elements) * width;
    uint64_t lo = std::max(job.lo, shard.offset), hi = std::min(job.hi, end);
    AOA_RETURN_IF_ERROR(Elements(shard, static_cast<int64_t>((lo - shard.offset) / width), static_cast<int64_t>((hi - shard.offset) / width), out.subspan(lo - job.lo, hi - lo)));
  }
  return Status();
}

Status Filler::Elements(const Plan::OutShard& shard, int64_t lo, int64_t hi, std::span<std::byte> out) {
  const Plan::BlockProgram& program = plan_.programs[shard.program];
  std::vector<FormDigit> form;
  for (uint32_t m = 0; m < program.moves; ++m) {
    const Plan::Move& move = plan_.moves[program.first_move + m];
    form.clear();
    for (size_t i = 0; i < move.digits; ++i) form.push_back({DigitOf(move, i).extent, DigitOf(move, i).out});
    Status status;
    SplitInterval(form, lo - move.out_base, hi - move.out_base, [&](const std::vector<int64_t>& first, const std::vector<int64_t>& count) {
      if (!status.ok()) return;
      int64_t at = move.out_base - lo;
      for (size_t i = 0; i < form.size(); ++i) at += first[i] * form[i].stride;
      status = Fill({move, shard, first, count, out.data() + at * program.width, false});
    });
    AOA_RETURN_IF_ERROR(std::move(status));
  }
  return Status();
}

Status Filler::Tile(const Plan::Job& job, std::span<std::byte> out, const WriteRun& write) {
  const Plan::OutShard& shard = plan_.out_shards[job.first_shard];
  const Plan::Move& move = plan_.moves[job.move];
  int width = plan_.programs[shard.program].width;
  std::vector<int64_t> first(move.digits), count(move.digits);
  auto number = static_cast<int64_t>(job.lo);
  for (size_t i = move.digits; i-- > 0;) {
    const Plan::Digit& digit = DigitOf(move, i);
    int64_t tiles = (digit.extent + digit.tile - 1) / digit.tile;
    first[i] = number % tiles * digit.tile;
    count[i] = std::min(digit.tile, digit.extent - first[i]);
    number /= tiles;
  }
  AOA_RETURN_IF_ERROR(Fill({move, shard, first, count, out.data(), true}));
  // Runs: the inner digits that lie dense both in the buffer and in the file.
  int64_t run = 1, at = move.out_base;
  size_t outer = move.digits;
  while (outer > 0 && DigitOf(move, outer - 1).out == run && DigitOf(move, outer - 1).staged_out == run) run *= count[--outer];
  std::vector<int64_t> counts(count.begin(), count.begin() + static_cast<ptrdiff_t>(outer));
  std::vector<std::pair<int64_t, int64_t>> strides;
  for (size_t i = 0; i < outer; ++i) strides.emplace_back(DigitOf(move, i).out, DigitOf(move, i).staged_out);
  for (size_t i = 0; i < move.digits; ++i) at += first[i] * DigitOf(move, i).out;
  return Odometer(counts, strides, [&](int64_t in_file, int64_t in_buffer) {
    return write(shard.offset + static_cast<uint64_t>((at + in_file) * width), out.subspan(static_cast<size_t>(in_buffer * width), static_cast<size_t>(run * width)));
  });
}

void Filler::Constants(const Plan::BlockProgram& program, int64_t lo, int64_t hi, std::span<std::byte> out) {
  static const Plan::OutShard none;
  std::vector<FormDigit> form;
  for (uint32_t m = 0; m < program.moves; ++m) {
    const Plan::Move& move = plan_.moves[program.first_move + m];
    if (move.how != Plan::How::kFill) continue;
    form.clear();
    for (size_t i = 0; i < move.digits; ++i) form.push_back({DigitOf(move, i).extent, DigitOf(move, i).out});
    SplitInterval(form, lo - move.out_base, hi - move.out_base, [&](const std::vector<int64_t>& first, const std::vector<int64_t>& count) {
      int64_t at = move.out_base - lo;
      for (size_t i = 0; i < form.size(); ++i) at += first[i] * form[i].stride;
      (void)Constant({move, none, first, count, out.data() + at * program.width, false});
    });
  }
}

// ---------------------------------------------------------------- boxes

Status Filler::Fill(const Box& box) {
  if (std::any_of(box.count.begin(), box.count.end(), [](int64_t n) { return n == 0; })) return Status();
  if (box.move.how == Plan::How::kFill) return Constant(box);
  if (box.move.how == Plan::How::kScalar || !context_.kernels) return ElementWise(box);
  return box.move.how == Plan::How::kRead ? Direct(box) : Staged(box);
}

Status Filler::Constant(const Box& box) {
  int width = Width(box.move.out);
  int64_t run = 1;
  size_t outer = box.move.digits;
  while (outer > 0 && OutStride(box, outer - 1) == run) run *= box.count[--outer];
  std::vector<int64_t> counts(box.count.begin(), box.count.begin() + static_cast<ptrdiff_t>(outer));
  std::vector<std::pair<int64_t, int64_t>> strides;
  for (size_t i = 0; i < outer; ++i) strides.emplace_back(OutStride(box, i), 0);
  return Odometer(counts, strides, [&](int64_t at, int64_t) {
    FillRun(box.out + at * width, run, box.move.constant, width);
    return Status();
  });
}

// Runs go from the file to their places: one read for each stretch of the file, scattered over the runs in it.
Status Filler::Direct(const Box& box) {
  const Plan::InShard& source = Source(box);
  int width = Width(box.move.in);
  std::vector<size_t> order = ByIn(box.move);
  // The innermost digit is the run; digits that continue it in the file are one stretch.
  size_t inner = 0;
  int64_t stretch = 1, run = 1;
  while (inner < order.size() && (DigitOf(box.move, order[inner]).in == stretch || box.count[order[inner]] == 1)) {
    if (run == stretch && (OutStride(box, order[inner]) == run || box.count[order[inner]] == 1)) run *= box.count[order[inner]];
    stretch *= box.count[order[inner]];
    ++inner;
  }
  std::vector<int64_t> counts, inner_counts;
  std::vector<std::pair<int64_t, int64_t>> strides, inner_strides;
  for (size_t i = order.size(); i-- > inner;) {
    counts.push_back(box.count[order[i]]);
    strides.emplace_back(DigitOf(box.move, order[i]).in, OutStride(box, order[i]));
  }
  int64_t held = 1;
  for (size_t i = 0; i < inner; ++i) {
    int64_t before = held;
    held *= box.count[order[i]];
    if (held <= run) continue;
    inner_counts.insert(inner_counts.begin(), box.count[order[i]]);
    inner_strides.insert(inner_strides.begin(), {before, OutStride(box, order[i])});
  }
  int64_t start = InStart(box);
  return Odometer(counts, strides, [&](int64_t in, int64_t out) -> Status {
    uint64_t offset = source.offset + static_cast<uint64_t>((start + in) * width);
    parts_.clear();
    (void)Odometer(inner_counts, inner_strides, [&](int64_t, int64_t at) {
      parts_.emplace_back(box.out + (out + at) * width, static_cast<size_t>(run * width));
      return Status();
    });
    if (parts_.size() == 1) return context_.sources.Read(source.file, offset, parts_[0]);
    return context_.sources.ReadScattered(source.file, offset, parts_);
  });
}

// Reads the spans of a box one after the other into the staging buffer.
Status Filler::ReadSpans(const Box& box) {
  const Plan::InShard& source = Source(box);
  int width = Width(box.move.in);
  std::vector<size_t> order = ByIn(box.move);
  int64_t span = 1;
  for (size_t i = 0; i < box.move.inner; ++i) span += (box.count[order[i]] - 1) * DigitOf(box.move, order[i]).in;
  std::vector<int64_t> counts;
  std::vector<std::pair<int64_t, int64_t>> strides;
  int64_t size = span;
  for (size_t i = order.size(); i-- > box.move.inner;) {
    counts.push_back(box.count[order[i]]);
    strides.emplace_back(DigitOf(box.move, order[i]).in, DigitOf(box.move, order[i]).staged_in);
    size += (box.count[order[i]] - 1) * DigitOf(box.move, order[i]).staged_in;
  }
  auto bytes = static_cast<size_t>(size * width);
  if (staging_.size() < bytes) staging_.resize(bytes);
  int64_t start = InStart(box);
  return Odometer(counts, strides, [&](int64_t in, int64_t staged) {
    return context_.sources.Read(source.file, source.offset + static_cast<uint64_t>((start + in) * width), std::span(staging_).subspan(static_cast<size_t>(staged * width), static_cast<size_t>(span * width)));
  });
}

Status Filler::Staged(const Box& box) {
  AOA_RETURN_IF_ERROR(ReadSpans(box));
  const KernelKey& key = plan_.kernels[box.move.kernel];
  std::vector<int64_t> extents;
  int64_t table = box.move.table_base;
  for (size_t i = 0; i < box.move.digits; ++i) {
    table += box.first[i] * DigitOf(box.move, i).table;
    if (key.dims[i].extent == 0) extents.push_back(box.count[i]);
    else AOA_CHECK(box.count[i] == key.dims[i].extent, "a job cuts a digit that its kernel holds whole");
  }
  const double* norms = box.shard.norms == 0xFFFFFFFF ? nullptr : context_.norms[box.shard.norms].data() + table;
  AOA_ASSIGN_OR_RETURN(KernelFunction kernel, context_.kernels(box.move.kernel));
  uint32_t flags = kernel(staging_.data(), box.out, extents.data(), norms);
  return flags ? Mistake(box, flags) : Status();
}

Status Filler::ElementWise(const Box& box) {
  ElementReader reader(context_.sources);
  int64_t in = InStart(box), table = box.move.table_base;
  for (size_t i = 0; i < box.move.digits; ++i) table += box.first[i] * DigitOf(box.move, i).table;
  const ValueChain& chain = plan_.chains[box.move.chain];
  int in_width = Width(box.move.in), out_width = Width(box.move.out);
  const std::vector<double>* norms = box.shard.norms == 0xFFFFFFFF ? nullptr : &context_.norms[box.shard.norms];
  std::vector<Plan::InShard> sources = {Source(box)};
  uint32_t in_shard = plan_.slots[box.shard.first_slot + box.move.slot] + box.move.block;
  if (!chain.empty() && chain[0].kind == ValueStep::Kind::kMean) {
    for (const Plan::Replicas& replicas : plan_.replicas) {
      if (replicas.in_shard == in_shard) sources = replicas.all;
    }
  }
  uint32_t flags = 0;
  std::vector<int64_t> index(box.move.digits, 0);
  for (;;) {
    int64_t at = in, out = 0, row = table;
    for (size_t i = 0; i < index.size(); ++i) {
      at += index[i] * DigitOf(box.move, i).in;
      out += index[i] * OutStride(box, i);
      row += index[i] * DigitOf(box.move, i).table;
    }
    AOA_ASSIGN_OR_RETURN(uint64_t bits, reader.Value(sources, box.move.in, static_cast<uint64_t>(at * in_width), chain, norms ? (*norms)[static_cast<size_t>(row)] : 1, flags));
    if (flags) return Mistake(box, flags);
    std::memcpy(box.out + out * out_width, &bits, static_cast<size_t>(out_width));
    size_t i = index.size();
    while (i-- > 0 && ++index[i] == box.count[i]) index[i] = 0;
    if (i == SIZE_MAX) return Status();
  }
}

// Finds the element that does not fit: the first in the order of the target.
Status Filler::Mistake(const Box& box, uint32_t) {
  ElementReader reader(context_.sources);
  const ValueChain& chain = plan_.chains[box.move.chain];
  int width = Width(box.move.in);
  std::string name = context_.target_name ? context_.target_name(box.shard.target) : "a tensor";
  std::vector<int64_t> index(box.move.digits, 0);
  int64_t start = InStart(box);
  for (;;) {
    int64_t at = start, out = box.move.out_base;
    for (size_t i = 0; i < index.size(); ++i) {
      at += index[i] * DigitOf(box.move, i).in;
      out += (box.first[i] + index[i]) * DigitOf(box.move, i).out;
    }
    uint32_t flags = 0;
    AOA_ASSIGN_OR_RETURN(uint64_t bits, reader.Bits(Source(box), static_cast<uint64_t>(at * width), width));
    (void)Apply(chain, box.move.in, bits, 1, flags);
    if (flags) {
      double value = Decode(box.move.in, bits);
      std::string what = flags & kKernelInfinity ? "an infinity, which " + std::string(Name(box.move.out)) + " does not have" : ElementReader::Show(value) + ", too large for " + std::string(Name(box.move.out));
      return Status::Invalid("`" + name + "`: element " + std::to_string(out) + " is " + what + " (`cast=saturate` takes the largest finite value, `cast=inf` an infinity)");
    }
    size_t i = index.size();
    while (i-- > 0 && ++index[i] == box.count[i]) index[i] = 0;
    if (i == SIZE_MAX) break;
  }
  return Status::Invalid("`" + name + "`: a value does not fit " + std::string(Name(box.move.out)));
}

}  // namespace aoa::exec
