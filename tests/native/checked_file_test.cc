#include "io/checked_file.h"

#include <doctest/doctest.h>

#include <random>

#include "failing_storage.h"
#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::io_test;
using base::Code;
using io::CheckedFile;
using io::CheckedFileWriter;

namespace {

constexpr io::Magic k_magic = {'T', 'E', 'S', 'T', 'F', 'I', 'L', '1'};
constexpr uint64_t k_owner = 0x1234567890;
const std::shared_ptr<io::Storage> g_storage = io::make_posix_storage();

void make(const std::string& path, base::Bytes payload, io::Fields fields = {1, 2, 3, 4}) {
  auto writer = CheckedFileWriter::create(*g_storage, path, {k_magic, k_owner}, fields);
  REQUIRE(writer.ok());
  REQUIRE(writer.value().append(payload).ok());
  REQUIRE(writer.value().finish().ok());
}

// Opens and reads everything; the first error.
base::Status read_all(const std::string& path, std::vector<std::byte>* content = nullptr) {
  TRY_ASSIGN(const CheckedFile file, CheckedFile::open(*g_storage, path, {k_magic, k_owner}));
  std::vector<std::byte> bytes(file.payload_bytes());
  TRY(file.read(0, bytes));
  if (content != nullptr) {
    *content = bytes;
  }
  return io::check_file(*g_storage, path);
}

}  // namespace

TEST_CASE("checked file: what is written is read, whole and in parts") {
  const TemporaryFolder folder;
  constexpr uint64_t k_block = CheckedFile::k_block_bytes;
  for (const uint64_t size :
       {uint64_t{0}, uint64_t{1}, k_block - 1, k_block, k_block + 1, 3 * k_block + 77}) {
    CAPTURE(size);
    const auto payload = random_bytes(size, size);
    {
      auto writer =
          CheckedFileWriter::create(*g_storage, folder / "a", {k_magic, k_owner}, {9, 8, 7, size});
      REQUIRE(writer.ok());
      for (uint64_t at = 0; at < size; at += 100'000) {
        REQUIRE(
            writer.value()
                .append(base::Bytes(payload).subspan(at, std::min<uint64_t>(100'000, size - at)))
                .ok());
      }
      REQUIRE(writer.value().finish().ok());
    }
    const auto file = CheckedFile::open(*g_storage, folder / "a", {k_magic, k_owner});
    REQUIRE(file.ok());
    CHECK(file.value().payload_bytes() == size);
    CHECK(file.value().fields() == io::Fields{9, 8, 7, size});
    std::vector<std::byte> content;
    REQUIRE(read_all(folder / "a", &content).ok());
    CHECK(content == payload);
    std::mt19937_64 random(size);
    for (int i = 0; i < 50 && size > 0; ++i) {
      const uint64_t offset = random() % size;
      std::vector<std::byte> part(random() % (size - offset) + 1);
      REQUIRE(file.value().read(offset, part).ok());
      CHECK(std::equal(part.begin(), part.end(), payload.begin() + static_cast<ptrdiff_t>(offset)));
    }
    std::vector<std::byte> beyond(2);
    CHECK(!file.value().read(size, beyond).ok());
    CHECK(!file.value().read(size + 1, base::MutableBytes(beyond).first(0)).ok());
    CHECK(!file.value().read(UINT64_MAX, beyond).ok());
  }
}

TEST_CASE("checked file: every flipped bit is an error") {
  const TemporaryFolder folder;
  const std::string path = folder / "a";
  make(path, random_bytes(150, 1));
  const auto content = io::read_file(*g_storage, path, 4096).value();
  CHECK(content.size() == 72 + 150 + 4);
  const auto file = std::move(g_storage->open(path, io::Open::read_write).value());
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    const std::byte flipped = content[bit / 8] ^ std::byte(1 << bit % 8);
    REQUIRE(file->write_at(bit / 8, {&flipped, 1}).ok());
    const auto status = read_all(path);
    CAPTURE(bit);
    REQUIRE(!status.ok());
    CHECK(status.error().code == Code::corruption);
    CHECK(status.error().file == path);
    CHECK(status.error().offset_bytes <= content.size());
    REQUIRE(file->write_at(bit / 8, {&content[bit / 8], 1}).ok());
  }
  CHECK(read_all(path).ok());
}

TEST_CASE("checked file: every truncation and every appended byte is an error") {
  const TemporaryFolder folder;
  make(folder / "a", random_bytes(300, 1));
  const auto whole = io::read_file(*g_storage, folder / "a", 4096).value();
  for (size_t size = 0; size < whole.size(); ++size) {
    write_file(folder / "b", {whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)});
    CAPTURE(size);
    const auto status = read_all(folder / "b");
    REQUIRE(!status.ok());
    CHECK(status.error().code == Code::corruption);
  }
  auto longer = whole;
  longer.push_back(std::byte{0});
  write_file(folder / "b", longer);
  CHECK(!read_all(folder / "b").ok());
}

TEST_CASE("checked file: one damaged block leaves the others readable, and is named") {
  const TemporaryFolder folder;
  constexpr uint64_t k_block = CheckedFile::k_block_bytes;
  const auto payload = random_bytes(3 * k_block, 2);
  make(folder / "a", payload);
  auto content = io::read_file(*g_storage, folder / "a", 1 << 30).value();
  content[72 + k_block + 5] ^= std::byte{1};
  write_file(folder / "a", content);
  const auto file = CheckedFile::open(*g_storage, folder / "a", {k_magic, k_owner});
  REQUIRE(file.ok());
  std::vector<std::byte> block(k_block);
  CHECK(file.value().read(0, block).ok());
  CHECK(file.value().read(2 * k_block, block).ok());
  const auto status = file.value().read(k_block, block);
  REQUIRE(!status.ok());
  CHECK(status.error().offset_bytes == 72 + k_block);
  CHECK(!file.value().read(k_block - 1, base::MutableBytes(block).first(2)).ok());
  CHECK(file.value().read(k_block - 1, base::MutableBytes(block).first(1)).ok());
}

TEST_CASE("checked file: a wrong kind, a newer version, noise") {
  const TemporaryFolder folder;
  make(folder / "a", random_bytes(10, 1));
  constexpr io::Magic k_other = {'O', 'T', 'H', 'E', 'R', 'F', 'I', 'L'};
  for (const io::Mark mark : {io::Mark{k_other, k_owner}, io::Mark{k_magic, k_owner + 1}}) {
    const auto opened = CheckedFile::open(*g_storage, folder / "a", mark);
    REQUIRE(!opened.ok());
    CHECK(opened.error().code == Code::corruption);
  }
  CHECK(CheckedFile::open(*g_storage, folder / "none", {k_magic, k_owner}).error().code ==
        Code::io);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    write_file(folder / "b", random_bytes(seed * 3, seed));
    CAPTURE(seed);
    CHECK(!read_all(folder / "b").ok());
  }
}

TEST_CASE("checked file: failures while writing are told") {
  using storage_test::Call;
  for (const Call call : {Call::open, Call::write, Call::sync}) {
    for (const uint64_t at : {1, 2, 3}) {
      const TemporaryFolder folder;
      storage_test::FailingStorage storage;
      storage.board().arm({call, at, ENOSPC, 7});
      const auto write = [&]() -> base::Status {
        TRY_ASSIGN(auto writer,
                   CheckedFileWriter::create(storage, folder / "a", {k_magic, k_owner}, {}));
        TRY(writer.append(random_bytes(10, 1)));
        return writer.finish();
      };
      const auto status = write();
      CHECK(status.ok() == (storage.board().faults_met() == 0));
      storage.board().disarm();
      // The second try replaces whatever the first left.
      CHECK(write().ok());
      CHECK(read_all(folder / "a").ok());
    }
  }
}
