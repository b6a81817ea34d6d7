#include "wal/log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "failing_storage.h"
#include "io_temporary_folder.h"
#include "wal/log_reader.h"

using namespace asyncstore;
using namespace asyncstore::io_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::FailingStorage;
using base::Bytes;
using base::Code;
using wal::Durability;
using wal::Log;

namespace {

constexpr uint64_t k_header = sizeof(wal::FileHeader);

using Frames = std::map<uint64_t, std::vector<std::byte>>;  // payload by lsn

std::vector<std::byte> payload_of(uint64_t seed, size_t bytes) {
  return random_bytes(bytes, seed * 1'000'003 + bytes);
}

// A log in a folder of its own, and what it must hold.
struct LogFixture {
  TemporaryFolder folder;
  std::shared_ptr<FailingStorage> storage = std::make_shared<FailingStorage>();
  wal::LogOptions options{4096, Durability::fsync, 77};
  Frames expected;
  std::unique_ptr<Log> log;

  base::Result<Frames> reopen(uint64_t applied_lsn = 0) {
    log.reset();
    Frames replayed;
    uint64_t before = applied_lsn;
    auto opened = Log::open(storage, folder.path(), options, applied_lsn,
                            [&](uint64_t lsn, uint32_t kind, Bytes payload) -> base::Status {
                              CHECK(lsn == before + 1);
                              CHECK(kind == lsn % 5);
                              before = lsn;
                              replayed[lsn].assign(payload.begin(), payload.end());
                              return {};
                            });
    if (!opened.ok()) {
      return std::move(opened.error());
    }
    log = std::move(opened.value());
    CHECK(log->last_lsn() == before);
    return replayed;
  }

  // Adds a frame to the group; the group's frames count as expected once it was committed.
  base::Status add(size_t bytes) {
    const uint64_t lsn = log->last_lsn() + 1;
    const auto payload = payload_of(lsn + salt, bytes);
    TRY_ASSIGN(const base::MutableBytes target,
               log->begin_frame(static_cast<uint32_t>(lsn % 5), bytes));
    CHECK(std::all_of(target.begin(), target.end(), [](std::byte b) { return b == std::byte{0}; }));
    std::copy(payload.begin(), payload.end(), target.begin());
    CHECK(log->end_frame() == lsn);
    return {};
  }
  base::Status write(std::vector<size_t> sizes) {
    log->begin_group();
    for (const size_t size : sizes) {
      TRY(add(size));
    }
    const uint64_t last = log->last_lsn();
    TRY(log->commit());
    for (size_t i = 0; i < sizes.size(); ++i) {
      const uint64_t lsn = last - sizes.size() + 1 + i;
      expected[lsn] = payload_of(lsn + salt, sizes[i]);
    }
    return {};
  }

  Frames expected_after(uint64_t lsn) const { return {expected.upper_bound(lsn), expected.end()}; }
  std::vector<std::string> files() { return wal_files(""); }
  std::vector<std::string> wal_files(const std::string&) {
    std::vector<std::string> found;
    const auto names = storage->list(folder.path());
    for (const auto& name : names.value()) {
      if (name.ends_with(".wal") && !name.starts_with("spare")) {
        found.push_back(folder / name);
      }
    }
    return found;
  }

  uint64_t salt = 0;  // tells the frames of one try from those of another
};

std::vector<std::byte> content_of(const std::string& path) {
  auto content = io::read_file(*io::make_posix_storage(), path, 1 << 30);
  REQUIRE(content.ok());
  return content.value();
}

uint64_t padded(uint64_t payload) {
  return (32 + payload + 7) / 8 * 8;
}

}  // namespace

TEST_CASE("log: the example of log_format.h") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({21, 1}).ok());
  const auto content = content_of(fixture.files().at(0));
  CHECK(content.size() == 4096);
  wal::LogReader reader(content, 1);
  CHECK(reader.first_lsn() == 1);
  REQUIRE(reader.next(1, 0));
  CHECK(reader.position() == 96);
  REQUIRE(reader.next(2, 0));
  CHECK(reader.position() == 96 + 40);
  CHECK(!reader.next(3, 0));
}

TEST_CASE("log: the files of another collection are not replayed") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({21, 1}).ok());
  ++fixture.options.owner;
  const auto replayed = fixture.reopen();
  REQUIRE(!replayed.ok());
  CHECK(replayed.error().code == Code::corruption);
}

TEST_CASE("log: frames across many files come back in order") {
  for (const auto durability : {Durability::fsync, Durability::flush, Durability::none}) {
    LogFixture fixture;
    fixture.options.durability = durability;
    REQUIRE(fixture.reopen().ok());
    CHECK(fixture.log->last_lsn() == 0);
    constexpr uint64_t k_seed = 5;
    CAPTURE(k_seed);
    std::mt19937_64 random(k_seed);
    for (int round = 0; round < 40; ++round) {
      std::vector<size_t> sizes(random() % 6);
      for (auto& size : sizes) {
        size = random() % 10 == 0 ? random() % 9000 : random() % 700;  // some larger than a file
      }
      REQUIRE(fixture.write(sizes).ok());
      const auto frames = fixture.log->frames();
      REQUIRE(frames.size() == sizes.size());
      for (const auto& frame : frames) {
        CHECK(std::equal(frame.payload.begin(), frame.payload.end(),
                         fixture.expected[frame.lsn].begin(), fixture.expected[frame.lsn].end()));
      }
      if (round % 7 == 0) {
        const auto replayed = fixture.reopen();
        REQUIRE(replayed.ok());
        CHECK(replayed.value() == fixture.expected);
      }
    }
    CHECK(fixture.files().size() > 5);
    CHECK(fixture.log->size_bytes() >= fixture.log->replay_bytes());
    CHECK(fixture.reopen().value() == fixture.expected);
    const uint64_t middle = fixture.expected.size() / 2;
    CHECK(fixture.reopen(middle).value() == fixture.expected_after(middle));
  }
}

TEST_CASE("log: an empty group and a dropped frame leave nothing") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  fixture.log->begin_group();
  CHECK(fixture.log->commit().ok());
  fixture.log->begin_group();
  REQUIRE(fixture.add(10).ok());
  REQUIRE(fixture.log->begin_frame(9, 5000).ok());  // begins a file, then goes
  fixture.log->drop_frame();
  REQUIRE(fixture.add(20).ok());
  REQUIRE(fixture.log->commit().ok());
  CHECK(fixture.log->frames().size() == 2);
  const Frames wanted = {{1, payload_of(1, 10)}, {2, payload_of(2, 20)}};
  CHECK(fixture.reopen().value() == wanted);
}

TEST_CASE("log: replay goes on in the middle, and files wholly before it are used again") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  for (int i = 0; i < 30; ++i) {
    REQUIRE(fixture.write({900}).ok());
  }
  const size_t files = fixture.files().size();
  CHECK(fixture.reopen(17).value() == fixture.expected_after(17));
  CHECK(fixture.files().size() < files);
  CHECK(fixture.reopen(17).value() == fixture.expected_after(17));
  REQUIRE(fixture.write({1}).ok());
  CHECK(fixture.reopen(29).value() == fixture.expected_after(29));
  CHECK(fixture.reopen(31).value().empty());
  CHECK(fixture.log->last_lsn() == 31);
  REQUIRE(fixture.write({1}).ok());
  CHECK(fixture.reopen(31).value() == fixture.expected_after(31));
}

TEST_CASE("log: operations that are missing before the first file are corruption") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  for (int i = 0; i < 30; ++i) {
    REQUIRE(fixture.write({900}).ok());
  }
  REQUIRE(fixture.log->forget_until(17).ok());
  const auto opened = fixture.reopen(3);
  REQUIRE(!opened.ok());
  CHECK(opened.error().code == Code::corruption);
  CHECK(opened.error().file == fixture.files().front());
}

TEST_CASE("log: spare files go when they are given back, and writing goes on") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  for (int i = 0; i < 30; ++i) {
    REQUIRE(fixture.write({900}).ok());
  }
  REQUIRE(fixture.log->forget_until(17).ok());
  const auto spares = [&] {
    const auto names = fixture.storage->list(fixture.folder.path());
    return std::count_if(names.value().begin(), names.value().end(),
                         [](const std::string& name) { return name.starts_with("spare-"); });
  };
  CHECK(spares() > 0);
  REQUIRE(fixture.log->remove_spares().ok());
  CHECK(spares() == 0);
  REQUIRE(fixture.write({900, 900, 900, 900}).ok());
  CHECK(fixture.reopen(17).value() == fixture.expected_after(17));
}

TEST_CASE("log: forgetting frees files, and old frames in used ones are never replayed") {
  for (const uint64_t seed : {21, 22, 23, 24}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    LogFixture fixture;
    uint64_t applied = 0;
    REQUIRE(fixture.reopen().ok());
    for (int round = 0; round < 120; ++round) {
      // All frames of one size, so that old frames lie just where new ones would be looked for.
      const std::vector<size_t> sizes(1 + random() % 3, 480);
      REQUIRE(fixture.write(sizes).ok());
      if (random() % 4 == 0) {
        applied = random() % 2 == 0 ? fixture.log->last_lsn() : applied + random() % 5;
        applied = std::min(applied, fixture.log->last_lsn());
        REQUIRE(fixture.log->forget_until(applied).ok());
      }
      if (random() % 8 == 0) {
        REQUIRE(fixture.log->remove_spares().ok());
      }
      if (random() % 5 == 0) {
        const auto replayed = fixture.reopen(applied);
        REQUIRE(replayed.ok());
        REQUIRE(replayed.value() == fixture.expected_after(applied));
      }
    }
    const auto names = fixture.storage->list(fixture.folder.path());
    CHECK(names.value().size() < 60);
  }
}

TEST_CASE("log: a tail torn at any byte ends the log; what came before is there") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({100}).ok());
  REQUIRE(fixture.write({55}).ok());
  REQUIRE(fixture.write({201}).ok());
  const std::string path = fixture.files().at(0);
  const auto whole = content_of(path);
  const uint64_t begin = k_header + padded(100) + padded(55);
  Frames kept = fixture.expected;
  kept.erase(3);
  for (uint64_t at = begin; at < begin + 32 + 201; ++at) {
    CAPTURE(at);
    auto torn = whole;  // as allocated: zeros from the tear on
    std::fill(torn.begin() + static_cast<ptrdiff_t>(at), torn.end(), std::byte{0});
    fixture.log.reset();
    write_file(path, torn);
    auto replayed = fixture.reopen();
    REQUIRE(replayed.ok());
    // A tear inside trailing zero bytes of the frame would not be one; random payloads end
    // otherwise.
    REQUIRE(replayed.value() == kept);
    auto cut = whole;  // and as if the file had ended there
    cut.resize(at);
    fixture.log.reset();
    write_file(path, cut);
    replayed = fixture.reopen();
    REQUIRE(replayed.ok());
    REQUIRE(replayed.value() == kept);
    // The number is used again, in a new file; both files are read at the next open.
    fixture.salt = at;
    REQUIRE(fixture.write({60}).ok());
    Frames again = kept;
    again[3] = payload_of(3 + at, 60);
    replayed = fixture.reopen();
    REQUIRE(replayed.ok());
    REQUIRE(replayed.value() == again);
    fixture.log.reset();
    for (const auto& file : fixture.files()) {
      REQUIRE(fixture.storage->remove(file).ok());
    }
    fixture.salt = 0;
  }
}

TEST_CASE("log: damage before a frame that knows better is corruption, with its place") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({100}).ok());
  REQUIRE(fixture.write({55}).ok());
  REQUIRE(fixture.write({201}).ok());
  const std::string path = fixture.files().at(0);
  const auto whole = content_of(path);
  for (uint64_t at = k_header; at < k_header + padded(100) + padded(55); ++at) {
    for (const int bit : {0, 7}) {
      CAPTURE(at);
      const uint64_t frame = at < k_header + padded(100) ? k_header : k_header + padded(100);
      const uint64_t payload = frame == k_header ? 100 : 55;
      auto damaged = whole;
      damaged[at] ^= std::byte(1 << bit);
      fixture.log.reset();
      write_file(path, damaged);
      const auto replayed = fixture.reopen();
      if (at >= frame + 32 + payload) {
        CHECK(replayed.ok());  // padding
        continue;
      }
      REQUIRE(!replayed.ok());
      CHECK(replayed.error().code == Code::corruption);
      CHECK(replayed.error().file == path);
      CHECK(replayed.error().offset_bytes == frame);
    }
  }
}

TEST_CASE("log: damage at the end of one file is proven by the next") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  for (int i = 0; i < 12; ++i) {
    REQUIRE(fixture.write({900}).ok());
  }
  const auto files = fixture.files();
  REQUIRE(files.size() == 3);
  auto content = content_of(files[0]);
  const uint64_t last = k_header + 3 * padded(900);
  content[last + 100] ^= std::byte{1};
  write_file(files[0], content);
  auto replayed = fixture.reopen();
  REQUIRE(!replayed.ok());
  CHECK(replayed.error().file == files[0]);
  CHECK(replayed.error().offset_bytes == last);
  content[last + 100] ^= std::byte{1};
  write_file(files[0], content);

  SUBCASE("a lost file in the middle") {
    REQUIRE(fixture.storage->remove(files[1]).ok());
    replayed = fixture.reopen();
    REQUIRE(!replayed.ok());
    CHECK(replayed.error().code == Code::corruption);
    CHECK(!replayed.error().file.empty());
    CHECK(replayed.error().message.find("operation 5") != std::string::npos);
  }
  SUBCASE("a damaged header in the middle is no loss") {
    auto middle = content_of(files[1]);
    middle[17] ^= std::byte{4};
    write_file(files[1], middle);
    REQUIRE(fixture.reopen().value() == fixture.expected);
  }
  SUBCASE("a damaged header of the first file") {
    auto first = content_of(files[0]);
    first[0] ^= std::byte{4};
    write_file(files[0], first);
    replayed = fixture.reopen();
    REQUIRE(!replayed.ok());
    CHECK(replayed.error().code == Code::corruption);
    CHECK(replayed.error().file == files[0]);
  }
}

TEST_CASE("log: damage that the checkpoint has overtaken hurts nobody") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  for (int i = 0; i < 12; ++i) {
    REQUIRE(fixture.write({900}).ok());
  }
  const auto files = fixture.files();
  REQUIRE(files.size() == 3);  // 1 … 4, 5 … 8, 9 … 12
  auto content = content_of(files[1]);
  content[k_header + 5] ^= std::byte{1};  // operation 5
  write_file(files[1], content);
  SUBCASE("nothing in its file is needed any more") {
    CHECK(fixture.reopen(8).value() == fixture.expected_after(8));
    REQUIRE(fixture.write({10}).ok());
    CHECK(fixture.reopen(8).value() == fixture.expected_after(8));
    CHECK(fixture.reopen(10).value() == fixture.expected_after(10));
  }
  SUBCASE("a later operation of its file is needed") {
    for (const uint64_t applied : {5, 6, 7}) {
      CHECK(fixture.reopen(applied).value() == fixture.expected_after(applied));
    }
  }
  SUBCASE("it is needed itself") {
    const auto replayed = fixture.reopen(4);
    REQUIRE(!replayed.ok());
    CHECK(replayed.error().code == Code::corruption);
    CHECK(replayed.error().file == files[1]);
    CHECK(replayed.error().offset_bytes == k_header);
  }
}

TEST_CASE("log: a newest file without a header is passed over") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  for (int i = 0; i < 4; ++i) {
    REQUIRE(fixture.write({900}).ok());
  }
  fixture.log.reset();
  for (const size_t bytes : {0, 1, 16, 39, 40, 4096}) {
    CAPTURE(bytes);
    write_file(fixture.folder / "0000000002.wal", std::vector<std::byte>(bytes));
    REQUIRE(fixture.reopen().value() == fixture.expected);
    auto torn = content_of(fixture.folder / "0000000001.wal");
    torn.resize(bytes);  // of another number, and not whole
    write_file(fixture.folder / "0000000002.wal", torn);
    REQUIRE(fixture.reopen().value() == fixture.expected);
  }
  REQUIRE(fixture.write({900, 10}).ok());
  CHECK(fixture.reopen().value() == fixture.expected);
}

TEST_CASE("log: a file that is no log is no torn header") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({900}).ok());
  fixture.log.reset();
  write_file(fixture.folder / "0000000002.wal", random_bytes(4096, 3));
  const auto replayed = fixture.reopen();
  REQUIRE(!replayed.ok());
  CHECK(replayed.error().code == Code::corruption);
}

TEST_CASE("log: without its header a file is known by its first frame") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  for (int i = 0; i < 6; ++i) {
    REQUIRE(fixture.write({900}).ok());
  }
  REQUIRE(fixture.files().size() >= 2);
  fixture.log.reset();
  const std::string last = fixture.files().back();
  auto content = content_of(last);
  content[20] ^= std::byte{4};
  write_file(last, content);
  REQUIRE(fixture.reopen().value() == fixture.expected);
}

TEST_CASE("log: a file that never counted is not found by a later open") {
  // Power fails while a group is written across two files: the second part reached the disk, the
  // first did not. Both writes were never acknowledged.
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({500, 500, 500}).ok());
  const auto first = content_of(fixture.files().at(0));
  fixture.log->begin_group();
  REQUIRE(fixture.add(900).ok());  // 4 … 5 still in the first file
  REQUIRE(fixture.add(900).ok());
  REQUIRE(fixture.add(900).ok());  // 6 in the second
  REQUIRE(fixture.log->commit().ok());
  REQUIRE(fixture.files().size() == 2);
  fixture.log.reset();
  write_file(fixture.folder / "0000000001.wal", first);

  REQUIRE(fixture.reopen().value() == fixture.expected);  // 1 … 3
  fixture.salt = 77;
  // A checkpoint frees the first file, which is used again for operations of the same numbers …
  REQUIRE(fixture.log->forget_until(3).ok());
  for (int i = 0; i < 4; ++i) {
    REQUIRE(fixture.write({500}).ok());
  }
  // … and the stale operation 6 must not come back in place of the real one.
  const auto replayed = fixture.reopen(5);
  REQUIRE(replayed.ok());
  CHECK(replayed.value() == fixture.expected_after(5));
}

TEST_CASE("log: file numbers are never used twice, though every file was set aside") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({480, 480, 480}).ok());
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.log->forget_until(3).ok());
  CHECK(fixture.files().empty());
  REQUIRE(fixture.reopen(3).ok());
  REQUIRE(fixture.write({480}).ok());
  CHECK(fixture.files().at(0) != fixture.folder / "0000000001.wal");
}

TEST_CASE("log: a failed write is taken back and its numbers are used again") {
  for (const uint64_t torn : {0, 1, 31, 40, 600, 100'000}) {
    for (const bool rolls : {false, true}) {
      CAPTURE(torn);
      CAPTURE(rolls);
      LogFixture fixture;
      REQUIRE(fixture.reopen().ok());
      REQUIRE(fixture.write({300, 300}).ok());
      const Frames before = fixture.expected;
      fixture.salt = 50;
      fixture.log->begin_group();
      REQUIRE(fixture.add(500).ok());
      REQUIRE(fixture.add(500).ok());
      if (rolls) {
        REQUIRE(fixture.add(3000).ok());
        REQUIRE(fixture.add(3000).ok());
      }
      // The write of the last file of the group fails; those before it succeed.
      fixture.storage->board().arm({Call::write, rolls ? 3U : 1U, ENOSPC, torn, ".wal"});
      const auto status = fixture.log->commit();
      REQUIRE(!status.ok());
      CHECK(status.error().code == Code::io);
      CHECK(status.error().os_errno == ENOSPC);
      CHECK(fixture.log->last_lsn() == 2);
      CHECK(fixture.log->frames().empty());
      SUBCASE("and found by no later open") {
        CHECK(fixture.reopen().value() == before);
      }
      SUBCASE("and overwritten by the next group") {
        fixture.salt = 0;
        REQUIRE(fixture.write({17}).ok());
        CHECK(fixture.reopen().value() == fixture.expected);
      }
    }
  }
}

TEST_CASE("log: when taking back fails as well, writing has ended") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({300}).ok());
  fixture.storage->board().arm({Call::write, 1, EIO, 20, ".wal", true});
  CHECK(!fixture.write({300}).ok());
  fixture.storage->board().disarm();
  fixture.log->begin_group();
  const auto begun = fixture.log->begin_frame(1, 8);
  REQUIRE(!begun.ok());
  CHECK(begun.error().code == Code::failed);
  CHECK(fixture.log->commit().error().code == Code::failed);
  CHECK(fixture.reopen().value() == fixture.expected);
  CHECK(fixture.write({8}).ok());
}

TEST_CASE("log: after a failed sync every write is refused until the log is opened again") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  REQUIRE(fixture.write({300}).ok());
  fixture.storage->board().arm({Call::sync, 1, EIO});
  const auto status = fixture.write({40});
  REQUIRE(!status.ok());
  CHECK(status.error().os_errno == EIO);
  for (int i = 0; i < 3; ++i) {
    const auto again = fixture.write({40});
    REQUIRE(!again.ok());
    CHECK(again.error().code == Code::failed);
  }
  const auto replayed = fixture.reopen();
  REQUIRE(replayed.ok());
  // Whether the unacknowledged one is there is open; what is there is whole.
  CHECK(replayed.value().at(1) == fixture.expected.at(1));
  CHECK(replayed.value().size() <= 2);
  CHECK(fixture.write({40}).ok());
}

TEST_CASE("log: a failed sync of the folder is a failed sync") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  fixture.storage->board().arm({Call::sync_folder, 1, EIO});
  CHECK(!fixture.write({40}).ok());
  const auto again = fixture.write({40});
  REQUIRE(!again.ok());
  CHECK(again.error().code == Code::failed);
  CHECK(fixture.reopen().value().empty());
  CHECK(fixture.write({40}).ok());
  CHECK(fixture.reopen().value() == fixture.expected);
}

TEST_CASE("log: no sync without the promise") {
  for (const auto durability : {Durability::flush, Durability::none}) {
    LogFixture fixture;
    fixture.options.durability = durability;
    REQUIRE(fixture.reopen().ok());
    fixture.storage->board().arm({Call::sync, 1, EIO, 0, "", true});
    CHECK(fixture.write({40, 5000}).ok());
    CHECK(fixture.reopen().value() == fixture.expected);
  }
}

TEST_CASE("log: no space for a new file fails the frame, not the log") {
  for (const Call call : {Call::allocate, Call::open, Call::write}) {
    CAPTURE(static_cast<int>(call));
    LogFixture fixture;
    REQUIRE(fixture.reopen().ok());
    REQUIRE(fixture.write({3000}).ok());
    fixture.log->begin_group();
    REQUIRE(fixture.add(100).ok());
    fixture.storage->board().arm({call, 1, ENOSPC});
    const auto begun = fixture.log->begin_frame(1, 3000);
    REQUIRE(!begun.ok());
    CHECK(begun.error().os_errno == ENOSPC);
    REQUIRE(fixture.add(100).ok());
    REQUIRE(fixture.log->commit().ok());
    fixture.expected[2] = payload_of(2, 100);
    fixture.expected[3] = payload_of(3, 100);
    CHECK(fixture.reopen().value() == fixture.expected);
    REQUIRE(fixture.write({3000}).ok());
    CHECK(fixture.reopen().value() == fixture.expected);
  }
}

TEST_CASE("log: a file that cannot be set aside is tried again") {
  LogFixture fixture;
  REQUIRE(fixture.reopen().ok());
  for (int i = 0; i < 12; ++i) {
    REQUIRE(fixture.write({900}).ok());
  }
  REQUIRE(fixture.files().size() == 3);
  fixture.storage->board().arm({Call::rename, 2, EIO});
  CHECK(!fixture.log->forget_until(12).ok());
  CHECK(fixture.log->forget_until(12).ok());
  CHECK(fixture.files().size() == 1);
  REQUIRE(fixture.write({900}).ok());
  CHECK(fixture.reopen(12).value() == fixture.expected_after(12));
}

TEST_CASE("log: dying at any call loses nothing that was acknowledged") {
  // One script, ended at every call that changes something.
  const auto script = [](LogFixture& fixture) -> uint64_t {
    uint64_t acknowledged = 0;
    for (int i = 0; i < 14; ++i) {
      const auto status = fixture.write({static_cast<size_t>(300 + 150 * (i % 5)), 700});
      if (!status.ok()) {
        break;
      }
      acknowledged = fixture.log->last_lsn();
      if (i % 5 == 4) {
        static_cast<void>(fixture.log->forget_until(acknowledged - 2).ok());
      }
    }
    return acknowledged;
  };
  uint64_t calls = 0;
  {
    LogFixture fixture;
    REQUIRE(fixture.reopen().ok());
    const uint64_t before = fixture.storage->board().changes();
    script(fixture);
    calls = fixture.storage->board().changes() - before;
  }
  REQUIRE(calls > 30);
  for (uint64_t k = 1; k <= calls; ++k) {
    CAPTURE(k);
    LogFixture fixture;
    REQUIRE(fixture.reopen().ok());
    fixture.storage->board().die_at(k);
    const uint64_t acknowledged = script(fixture);
    const uint64_t applied = acknowledged >= 20 ? 18 : acknowledged >= 10 ? 8 : 0;
    fixture.storage = std::make_shared<FailingStorage>();
    const auto replayed = fixture.reopen(applied);
    REQUIRE(replayed.ok());
    for (const auto& [lsn, payload] : fixture.expected_after(applied)) {
      REQUIRE(replayed.value().contains(lsn));
      CHECK(replayed.value().at(lsn) == payload);
    }
    fixture.expected = replayed.value();  // what was not acknowledged may be there
    fixture.salt = 1000;
    REQUIRE(fixture.write({100, 3000, 10}).ok());
    CHECK(fixture.reopen(applied).value() == fixture.expected_after(applied));
  }
}
