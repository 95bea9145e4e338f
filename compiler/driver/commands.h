// The commands. Each gets the words behind its name and returns the exit status.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/session.h"

namespace aoa::driver {

using Arguments = std::vector<std::string>;

Exit RunRules(const Arguments& arguments);  // aoac RULES.aoa ...: check, --run, --plan, --emit
Exit RunLayouts(const Arguments& arguments);
Exit RunInspect(const Arguments& arguments);
Exit RunExplain(const Arguments& arguments);
Exit RunDiff(const Arguments& arguments);
Exit RunDigest(const Arguments& arguments);
Exit RunFmt(const Arguments& arguments);
Exit RunFormats(const Arguments& arguments);
Exit RunIdentify(const Arguments& arguments);
Exit RunImport(const Arguments& arguments);
Exit RunInit(const Arguments& arguments);
Exit RunLsp(const Arguments& arguments);  // a language server

}  // namespace aoa::driver
