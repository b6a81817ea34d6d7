#include "io/bus_guard.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>

#include "base/assert.h"

namespace asyncstore::io {
namespace {

struct Guard {
  uintptr_t begin;
  uintptr_t end;
  sigjmp_buf escape;
};

// The guarded copy that this thread is in. initial-exec: the handler may run on a thread that never
// copied anything, where the general model would allocate the variable, inside the handler.
__attribute__((tls_model("initial-exec"))) thread_local Guard* active_guard = nullptr;

struct sigaction previous_action {};

bool is_guarded(const Guard* guard, const siginfo_t* info) {
  if (guard == nullptr) {
    return false;
  }
  if (info->si_code <= 0) {
    // Sent, not raised by the hardware, so without an address: a handler installed after ours that
    // passed the fault on with raise(), as faulthandler does. The thread is inside the copy.
    return info->si_pid == ::getpid();
  }
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  return address >= guard->begin && address < guard->end;
}

void pass_on(int signal, siginfo_t* info, void* context) {
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal, info, context);
    return;
  }
  const auto handler = previous_action.sa_handler;
  if (handler != SIG_DFL && handler != SIG_IGN) {
    handler(signal);
    return;
  }
  if (handler == SIG_IGN && info->si_code <= 0) {
    return;
  }
  // The default action. A fault happens again on return; a sent signal has to be sent again.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(signal, &standard, nullptr);
  if (info->si_code <= 0) {
    ::raise(signal);
  }
}

// Async-signal-safe: reads a thread-local without allocation, then jumps or calls what was there
// before. The jump restores no signal mask (saving it would cost every copy a system call), so the
// mask of the interrupted copy is put back here, where it costs only the copy that failed.
void on_bus_error(int signal, siginfo_t* info, void* context) {
  Guard* guard = active_guard;
  if (is_guarded(guard, info)) {
    ::pthread_sigmask(SIG_SETMASK, &static_cast<ucontext_t*>(context)->uc_sigmask, nullptr);
    siglongjmp(guard->escape, 1);
  }
  pass_on(signal, info, context);
}

}  // namespace

void install_bus_guard() {
  static std::once_flag installed;
  std::call_once(installed, [] {
    // Known before ours can run.
    ASSERT(::sigaction(SIGBUS, nullptr, &previous_action) == 0);
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    ASSERT(::sigaction(SIGBUS, &action, nullptr) == 0);
  });
}

// Not inlined: sigsetjmp keeps the compiler from holding the caller's variables in registers.
__attribute__((noinline)) bool guarded_copy(std::byte* target, const std::byte* from,
                                            size_t length) {
  ASSERT(active_guard == nullptr);
  Guard guard;
  guard.begin = reinterpret_cast<uintptr_t>(from);
  guard.end = guard.begin + length;
  if (sigsetjmp(guard.escape, 0) != 0) {
    active_guard = nullptr;
    return false;
  }
  active_guard = &guard;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::memcpy(target, from, length);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  active_guard = nullptr;
  return true;
}

}  // namespace asyncstore::io
