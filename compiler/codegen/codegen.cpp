#include "compiler/codegen/codegen.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/Support/MemoryBuffer.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "compiler/codegen/cache.h"
#include "compiler/codegen/compile.h"
#include "compiler/codegen/loader.h"
#include "compiler/core/check.h"

namespace aoa::codegen {
namespace {

// Each worker takes the next key, until there is none: from the cache, or compiled in a module of its own.
class Table : public KernelTable {
 public:
  Table(std::vector<KernelKey> keys, const Options& options)
      : keys_(std::move(keys)), cpu_(options.cpu), cache_(options.cache_folder), slots_(keys_.size()) {
    size_t workers = std::min<size_t>(std::max(options.threads, 1), keys_.size());
    for (size_t i = 0; i < workers; ++i) workers_.emplace_back([this] { Work(); });
  }

  ~Table() override {
    next_ = keys_.size();
    for (std::thread& worker : workers_) worker.join();
  }

  Result<KernelFunction> Get(size_t index) override {
    AOA_CHECK(index < slots_.size(), "no such kernel");
    std::unique_lock lock(mutex_);
    Slot& slot = slots_[index];
    done_.wait(lock, [&] { return slot.function || slot.bug; });
    if (slot.bug) std::rethrow_exception(slot.bug);
    return *slot.function;
  }

  Statistics statistics() const override {
    std::lock_guard lock(mutex_);
    return statistics_;
  }

 private:
  struct Slot {
    std::optional<Result<KernelFunction>> function;
    std::exception_ptr bug;  // a check that failed in a worker, for whoever asks
  };

  void Work();
  Result<KernelFunction> Make(const KernelKey& key, std::unique_ptr<Compiler>& compiler, bool& compiled);
  Status Prepare();

  const std::vector<KernelKey> keys_;
  const std::string cpu_;
  const ObjectCache cache_;

  std::once_flag prepared_;
  Status preparation_;
  Target target_;
  std::unique_ptr<Loader> loader_;

  std::atomic<size_t> next_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable done_;
  std::vector<Slot> slots_;
  Statistics statistics_;

  std::vector<std::thread> workers_;
};

Status Table::Prepare() {
  std::call_once(prepared_, [&] {
    target_ = cpu_.empty() ? Target::Host() : Target::Named(cpu_);
    Result<std::unique_ptr<Loader>> loader = Loader::Create();
    if (loader.ok()) {
      loader_ = *std::move(loader);
    } else {
      preparation_ = loader.status();
    }
  });
  return preparation_;
}

Result<KernelFunction> Table::Make(const KernelKey& key, std::unique_ptr<Compiler>& compiler, bool& compiled) {
  AOA_RETURN_IF_ERROR(Prepare());
  std::string identity = Identity(key, target_);
  std::unique_ptr<llvm::MemoryBuffer> object = cache_.Load(identity);
  compiled = !object;
  if (compiled) {
    if (!compiler) {
      AOA_ASSIGN_OR_RETURN(compiler, Compiler::Create(target_));
    }
    object = compiler->Object(key);
    cache_.Store(identity, object->getBuffer());
  }
  return loader_->Load(std::move(object), KernelName(key));
}

void Table::Work() {
  std::unique_ptr<Compiler> compiler;  // made when the first key is not in the cache
  for (size_t i; (i = next_++) < keys_.size();) {
    auto start = std::chrono::steady_clock::now();
    Slot slot;
    bool compiled = false;
    try {
      slot.function = Make(keys_[i], compiler, compiled);
    } catch (...) {
      slot.bug = std::current_exception();
    }
    std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    std::lock_guard lock(mutex_);
    slots_[i] = std::move(slot);
    ++(compiled ? statistics_.compiled : statistics_.loaded);
    statistics_.seconds += time.count();
    done_.notify_all();
  }
}

}  // namespace

std::unique_ptr<KernelTable> KernelTable::Start(std::vector<KernelKey> keys, const Options& options) {
  return std::make_unique<Table>(std::move(keys), options);
}

Result<std::string> EmitLlvm(const std::vector<KernelKey>& keys, const std::string& cpu) {
  AOA_ASSIGN_OR_RETURN(std::unique_ptr<Compiler> compiler,
                       Compiler::Create(cpu.empty() ? Target::Host() : Target::Named(cpu)));
  return compiler->Llvm(keys);
}

Result<std::string> EmitAssembly(const std::vector<KernelKey>& keys, const std::string& cpu) {
  AOA_ASSIGN_OR_RETURN(std::unique_ptr<Compiler> compiler,
                       Compiler::Create(cpu.empty() ? Target::Host() : Target::Named(cpu)));
  return compiler->Assembly(keys);
}

std::string LlvmVersion() { return LLVM_VERSION_STRING; }

}  // namespace aoa::codegen
