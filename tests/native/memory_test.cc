#include "base/memory.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "io_temporary_folder.h"

using namespace asyncstore;

namespace {

constexpr uint64_t k_mib = 1 << 20;

struct Kernel {  // its files, as a test wants them
  io_test::TemporaryFolder folder;
  std::string proc = folder / "proc";
  std::string groups = folder / "groups";

  Kernel() { write(proc + "/meminfo", "MemTotal: 99 kB\nMemAvailable: 4096000 kB\n"); }
  static void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
  }
  void write_group(const std::string& path, const std::string& max, uint64_t current_mib,
                   uint64_t file_mib) const {
    write(groups + path + "/memory.max", max + "\n");
    write(groups + path + "/memory.current", std::to_string(current_mib * k_mib) + "\n");
    write(groups + path + "/memory.stat",
          "anon 1\nfile " + std::to_string(file_mib * k_mib) + "\nfile_mapped 3\n");
  }
  uint64_t available_mib() const { return base::available_memory_bytes(proc, groups) / k_mib; }
};

std::string mib(uint64_t number) {
  return std::to_string(number * k_mib);
}

}  // namespace

TEST_CASE("memory: the machine's") {
  const Kernel kernel;
  CHECK(kernel.available_mib() == 4000);
  CHECK(base::available_memory_bytes() > 0);
}

TEST_CASE("memory: groups of version 2, with pages of files counted as free") {
  Kernel kernel;
  Kernel::write(kernel.proc + "/self/cgroup", "0::/a/b\n");
  kernel.write_group("/a/b", "max", 50, 0);
  CHECK(kernel.available_mib() == 4000);
  kernel.write_group("/a", mib(1000), 700, 300);
  CHECK(kernel.available_mib() == 600);
  kernel.write_group("/a/b", mib(500), 450, 100);
  CHECK(kernel.available_mib() == 150);
  kernel.write_group("/a/b", mib(500), 600, 0);  // above the limit
  CHECK(kernel.available_mib() == 0);
}

TEST_CASE("memory: a group whose folder is not visible is the mounted one") {
  Kernel kernel;
  Kernel::write(kernel.proc + "/self/cgroup", "0::/outside/x\n");
  kernel.write_group("", mib(300), 100, 50);
  CHECK(kernel.available_mib() == 250);
}

TEST_CASE("memory: groups of version 1") {
  Kernel kernel;
  Kernel::write(kernel.proc + "/self/cgroup", "12:cpu,cpuacct:/x\n5:memory:/c\n");
  const std::string folder = kernel.groups + "/memory/c";
  Kernel::write(folder + "/memory.limit_in_bytes", mib(800));
  Kernel::write(folder + "/memory.usage_in_bytes", mib(500));
  Kernel::write(folder + "/memory.stat", "cache 1\ntotal_cache " + mib(200) + "\n");
  CHECK(kernel.available_mib() == 500);
}
