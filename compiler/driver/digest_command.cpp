// aoac digest PATH [--md5 | --sha256], aoac digest RULES.aoa SIDE:PATH [--as SIDE]
#include <fmt/format.h>

#include <atomic>

#include "compiler/diag/suggest.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/contents.h"
#include "compiler/driver/manifest.h"
#include "runtime/exec/workers.h"

namespace aoa::driver {
namespace {

std::unique_ptr<Contents> ReadContents(const Options& options, Session& session) {
  if (options.sides.empty()) return Contents::Read(options.rules, options, session);
  auto unit = LoadRules(options.rules, session);
  if (!unit) return nullptr;
  auto spec = ParseSideSpec("digest", options.sides[0], session.diagnostics);
  if (!spec) return nullptr;
  if (spec->path.empty()) {
    session.Misuse(fmt::format("{}: a path is missing", diag::Printable(options.sides[0]))).Expected("SIDE:PATH");
    return nullptr;
  }
  std::string as = !options.as.empty() ? options.as : unit->sides.contains("hf") ? "hf" : spec->side;
  return Contents::ReadAs(*unit, *spec, as, options, session);
}

Exit Digest(const Options& options, Session& session) {
  auto contents = ReadContents(options, session);
  if (!contents) return session.Finish();
  const auto& tensors = contents->tensors();
  std::vector<std::pair<std::string, std::string>> digests(tensors.size());
  std::atomic<size_t> next = 0;
  Status status = exec::RunWorkers(contents->threads(), [&](const std::atomic<bool>& stop) -> Status {
    for (size_t i; !stop && (i = next++) < tensors.size();) {
      AOA_ASSIGN_OR_RETURN(std::string digest, contents->Digest(tensors[i]));
      digests[i] = {tensors[i].head.name, std::move(digest)};
    }
    return Status();
  });
  if (!status.ok()) {
    session.Fail(status);
    return session.Finish();
  }
  std::string whole = exec::DigestOf(digests);
  if (options.json) {
    nlohmann::ordered_json report = {{"digest", whole}, {"tensors", nlohmann::ordered_json::object()}};
    for (const auto& [name, digest] : digests) report["tensors"][name] = digest;
    fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    for (const auto& [name, digest] : digests) fmt::print("{}  {}\n", digest, diag::Printable(name));
    fmt::print("{}  (all {})\n", whole, digests.size());
  }
  return session.Finish();
}

// Of files as they lie, whatever is in them.
Exit Manifest(const Options& options, Session& session) {
  if (!options.sides.empty() || (options.md5 && options.sha256)) {
    session
        .Misuse(options.sides.empty() ? "--md5 and --sha256 stand together"
                                      : "--md5 and --sha256 are digests of files, whose bytes depend on the layout")
        .Expected("aoac digest PATH --md5, or aoac digest PATH --sha256");
    return session.Finish();
  }
  io::Checksum kind = options.md5 ? io::Checksum::kMd5 : io::Checksum::kSha256;
  Status status = PrintManifest(options.rules, kind, options.threads, options.json);
  if (!status.ok()) session.Fail(status);
  return session.Finish();
}

}  // namespace

Exit RunDigest(const Arguments& arguments) {
  Session session;
  auto options = ParseOptions(Command::kDigest, arguments, session);
  if (!options) return session.Finish();
  return options->md5 || options->sha256 ? Manifest(*options, session) : Digest(*options, session);
}

}  // namespace aoa::driver
