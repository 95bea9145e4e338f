// Innermost loops without a transposed partner.
#pragma once

#include <map>

#include "compiler/codegen/lowering.h"

namespace aoa::codegen {

class RowEmitter {
 public:
  explicit RowEmitter(const Lowering& lowering) : l_(lowering), b_(lowering.b) {}

  // All elements of `row`, from `at`.
  void EmitRow(const Span& row, const Cursor& at);

  // The union of all flags so far (i32).
  llvm::Value* Flags();

 private:
  unsigned LanesFor(const Span& row) const;
  void EmitLanes(unsigned lanes, const Loop& loop, const Cursor& at);
  llvm::Value* Load(unsigned lanes, llvm::Type* element, llvm::Value* from, int64_t stride);
  void Store(unsigned lanes, llvm::Value* value, llvm::Value* to, int64_t stride);
  llvm::Value* FlagsOf(unsigned lanes);

  const Lowering& l_;
  Builder& b_;
  std::map<unsigned, llvm::Value*> flags_;  // by lanes: where they are accumulated
};

}  // namespace aoa::codegen
