#include "io/storage.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::io_test;

namespace {

const std::shared_ptr<io::Storage> g_storage = io::make_posix_storage();

std::unique_ptr<io::File> must_open(const std::string& path, io::Open mode) {
  auto file = g_storage->open(path, mode);
  REQUIRE(file.ok());
  return std::move(file.value());
}

std::vector<std::byte> must_read(const std::string& path) {
  auto content = io::read_file(*g_storage, path, 1 << 30);
  REQUIRE(content.ok());
  return content.value();
}

}  // namespace

TEST_CASE("storage: what is written is read") {
  const TemporaryFolder folder;
  const auto content = random_bytes(300'000, 1);
  const auto file = must_open(folder / "a", io::Open::create);
  REQUIRE(file->write_at(10, content).ok());
  CHECK(file->sync().ok());
  CHECK(file->size().value() == content.size() + 10);
  std::vector<std::byte> back(content.size());
  REQUIRE(file->read_at(10, back).ok());
  CHECK(back == content);
  CHECK(file->path() == folder / "a");
  CHECK((::fcntl(file->fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("storage: reading past the end is an io error without errno") {
  const TemporaryFolder folder;
  write_file(folder / "a", random_bytes(100, 1));
  const auto file = must_open(folder / "a", io::Open::read);
  std::vector<std::byte> target(50);
  CHECK(file->read_at(50, target).ok());
  const base::Status status = file->read_at(51, target);
  REQUIRE(!status.ok());
  CHECK(status.error().code == base::Code::io);
  CHECK(status.error().os_errno == 0);
  CHECK(status.error().file == folder / "a");
  CHECK(status.error().message.find("ends at 100, wanted bytes up to 101") != std::string::npos);
}

TEST_CASE("storage: the modes of opening") {
  const TemporaryFolder folder;
  for (const io::Open mode : {io::Open::read, io::Open::read_write}) {
    auto missing = g_storage->open(folder / "a", mode);
    REQUIRE(!missing.ok());
    CHECK(missing.error().code == base::Code::io);
    CHECK(missing.error().os_errno == ENOENT);
    CHECK(missing.error().file == folder / "a");
  }
  must_open(folder / "a", io::Open::create_or_open);
  auto present = g_storage->open(folder / "a", io::Open::create);
  REQUIRE(!present.ok());
  CHECK(present.error().os_errno == EEXIST);
  must_open(folder / "a", io::Open::create_or_open);
  const auto read_only = must_open(folder / "a", io::Open::read);
  const auto content = random_bytes(10, 1);
  const base::Status written = read_only->write_at(7, content);
  REQUIRE(!written.ok());
  CHECK(written.error().os_errno == EBADF);
  CHECK(written.error().offset_bytes == 7);
}

TEST_CASE("storage: a full disk is a plain error") {
  auto full = g_storage->open("/dev/full", io::Open::read_write);
  if (full.ok()) {
    const auto content = random_bytes(10, 1);
    const base::Status status = full.value()->write_at(0, content);
    REQUIRE(!status.ok());
    CHECK(status.error().os_errno == ENOSPC);
  }
}

TEST_CASE("storage: allocate grows with zeros and has blocks") {
  const TemporaryFolder folder;
  const auto content = random_bytes(1000, 1);
  const auto file = must_open(folder / "a", io::Open::create);
  REQUIRE(file->write_at(0, content).ok());
  REQUIRE(file->allocate(500, 1 << 20).ok());
  REQUIRE(file->allocate(0, 0).ok());
  CHECK(file->size().value() == 500 + (1 << 20));
  struct stat status {};
  REQUIRE(::fstat(file->fd(), &status) == 0);
  CHECK(status.st_blocks * 512 >= (1 << 20));
  const auto back = must_read(folder / "a");
  CHECK(std::equal(content.begin(), content.end(), back.begin()));
  CHECK(
      std::all_of(back.begin() + 1000, back.end(), [](std::byte b) { return b == std::byte{0}; }));
  REQUIRE(file->truncate(3).ok());
  CHECK(file->size().value() == 3);
}

TEST_CASE("storage: folders") {
  const TemporaryFolder folder;
  REQUIRE(g_storage->create_folder(folder / "sub").ok());
  CHECK(g_storage->create_folder(folder / "sub").ok());
  must_open(folder / "sub/b", io::Open::create);
  must_open(folder / "sub/a", io::Open::create);
  REQUIRE(g_storage->create_folder(folder / "sub/c").ok());
  CHECK(g_storage->list(folder / "sub").value() == std::vector<std::string>{"a", "b", "c"});
  CHECK(g_storage->sync_folder(folder / "sub").ok());
  REQUIRE(g_storage->rename(folder / "sub/a", folder / "sub/c/a").ok());
  CHECK(g_storage->exists(folder / "sub/c/a"));
  REQUIRE(g_storage->remove(folder / "sub/b").ok());
  CHECK(!g_storage->exists(folder / "sub/b"));
  REQUIRE(g_storage->remove_folder(folder / "sub").ok());
  CHECK(!g_storage->exists(folder / "sub"));
}

TEST_CASE("storage: errors of folders name them") {
  const TemporaryFolder folder;
  must_open(folder / "file", io::Open::create);
  const auto is_error = [&](const base::Status& status, int os_errno) {
    REQUIRE(!status.ok());
    CHECK(status.error().code == base::Code::io);
    CHECK(status.error().os_errno == os_errno);
    CHECK(status.error().file.starts_with(folder.path()));
  };
  is_error(g_storage->create_folder(folder / "file"), EEXIST);
  is_error(g_storage->create_folder(folder / "no/sub"), ENOENT);
  is_error(g_storage->remove(folder / "no"), ENOENT);
  is_error(g_storage->rename(folder / "no", folder / "other"), ENOENT);
  is_error(g_storage->sync_folder(folder / "no"), ENOENT);
  is_error(g_storage->sync_folder(folder / "file"), ENOTDIR);
  auto listed = g_storage->list(folder / "no");
  REQUIRE(!listed.ok());
  CHECK(listed.error().os_errno == ENOENT);
}

TEST_CASE("storage: replace_file leaves the new content and nothing beside it") {
  const TemporaryFolder folder;
  for (const std::string_view text : {"first", "second, longer", ""}) {
    write_file(folder / "manifest.new", random_bytes(100, 1));  // as a crash may leave it
    REQUIRE(io::replace_file(*g_storage, folder / "manifest", base::bytes_of(text)).ok());
    const auto content = must_read(folder / "manifest");
    CHECK(std::string_view(reinterpret_cast<const char*>(content.data()), content.size()) == text);
    CHECK(g_storage->list(folder.path()).value() == std::vector<std::string>{"manifest"});
  }
}

TEST_CASE("storage: read_file refuses what is too long") {
  const TemporaryFolder folder;
  write_file(folder / "a", random_bytes(101, 1));
  CHECK(io::read_file(*g_storage, folder / "a", 101).ok());
  auto refused = io::read_file(*g_storage, folder / "a", 100);
  REQUIRE(!refused.ok());
  CHECK(refused.error().code == base::Code::corruption);
}

TEST_CASE("storage: parent_folder") {
  CHECK(io::parent_folder("a/b") == "a");
  CHECK(io::parent_folder("a/b/") == "a");
  CHECK(io::parent_folder("a//b") == "a");
  CHECK(io::parent_folder("/a") == "/");
  CHECK(io::parent_folder("/") == "/");
  CHECK(io::parent_folder("a") == ".");
  CHECK(io::parent_folder("") == ".");
}
