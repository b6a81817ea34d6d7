// A folder for tests that make and drop thousands of files: in memory where the machine has
// /dev/shm.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace asyncstore::storage_test {

class QuickFolder {
 public:
  QuickFolder() {
    const std::string memory = "/dev/shm";
    const bool usable = ::access(memory.c_str(), W_OK | X_OK) == 0;
    std::string pattern =
        (usable ? memory : std::filesystem::temp_directory_path().string()) + "/asyncstore-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~QuickFolder() { std::filesystem::remove_all(path_); }
  QuickFolder(const QuickFolder&) = delete;
  QuickFolder& operator=(const QuickFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace asyncstore::storage_test
