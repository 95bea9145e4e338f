#include "compiler/driver/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "compiler/driver/session.h"

namespace aoa::driver {
namespace {

// A handler can reach nothing but a global. There is one run at a time.
std::atomic<exec::Progress*> running = nullptr;
std::atomic<int> caught = 0;
static_assert(std::atomic<exec::Progress*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void Stop(int signal) {
  if (exec::Progress* progress = running) progress->stop = true;
  caught = signal;
}

void Handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one has its usual effect
  for (int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

using Clock = std::chrono::steady_clock;

std::string Line(uint64_t done, uint64_t total, double seconds) {
  double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string left = rate > 0 ? ShowSeconds(static_cast<double>(total - std::min(done, total)) / rate) : "?";
  return fmt::format("{:3.0f} %  {} of {}  {}/s  {} left",
                     100.0 * static_cast<double>(done) / static_cast<double>(std::max<uint64_t>(total, 1)),
                     ShowBytes(static_cast<double>(done)), ShowBytes(static_cast<double>(total)), ShowBytes(rate),
                     left);
}

}  // namespace

ProgressLine::ProgressLine(exec::Progress& progress, bool quiet) : progress_(progress) {
  caught = 0;
  running = &progress;
  Handle(Stop);
  if (!quiet && ::isatty(STDERR_FILENO)) thread_ = std::thread([this] { Loop(); });
}

ProgressLine::~ProgressLine() {
  {
    std::lock_guard lock(mutex_);
    end_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  Handle(SIG_DFL);
  running = nullptr;
}

int ProgressLine::signal() const { return caught; }

void ProgressLine::Loop() {
  const Clock::time_point start = Clock::now();
  bool shown = false;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::milliseconds(200), [&] { return end_; })) {
    if (progress_.total == 0) continue;
    fmt::print(stderr, "\r\x1b[K{}",
               Line(progress_.done, progress_.total, std::chrono::duration<double>(Clock::now() - start).count()));
    shown = true;
  }
  if (shown) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace aoa::driver
