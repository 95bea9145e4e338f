#include "runtime/exec/filler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "compiler/core/check.h"
#include "compiler/core/convert.h"
#include "compiler/core/index_map.h"
#include "compiler/core/text.h"

namespace aoa::exec {
namespace {

// Calls visit(offsets...) for every index of some digits: an odometer over counts with two strides each.
template <class Visit>
Status Odometer(const std::vector<int64_t>& counts, const std::vector<std::pair<int64_t, int64_t>>& strides,
                Visit visit) {
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
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return DigitOf(move, a).in < DigitOf(move, b).in; });
  return order;
}

int64_t Filler::InStart(const Box& box) const {
  int64_t start = box.move.in_base;
  for (size_t i = 0; i < box.move.digits; ++i) start += box.first[i] * DigitOf(box.move, i).in;
  return start;
}

// ---------------------------------------------------------------- ranges and tiles

// Calls visit(shard, lo, hi) for the elements of the shards that a range touches.
template <class Visit>
Status EachShard(const Plan& plan, const Plan::Job& job, Visit visit) {
  for (uint64_t s = job.first_shard; s < job.first_shard + job.shards; ++s) {
    const Plan::OutShard& shard = plan.out_shards[s];
    const Plan::BlockProgram& program = plan.programs[shard.program];
    auto width = static_cast<uint64_t>(program.width);
    uint64_t lo = std::max(job.lo, shard.offset),
             hi = std::min(job.hi, shard.offset + static_cast<uint64_t>(program.elements) * width);
    AOA_RETURN_IF_ERROR(visit(shard, static_cast<int64_t>((lo - shard.offset) / width),
                              static_cast<int64_t>((hi - shard.offset) / width)));
  }
  return Status();
}

Status Filler::Range(const Plan::Job& job, std::span<std::byte> out) {
  return EachShard(plan_, job, [&](const Plan::OutShard& shard, int64_t lo, int64_t hi) {
    auto width = static_cast<int64_t>(plan_.programs[shard.program].width);
    auto at = shard.offset + static_cast<uint64_t>(lo * width) - job.lo;
    return Elements(shard, lo, hi, out.subspan(at, static_cast<size_t>((hi - lo) * width)));
  });
}

Status Filler::Elements(const Plan::OutShard& shard, int64_t lo, int64_t hi, std::span<std::byte> out) {
  const Plan::BlockProgram& program = plan_.programs[shard.program];
  std::vector<FormDigit> form;
  for (uint32_t m = 0; m < program.moves; ++m) {
    const Plan::Move& move = plan_.moves[program.first_move + m];
    form.clear();
    for (size_t i = 0; i < move.digits; ++i) form.push_back({DigitOf(move, i).extent, DigitOf(move, i).out});
    Status status;
    SplitInterval(form, lo - move.out_base, hi - move.out_base,
                  [&](const std::vector<int64_t>& first, const std::vector<int64_t>& count) {
                    if (!status.ok()) return;
                    int64_t at = move.out_base - lo;
                    for (size_t i = 0; i < form.size(); ++i) at += first[i] * form[i].stride;
                    status = Fill({move, shard, first, count, out.data() + at * program.width, false});
                  });
    AOA_RETURN_IF_ERROR(std::move(status));
  }
  return Status();
}

void Filler::Prefetch(const Plan::Job& job) {
  prefetching_ = true;
  prefetches_ = 0;
  if (job.tile) {
    (void)Fill(TileBox(job, nullptr));
  } else {
    (void)EachShard(plan_, job,
                    [&](const Plan::OutShard& shard, int64_t lo, int64_t hi) { return Elements(shard, lo, hi, {}); });
  }
  prefetching_ = false;
}

void Filler::PrefetchStretch(const Plan::InShard& source, uint64_t offset, uint64_t length) {
  constexpr int kMostCalls =
      64;  // of a job: what is more scattered than that, the system's own reading ahead has to find
  if (prefetches_++ < kMostCalls) context_.sources.Prefetch(source.file, offset, length);
}

Filler::Box Filler::TileBox(const Plan::Job& job, std::byte* out) const {
  const Plan::OutShard& shard = plan_.out_shards[job.first_shard];
  const Plan::Move& move = plan_.moves[job.move];
  std::vector<int64_t> first(move.digits), count(move.digits);
  auto number = static_cast<int64_t>(job.lo);
  for (size_t i = move.digits; i-- > 0;) {
    const Plan::Digit& digit = DigitOf(move, i);
    int64_t tiles = (digit.extent + digit.tile - 1) / digit.tile;
    first[i] = number % tiles * digit.tile;
    count[i] = std::min(digit.tile, digit.extent - first[i]);
    number /= tiles;
  }
  return {move, shard, std::move(first), std::move(count), out, true};
}

Status Filler::Tile(const Plan::Job& job, std::span<std::byte> out) { return Fill(TileBox(job, out.data())); }

Status Filler::EachRun(const Plan::Job& job, const VisitRun& visit) const {
  const Box box = TileBox(job, nullptr);
  const Plan::Move& move = box.move;
  int width = plan_.programs[box.shard.program].width;
  // The inner digits that lie dense both in the buffer and in the file are one run.
  int64_t run = 1, at = move.out_base;
  size_t outer = move.digits;
  while (outer > 0 && DigitOf(move, outer - 1).out == run && DigitOf(move, outer - 1).staged_out == run)
    run *= box.count[--outer];
  std::vector<int64_t> counts(box.count.begin(), box.count.begin() + static_cast<ptrdiff_t>(outer));
  std::vector<std::pair<int64_t, int64_t>> strides;
  for (size_t i = 0; i < outer; ++i) strides.emplace_back(DigitOf(move, i).out, DigitOf(move, i).staged_out);
  for (size_t i = 0; i < move.digits; ++i) at += box.first[i] * DigitOf(move, i).out;
  return Odometer(counts, strides, [&](int64_t in_file, int64_t in_buffer) {
    return visit(box.shard.offset + static_cast<uint64_t>((at + in_file) * width),
                 static_cast<size_t>(in_buffer * width), static_cast<size_t>(run * width));
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
    SplitInterval(form, lo - move.out_base, hi - move.out_base,
                  [&](const std::vector<int64_t>& first, const std::vector<int64_t>& count) {
                    int64_t at = move.out_base - lo;
                    for (size_t i = 0; i < form.size(); ++i) at += first[i] * form[i].stride;
                    (void)Constant({move, none, first, count, out.data() + at * program.width, false});
                  });
  }
}

// ---------------------------------------------------------------- boxes

Status Filler::Fill(const Box& box) {
  if (std::any_of(box.count.begin(), box.count.end(), [](int64_t n) { return n == 0; })) return Status();
  bool constant = box.move.how == Plan::How::kFill,
       element_wise = box.move.how == Plan::How::kScalar || !context_.kernels;
  if (prefetching_ && (constant || element_wise)) return Status();
  if (constant) return Constant(box);
  if (element_wise) return ElementWise(box);
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
    if (run == stretch && (OutStride(box, order[inner]) == run || box.count[order[inner]] == 1))
      run *= box.count[order[inner]];
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
    if (prefetching_) {
      PrefetchStretch(source, offset, static_cast<uint64_t>(stretch * width));
      return Status();
    }
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
  if (!prefetching_) staging_.Reserve(static_cast<size_t>(size * width));
  int64_t start = InStart(box);
  return Odometer(counts, strides, [&](int64_t in, int64_t staged) {
    uint64_t offset = source.offset + static_cast<uint64_t>((start + in) * width);
    auto length = static_cast<size_t>(span * width);
    if (!prefetching_) return context_.sources.Read(source.file, offset, {staging_.data() + staged * width, length});
    PrefetchStretch(source, offset, length);
    return Status();
  });
}

Status Filler::Staged(const Box& box) {
  AOA_RETURN_IF_ERROR(ReadSpans(box));
  if (prefetching_) return Status();
  const KernelKey& key = plan_.kernels[box.move.kernel];
  std::vector<int64_t> extents;
  int64_t table = box.move.table_base;
  for (size_t i = 0; i < box.move.digits; ++i) {
    table += box.first[i] * DigitOf(box.move, i).table;
    if (key.dims[i].extent == 0)
      extents.push_back(box.count[i]);
    else
      AOA_CHECK(box.count[i] == key.dims[i].extent, "a job cuts a digit that its kernel holds whole");
  }
  const double* norms = box.shard.norms == 0xFFFFFFFF ? nullptr : context_.norms[box.shard.norms].data() + table;
  AOA_ASSIGN_OR_RETURN(KernelFunction kernel, context_.kernels(box.move.kernel));
  uint32_t flags = kernel(staging_.data(), box.out, extents.data(), norms);
  if (flags == 0) return Status();
  AOA_RETURN_IF_ERROR(ElementWise(box));  // says which element
  AOA_CHECK(false, "a kernel reports a value that the reference does not: " + ToString(key));
}

Status Filler::ElementWise(const Box& box) {
  const Plan::Move& move = box.move;
  const ValueChain& chain = plan_.chains[move.chain];
  int in_width = Width(move.in), out_width = Width(move.out);
  const std::vector<double>* norms = box.shard.norms == 0xFFFFFFFF ? nullptr : &context_.norms[box.shard.norms];
  std::span<const Plan::InShard> sources(&Source(box), 1);
  if (!chain.empty() && chain[0].kind == ValueStep::Kind::kMean) {
    uint32_t in_shard = plan_.slots[box.shard.first_slot + move.slot] + move.block;
    auto it = std::lower_bound(plan_.replicas.begin(), plan_.replicas.end(), in_shard,
                               [](const Plan::Replicas& r, uint32_t shard) { return r.in_shard < shard; });
    AOA_CHECK(it != plan_.replicas.end() && it->in_shard == in_shard, "a mean without replicas");
    sources = it->all;
  }
  std::vector<int64_t> index(move.digits, 0);
  for (;;) {
    int64_t in = move.in_base, out = 0, number = move.out_base, row = move.table_base;
    for (size_t i = 0; i < index.size(); ++i) {
      in += (box.first[i] + index[i]) * DigitOf(move, i).in;
      row += (box.first[i] + index[i]) * DigitOf(move, i).table;
      number += (box.first[i] + index[i]) * DigitOf(move, i).out;
      out += index[i] * OutStride(box, i);
    }
    uint32_t flags = 0;
    AOA_ASSIGN_OR_RETURN(uint64_t bits, elements_.Value(sources, move.in, static_cast<uint64_t>(in * in_width), chain,
                                                        norms ? (*norms)[static_cast<size_t>(row)] : 1, flags));
    if (flags) return Mistake(box, number, flags);
    std::memcpy(box.out + out * out_width, &bits, static_cast<size_t>(out_width));
    size_t i = index.size();
    while (i-- > 0 && ++index[i] == box.count[i]) index[i] = 0;
    if (i == SIZE_MAX) return Status();
  }
}

Status Filler::Mistake(const Box& box, int64_t element, uint32_t flags) const {
  std::string_view type = Name(box.move.out);
  std::string what =
      flags & kKernelInfinity
          ? fmt::format("is infinite, and {} has no infinity: `cast=saturate` takes its largest number", type)
          : fmt::format("is too large for {}: `cast=saturate` takes its largest number, `cast=inf` an infinity", type);
  return Status::Value(
             fmt::format("`{}`: element {} {}", Printable(context_.target_name(box.shard.target)), element, what))
      .About(box.shard.target);
}

}  // namespace aoa::exec
