// Damage to files of checkpoints that readers get to see: what checksums would catch at once is mended.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aoa::fuzz {

// A file as the parts that damage is done to: the records of a zip archive, or the whole file. Archives that stand one
// behind the other keep their sizes, since another file says where each of them lies.
class DamageableFile {
 public:
  explicit DamageableFile(std::string content);

  size_t parts() const { return parts_.empty() ? 1 : parts_.size(); }
  // The file after `edits` of a part, with right checksums. An edit is five bytes: three for the place, what to do, and
  // an argument; bytes that are left over do nothing.
  std::string Damaged(size_t part, std::string_view edits) const;

 private:
  struct Part {
    std::string name, content;
    std::vector<uint32_t> places;  // near texts, where structure is and not tensors
  };
  static std::vector<uint32_t> PlacesOf(std::string_view content);
  std::string Edited(const Part& part, std::string_view edits) const;

  Part whole_;
  std::vector<Part> parts_;  // of an archive
  bool fixed_size_ = false;
};

// Puts the CRC-32 of every record of every zip archive in `file`, wherever it begins, into the archive's directory and
// the record's header. What does not look like an archive stays.
void MendChecksums(std::string& file);

}  // namespace aoa::fuzz
