#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "io/bus_guard.h"
#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::io_test;

namespace {

// A map of two pages over a file of one: the second answers with SIGBUS.
struct HalfMap {
  HalfMap() : content(random_bytes(4096, 1)) {
    write_file(folder / "half", content);
    const int fd = ::open((folder / "half").c_str(), O_RDONLY);
    map = static_cast<const std::byte*>(::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0));
    ::close(fd);
    REQUIRE(map != MAP_FAILED);
    io::install_bus_guard();
  }
  ~HalfMap() { ::munmap(const_cast<std::byte*>(map), 8192); }

  TemporaryFolder folder;
  std::vector<std::byte> content;
  const std::byte* map = nullptr;
};

}  // namespace

TEST_CASE_FIXTURE(HalfMap, "bus guard: a copy that meets a missing page fails, again and again") {
  std::vector<std::byte> target(8192);
  for (int i = 0; i < 100; ++i) {
    CHECK(io::guarded_copy(target.data(), map, 4096));
    CHECK(std::memcmp(target.data(), content.data(), 4096) == 0);
    CHECK(!io::guarded_copy(target.data(), map, 8192));
    CHECK(!io::guarded_copy(target.data(), map + 4096, 1));
    CHECK(!io::guarded_copy(target.data(), map + 4095, 2));
  }
}

TEST_CASE_FIXTURE(HalfMap, "bus guard: threads at once") {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      std::vector<std::byte> target(8192);
      for (int k = 0; k < 500; ++k) {
        const bool good = io::guarded_copy(target.data(), map, 100);
        const bool bad = io::guarded_copy(target.data(), map + 4000, 1000);
        right += good && !bad ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(right == 2000);
}

// The sanitizers have handlers of their own, which end a child in their own ways.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

// How a child process that runs `body` ends.
template <typename Body>
int status_of_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

struct sigaction g_before {};

// What Python's faulthandler does: puts the handler before it back, and sends the signal again.
void like_faulthandler(int signal) {
  ::sigaction(signal, &g_before, nullptr);
  ::raise(signal);
}

}  // namespace

TEST_CASE_FIXTURE(HalfMap, "bus guard: what is not a guarded copy dies as before") {
  const int touched = status_of_child([&] {
    [[maybe_unused]] const volatile std::byte byte = *(const volatile std::byte*)(map + 5000);
  });
  REQUIRE(WIFSIGNALED(touched));
  CHECK(WTERMSIG(touched) == SIGBUS);
  const int sent = status_of_child([] { ::raise(SIGBUS); });
  REQUIRE(WIFSIGNALED(sent));
  CHECK(WTERMSIG(sent) == SIGBUS);
}

TEST_CASE_FIXTURE(HalfMap, "bus guard: a handler installed later that passes the signal on") {
  const int status = status_of_child([&] {
    struct sigaction later {};
    later.sa_handler = like_faulthandler;
    later.sa_flags = SA_NODEFER;
    ::sigaction(SIGBUS, &later, &g_before);
    std::byte target[2];
    if (io::guarded_copy(target, map + 4095, 2) || io::guarded_copy(target, map + 4095, 2)) {
      ::_exit(1);
    }
    ::_exit(42);
  });
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
}

#endif
