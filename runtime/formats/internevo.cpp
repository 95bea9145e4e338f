#include "runtime/formats/internevo.h"

#include "runtime/formats/companions.h"
#include "runtime/formats/internevo_files.h"
#include "runtime/formats/internevo_reader.h"
#include "runtime/formats/internevo_writer.h"

namespace aoa::formats {

bool InternEvoFormat::Recognizes(const std::string& path) const { return LooksLikeInternEvo(path); }

Result<Schema> InternEvoFormat::Read(const std::string& path, const ReadOptions& options) const {
  return ReadInternEvo(path, options.threads);
}

Result<TargetLayout> InternEvoFormat::LayOut(const TargetContent& content, const WriteOptions& options) const {
  return LayOutInternEvo(content, options);
}

std::vector<std::string> InternEvoFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
