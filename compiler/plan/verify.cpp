// The laws of a plan, checked on the plan alone: nothing is taken from what made it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/core/text.h"
#include "compiler/plan/build_plan.h"
#include "compiler/plan/jobs.h"

namespace aoa::plan {
namespace {

// Blocks with more elements are not walked.
constexpr int64_t kMostElements = int64_t{1} << 28;

// Which of n elements have been written.
class Written {
 public:
  explicit Written(int64_t n) : bits_(static_cast<size_t>(n), false) {}

  // False if one of them was written before.
  bool Add(int64_t first, int64_t count) {
    auto begin = bits_.begin() + first, end = begin + count;
    if (std::find(begin, end, true) != end) return false;
    std::fill(begin, end, true);
    return true;
  }
  std::optional<int64_t> FirstMissing() const {
    auto it = std::find(bits_.begin(), bits_.end(), false);
    return it == bits_.end() ? std::nullopt : std::optional<int64_t>(it - bits_.begin());
  }

 private:
  std::vector<bool> bits_;
};

class Verifier {
 public:
  explicit Verifier(const Plan& plan) : plan_(plan) {}

  std::string Verify() {
    CheckTables();
    for (size_t f = 0; f < plan_.in_files.size() && ok(); ++f) CheckStretches(f);
    for (uint32_t p = 0; p < plan_.programs.size() && ok(); ++p) CheckProgram(p);
    for (uint32_t f = 0; f < plan_.out_files.size() && ok(); ++f) CheckFile(f);
    for (uint64_t s = 0; s < plan_.out_shards.size() && ok(); ++s) {
      CheckReads(plan_.out_shards[s].program, plan_.out_shards[s].first_slot, fmt::format("shard {}", s));
    }
    for (size_t a = 0; a < plan_.agreements.size() && ok(); ++a) CheckAgreement(a);
    for (size_t n = 0; n < plan_.norms.size() && ok(); ++n) {
      CheckReads(plan_.norms[n].program, plan_.norms[n].first_slot, fmt::format("norm {}", n));
    }
    if (ok()) CheckJobs();
    return broken_;
  }

 private:
  bool ok() const { return broken_.empty(); }
  template <class... Args>
  void Require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
    if (!condition && ok()) broken_ = fmt::format(format, std::forward<Args>(args)...);
  }

  const Plan::Digit& DigitOf(const Plan::Move& move, uint32_t d) const { return plan_.digits[move.first_digit + d]; }
  uint64_t BytesOf(const Plan::BlockProgram& program) const {
    return static_cast<uint64_t>(program.elements) * static_cast<uint64_t>(program.width);
  }

  // Numbers that index other tables.
  void CheckTables() {
    for (size_t m = 0; m < plan_.moves.size() && ok(); ++m) {
      const Plan::Move& move = plan_.moves[m];
      Require(uint64_t{move.first_digit} + move.digits <= plan_.digits.size(), "move {} has digits that are not there",
              m);
      Require(move.how == Plan::How::kFill || move.chain < plan_.chains.size(), "move {} has a chain that is not there",
              m);
      Require(move.how != Plan::How::kKernel || move.kernel < plan_.kernels.size(),
              "move {} has a kernel that is not there", m);
    }
    for (size_t p = 0; p < plan_.programs.size() && ok(); ++p) {
      const Plan::BlockProgram& program = plan_.programs[p];
      Require(uint64_t{program.first_move} + program.moves <= plan_.moves.size(),
              "program {} has moves that are not there", p);
      Require(program.chunk > 0 && program.unit > 0, "program {} is not scheduled", p);
    }
    for (size_t s = 0; s < plan_.out_shards.size() && ok(); ++s) {
      Require(plan_.out_shards[s].program < plan_.programs.size(), "shard {} has a program that is not there", s);
    }
  }

  // ------------------------------------------------------------ every element of a block is written once

  void CheckProgram(uint32_t number) {
    const Plan::BlockProgram& program = plan_.programs[number];
    bool walked = program.elements <= kMostElements;
    Written written(walked ? program.elements : 0);
    int64_t sum = 0;
    for (uint32_t m = program.first_move; m < program.first_move + program.moves && ok(); ++m) {
      const Plan::Move& move = plan_.moves[m];
      int64_t count = 1, reach = move.out_base;
      for (uint32_t d = 0; d < move.digits; ++d) {
        const Plan::Digit& digit = DigitOf(move, d);
        Require(digit.extent > 0 && digit.out >= 0 && digit.in >= 0, "move {} has a digit that is no index", m);
        Require(digit.tile > 0 && digit.tile <= digit.extent, "move {} has a tile beyond its digit", m);
        count *= digit.extent;
        reach += (digit.extent - 1) * digit.out;
      }
      Require(move.out_base >= 0 && reach < program.elements, "move {} of program {} writes beyond its block", m,
              number);
      if (ok() && walked) Require(Walk(move, written), "move {} of program {} writes an element again", m, number);
      sum += count;
    }
    Require(sum == program.elements, "program {} writes {} of {} elements", number, sum, program.elements);
    if (!ok() || !walked) return;
    auto missing = written.FirstMissing();
    Require(!missing, "program {} does not write element {}", number, missing.value_or(0));
  }

  // Marks what a move writes, run by run. False if something of it was written before.
  bool Walk(const Plan::Move& move, Written& written) const {
    int64_t run = 1;
    uint32_t outer = move.digits;
    while (outer > 0 && DigitOf(move, outer - 1).out == run) run *= DigitOf(move, --outer).extent;
    std::vector<int64_t> index(outer, 0);
    for (;;) {
      int64_t at = move.out_base;
      for (uint32_t d = 0; d < outer; ++d) at += index[d] * DigitOf(move, d).out;
      if (!written.Add(at, run)) return false;
      uint32_t d = outer;
      while (d > 0 && ++index[d - 1] == DigitOf(move, d - 1).extent) index[--d] = 0;
      if (d == 0) return true;
    }
  }

  // ------------------------------------------------------------ every byte of a file is written once

  void CheckFile(uint32_t number) {
    const Plan::OutFile& file = plan_.out_files[number];
    uint64_t head = 0;
    for (const auto& part : file.head) head += part->size();
    Require(head == file.data_start, "file {} has a head of {} bytes and data at {}", number, head, file.data_start);
    std::vector<std::pair<uint64_t, uint64_t>> ranges;  // (offset, bytes)
    for (uint64_t s = file.first_shard; s < file.first_shard + file.shards; ++s) {
      ranges.emplace_back(plan_.out_shards[s].offset, BytesOf(plan_.programs[plan_.out_shards[s].program]));
    }
    Require(std::is_sorted(ranges.begin(), ranges.end()), "the shards of file {} are not in order", number);
    for (const Plan::ScalarShard& scalar : plan_.scalar_shards) {
      if (scalar.file != number) continue;
      ranges.emplace_back(scalar.offset, static_cast<uint64_t>(Width(plan_.scalars[scalar.scalar].dtype)));
    }
    if (file.inserts) {
      for (const Insert& insert : *file.inserts) ranges.emplace_back(insert.offset, insert.bytes);
    }
    std::sort(ranges.begin(), ranges.end());
    uint64_t at = file.data_start;
    for (const auto& [offset, bytes] : ranges) {
      Require(offset == at, "file {} has a tensor or insert at {}, after the last one's end at {}", number, offset, at);
      at = offset + bytes;
    }
    Require(at == file.size, "the tensors of file {} end at {} of {} bytes", number, at, file.size);
  }

  // ------------------------------------------------------------ reads stay inside their files

  void CheckStretches(size_t number) {
    const Plan::InFile& file = plan_.in_files[number];
    if (!file.stretches) return;
    uint64_t at = 0;
    for (const Stretch& stretch : *file.stretches) {
      Require(stretch.begin == at, "file {} has a stretch at {}, after the last one's end at {}", number, stretch.begin,
              at);
      Require(stretch.store < plan_.stores.size() && stretch.offset <= plan_.stores[stretch.store].size &&
                  stretch.bytes <= plan_.stores[stretch.store].size - stretch.offset,
              "the stretch at {} of file {} lies outside of its store", stretch.begin, number);
      at += stretch.bytes;
    }
    Require(at == file.size, "the stretches of file {} end at {} of {} bytes", number, at, file.size);
  }

  void CheckReads(uint32_t number, uint32_t first_slot, const std::string& who) {
    const Plan::BlockProgram& program = plan_.programs[number];
    for (uint32_t m = program.first_move; m < program.first_move + program.moves && ok(); ++m) {
      const Plan::Move& move = plan_.moves[m];
      if (move.how == Plan::How::kFill) continue;
      uint64_t slot = uint64_t{first_slot} + move.slot;
      Require(slot < plan_.slots.size(), "{} has a slot that is not there", who);
      uint64_t block = ok() ? uint64_t{plan_.slots[slot]} + move.block : 0;
      Require(block < plan_.in_shards.size(), "{} reads a block that is not there", who);
      if (!ok()) return;
      int64_t last = move.in_base;
      for (uint32_t d = 0; d < move.digits; ++d) last += (DigitOf(move, d).extent - 1) * DigitOf(move, d).in;
      CheckRead(plan_.in_shards[block], move.in_base,
                static_cast<uint64_t>(last + 1) * static_cast<uint64_t>(Width(move.in)), who);
    }
  }

  void CheckRead(const Plan::InShard& shard, int64_t first, uint64_t end, const std::string& who) {
    Require(shard.file < plan_.in_files.size(), "{} reads a block that no file has", who);
    if (!ok()) return;
    const Plan::InFile& file = plan_.in_files[shard.file];
    Require(first >= 0 && shard.offset <= file.size && end <= file.size - shard.offset, "{} reads beyond {}", who,
            Printable(file.path));
  }

  void CheckAgreement(size_t number) {
    const Plan::Agreement& agreement = plan_.agreements[number];
    std::string who = fmt::format("agreement {}", number);
    uint64_t bytes = agreement.bytes;
    if (agreement.program == Plan::kNoProgram) {
      CheckRead(agreement.a, 0, bytes, who);
    } else {
      CheckReads(agreement.program, agreement.first_slot, who);
      bytes = BytesOf(plan_.programs[agreement.program]);
    }
    if (agreement.stored == Plan::kNoProgram) {
      CheckRead(agreement.b, 0, bytes, who);
    } else {
      CheckReads(agreement.stored, agreement.stored_slot, who);
    }
  }

  // ------------------------------------------------------------ jobs

  // Ranges of a file follow each other and end on units; a tiled move has each of its tiles once; no job is larger than
  // said.
  void CheckJobs() {
    std::map<uint64_t, uint64_t> end_of;                         // of what is covered of a shard, by shard
    std::map<std::pair<uint64_t, uint32_t>, uint64_t> tiles_of;  // by shard and move
    for (size_t j = 0; j < plan_.jobs.size() && ok(); ++j) {
      const Plan::Job& job = plan_.jobs[j];
      Require(job.shards > 0 && job.first_shard + job.shards <= plan_.out_shards.size(),
              "job {} has shards that are not there", j);
      if (!ok()) return;
      if (job.tile) {
        Require(job.lo == tiles_of[{job.first_shard, job.move}]++, "job {} is out of order", j);
        CheckMemory(j, plan_.programs[plan_.out_shards[job.first_shard].program].staging);
        continue;
      }
      uint64_t staging = 0;
      for (uint64_t s = job.first_shard; s < job.first_shard + job.shards && ok(); ++s) {
        const Plan::BlockProgram& program = plan_.programs[plan_.out_shards[s].program];
        staging = std::max(staging, program.staging);
        Cover(j, s, program, end_of);
      }
      CheckMemory(j, job.hi - job.lo + staging);
    }
    for (uint64_t s = 0; s < plan_.out_shards.size() && ok(); ++s) CheckCovered(s, end_of, tiles_of);
    Require(plan_.first_job <= plan_.end_job && plan_.end_job <= plan_.jobs.size(), "the part is outside of the jobs");
  }

  void CheckMemory(size_t job, uint64_t bytes) {
    Require(bytes <= plan_.job_memory, "job {} needs {} bytes of {}", job, bytes, plan_.job_memory);
  }

  void Cover(size_t j, uint64_t s, const Plan::BlockProgram& program, std::map<uint64_t, uint64_t>& end_of) {
    const Plan::Job& job = plan_.jobs[j];
    const Plan::OutShard& shard = plan_.out_shards[s];
    uint64_t end = shard.offset + BytesOf(program), lo = std::max(job.lo, shard.offset), hi = std::min(job.hi, end);
    uint64_t expected = end_of.try_emplace(s, shard.offset).first->second;
    Require(lo == expected && lo < hi, "job {} covers shard {} from {}, not from {}", j, s, lo, expected);
    auto unit = static_cast<uint64_t>(program.unit) * static_cast<uint64_t>(program.width);
    Require((hi - shard.offset) % unit == 0 || hi == end, "job {} ends inside a unit of shard {}", j, s);
    Require((hi - lo) <= static_cast<uint64_t>(program.chunk) * static_cast<uint64_t>(program.width),
            "job {} is longer than a chunk of shard {}", j, s);
    end_of[s] = hi;
  }

  void CheckCovered(uint64_t s, const std::map<uint64_t, uint64_t>& end_of,
                    const std::map<std::pair<uint64_t, uint32_t>, uint64_t>& tiles_of) {
    const Plan::BlockProgram& program = plan_.programs[plan_.out_shards[s].program];
    if (!program.tiled) {
      auto it = end_of.find(s);
      Require(it != end_of.end() && it->second == plan_.out_shards[s].offset + BytesOf(program),
              "shard {} is not covered by jobs", s);
      return;
    }
    for (uint32_t m = program.first_move; m < program.first_move + program.moves; ++m) {
      auto it = tiles_of.find({s, m});
      auto tiles = static_cast<uint64_t>(TileCount(plan_, plan_.moves[m]));
      Require(it != tiles_of.end() && it->second == tiles, "move {} of shard {} has not {} tiles", m, s, tiles);
    }
  }

  const Plan& plan_;
  std::string broken_;
};

}  // namespace

std::string Verify(const Plan& plan) { return Verifier(plan).Verify(); }

}  // namespace aoa::plan
