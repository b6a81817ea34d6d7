#include "base/memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

namespace asyncstore::base {
namespace {

// A number from a file of one; nothing when there is none ("max", no file).
std::optional<uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

// The number behind `name` in a file of "name number" lines.
std::optional<uint64_t> read_named(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    uint64_t value = 0;
    if (words >> word >> value && word == name) {
      return value;
    }
  }
  return std::nullopt;
}

// What the files of one version are called.
struct Names {
  const char* limit;
  const char* used;
  const char* pages;  // of files, in memory.stat
};
constexpr Names k_version_1{"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_cache"};
constexpr Names k_version_2{"/memory.max", "/memory.current", "file"};

// What the groups from `path` up to `root` leave.
uint64_t left_by_groups(const std::string& root, std::string path, const Names& names) {
  uint64_t left = UINT64_MAX;
  for (;;) {
    const std::string folder = root + path;
    const auto limit = read_number(folder + names.limit);
    const auto used = read_number(folder + names.used);
    if (limit && used) {
      const uint64_t pages = read_named(folder + "/memory.stat", names.pages).value_or(0);
      const uint64_t held = *used - std::min(pages, *used);
      left = std::min(left, *limit - std::min(held, *limit));
    }
    if (path.empty()) {
      return left;
    }
    path.resize(path.rfind('/'));
  }
}

}  // namespace

uint64_t available_memory_bytes() {
  return available_memory_bytes("/proc", "/sys/fs/cgroup");
}

uint64_t available_memory_bytes(const std::string& proc, const std::string& cgroups) {
  const auto machine = read_named(proc + "/meminfo", "MemAvailable:");
  uint64_t available = machine ? *machine << 10 : UINT64_MAX;
  // Lines like "0::/user.slice/a" (version 2) and "5:memory:/a". Where the folder is not visible,
  // as in a container, what is mounted in its place is this process's own group.
  std::ifstream groups(proc + "/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string path = line.substr(second + 1);
    path.resize(path.find_last_not_of('/') + 1);
    if (controllers == ",,") {
      available = std::min(available, left_by_groups(cgroups, path, k_version_2));
    } else if (controllers.find(",memory,") != std::string::npos) {
      available = std::min(available, left_by_groups(cgroups + "/memory", path, k_version_1));
    }
  }
  return available == UINT64_MAX ? 0 : available;
}

}  // namespace asyncstore::base
