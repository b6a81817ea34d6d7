#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "failing_storage.h"
#include "fields/field_file.h"
#include "fields_payloads.h"
#include "io/checked_file.h"
#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::fields_test;
using namespace asyncstore::io_test;
using base::Code;
using fields::FieldIndex;
using fields::load_field;

namespace {

constexpr uint64_t k_owner = 77;
constexpr uint64_t k_lsn = 123;
constexpr io::Magic k_magic = {'A', 'S', 'F', 'I', 'E', 'L', 'D', '1'};

// Its syncs are quick.
const auto g_storage = std::make_shared<storage_test::FailingStorage>();

void fill(FieldIndex& index, Generator& generator, uint32_t slots) {
  for (uint32_t i = 0; i < 2 * slots; ++i) {
    const auto slot = static_cast<uint32_t>(generator.below(slots));
    if (generator.below(5) == 0) {
      index.remove(slot);
    } else {
      index.set(slot, values_of(index.schema(), generator.payload()));
    }
  }
}

base::Status save(FieldIndex& index, const std::string& path) {
  index.begin_snapshot();
  auto status = index.write(*g_storage, path, k_owner, k_lsn);
  index.end_snapshot();
  return status;
}

std::unique_ptr<FieldIndex> loaded(const std::string& path) {
  auto result = load_field(*g_storage, path, k_owner);
  REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : result.error().message));
  CHECK(result.value().lsn == k_lsn);
  return std::move(result.value().index);
}

// An index with some of everything, in a file.
void write_small(const std::string& path, Kind kind, uint32_t slots = 30) {
  FieldIndex index(schema_of(kind, "a"));
  Generator generator(kind, 5, true);
  fill(index, generator, slots);
  REQUIRE(save(index, path).ok());
}

// Uses all that an index offers.
void exercise(FieldIndex& index, uint64_t seed) {
  Generator generator(index.schema().kind, seed, true);
  for (int i = 0; i < 10; ++i) {
    index.answer(generator.test(), 40);
    index.answer(generator.own_test(), 40);
    index.estimate(generator.own_test());
  }
  if (fields::has_counts(index.schema())) {
    count_values(index, nullptr, 100);
  }
  if (fields::has_order(index.schema())) {
    fields::OrderWalk walk(index.schema().kind, {});
    while (!index.next(walk, 100).empty()) {
    }
  }
  fill(index, generator, 40);
}

}  // namespace

TEST_CASE("field file: what was written is what is loaded, and goes on alike") {
  const TemporaryFolder folder;
  for (const Kind kind : k_all_kinds) {
    const uint64_t seed = 500 + static_cast<uint64_t>(kind);
    CAPTURE(seed);
    Generator generator(kind, seed, true);
    FieldIndex index(schema_of(kind, kind == Kind::real ? R"(x."y z"[].b)" : "a"));
    for (int round = 0; round < 3; ++round) {
      REQUIRE(save(index, folder / "f").ok());
      const auto again = loaded(folder / "f");
      CHECK(again->schema().key == index.schema().key);
      CHECK(again->schema().path == index.schema().path);
      CHECK(again->schema().kind == kind);
      check_same(index, *again, 3000, seed);
      // Both go on, and are written again.
      const uint64_t next = generator.below(1000);
      Generator left(kind, next, true);
      Generator right(kind, next, true);
      fill(index, left, 2500);
      fill(*again, right, 2500);
      check_same(index, *again, 3000, seed + 1);
    }
  }
  FieldIndex integers({payload::path_of("n"), "n", Kind::integer, false, true});
  REQUIRE(save(integers, folder / "n").ok());
  const auto again = loaded(folder / "n");
  CHECK(!again->schema().lookup);
  CHECK(again->schema().range);
}

TEST_CASE("field file: it holds the moment when the snapshot began") {
  const TemporaryFolder folder;
  for (const Kind kind : k_all_kinds) {
    const uint64_t seed = 600 + static_cast<uint64_t>(kind);
    CAPTURE(seed);
    Generator generator(kind, seed, true);
    FieldIndex index(schema_of(kind));
    FieldIndex twin(schema_of(kind));  // stays as it was
    Generator first(kind, seed, true);
    Generator second(kind, seed, true);
    fill(index, first, 4000);
    fill(twin, second, 4000);
    for (const bool at_once : {false, true}) {
      index.begin_snapshot();
      base::Status status;
      const auto write = [&] { status = index.write(*g_storage, folder / "s", k_owner, k_lsn); };
      if (at_once) {
        std::atomic<bool> done = false;
        std::thread writing([&] {
          write();
          done = true;
        });
        for (int i = 0; i < 2000 || !done; ++i) {
          const auto slot = static_cast<uint32_t>(generator.below(6000));
          if (i % 4 == 0) {
            index.remove(slot);
          } else {
            index.set(slot, values_of(index.schema(), generator.payload()));
          }
        }
        writing.join();
      } else {
        fill(index, generator, 6000);
        write();
      }
      REQUIRE(status.ok());
      index.end_snapshot();
      check_same(*loaded(folder / "s"), twin, 6000, seed, 30);
      // What came in between is in the next one, and in the twin, which is loaded from it.
      REQUIRE(save(index, folder / "t").ok());
      const auto now = loaded(folder / "t");
      check_same(*now, index, 6000, seed, 30);
      const uint64_t next = generator.below(1000);
      Generator left(kind, next, true);
      Generator right(kind, next, true);
      for (uint32_t slot = 0; slot < 6000; ++slot) {
        index.set(slot, values_of(index.schema(), left.payload()));
        twin.set(slot, values_of(index.schema(), right.payload()));
      }
      check_same(index, twin, 6000, seed, 30);
    }
  }
}

TEST_CASE("field file: terms that went during a snapshot are given back after it") {
  const TemporaryFolder folder;
  FieldIndex index(schema_of(Kind::keyword));
  const auto set_all = [&](const std::string& name) {
    for (uint32_t slot = 0; slot < 1000; ++slot) {
      auto values = fields::values_of_nothing();
      values.terms = {name + std::to_string(slot)};
      index.set(slot, values);
    }
  };
  set_all("first");
  const uint64_t bytes = index.ram_bytes();
  index.begin_snapshot();
  for (const char* name : {"a", "b", "first", "c"}) {
    set_all(name);
  }
  REQUIRE(index.write(*g_storage, folder / "f", k_owner, k_lsn).ok());
  CHECK(index.ram_bytes() > 2 * bytes);
  index.end_snapshot();
  for (int round = 0; round < 4; ++round) {
    set_all("d" + std::to_string(round));
  }
  CHECK(index.ram_bytes() < 3 * bytes);
  CHECK(count_values(index, nullptr, 2000).size() == 1000);
  CHECK(count_values(*loaded(folder / "f"), nullptr, 1)[0].value == filter::Scalar("first0"));
}

TEST_CASE("field file: damaged, cut and foreign files are corruption") {
  const TemporaryFolder folder;
  for (const Kind kind : {Kind::keyword, Kind::integer, Kind::uuid, Kind::text}) {
    write_small(folder / "a", kind);
    CHECK(load_field(*g_storage, folder / "a", k_owner).ok());
    CHECK(load_field(*g_storage, folder / "a", k_owner + 1).error().code == Code::corruption);
    CHECK(load_field(*g_storage, folder / "none", k_owner).error().code == Code::io);
    auto content = io::read_file(*g_storage, folder / "a", UINT64_MAX).value();
    const auto check_damaged = [&](const std::vector<std::byte>& bytes) {
      write_file(folder / "b", bytes);
      const auto result = load_field(*g_storage, folder / "b", k_owner);
      REQUIRE(!result.ok());
      CHECK(result.error().code == Code::corruption);
      CHECK(result.error().file == folder / "b");
    };
    for (size_t at = 0; at < content.size(); ++at) {
      CAPTURE(at);
      content[at] ^= std::byte{2};
      check_damaged(content);
      content[at] ^= std::byte{2};
      check_damaged({content.begin(), content.begin() + static_cast<ptrdiff_t>(at)});
    }
  }
}

TEST_CASE("field file: whatever it says, nothing crashes and little memory is taken") {
  const TemporaryFolder folder;
  for (const Kind kind : k_all_kinds) {
    write_small(folder / "a", kind);
    const auto file = io::CheckedFile::open(*g_storage, folder / "a");
    REQUIRE(file.ok());
    std::vector<std::byte> payload(file.value().payload_bytes());
    REQUIRE(file.value().read(0, payload).ok());
    const uint64_t seed = 700 + static_cast<uint64_t>(kind);
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    int accepted = 0;
    for (int i = 0; i < 400; ++i) {
      auto changed = payload;
      auto fields = file.value().fields();
      switch (random() % 5) {
        case 0:
          changed.resize(random() % changed.size());
          break;
        case 1:
          fields[random() % 4] ^= uint64_t{1} << (random() % 64);
          break;
        default:
          for (uint64_t k = 0; k <= random() % 3; ++k) {
            const std::byte bits{static_cast<uint8_t>(random() % 2 == 0 ? 255 : random())};
            changed[random() % changed.size()] ^= bits;
          }
      }
      // With checksums that are right.
      auto writer =
          io::CheckedFileWriter::create(*g_storage, folder / "b", {k_magic, k_owner}, fields);
      REQUIRE(writer.ok());
      REQUIRE(writer.value().append(changed).ok());
      REQUIRE(writer.value().finish().ok());
      auto result = load_field(*g_storage, folder / "b", k_owner);
      if (result.ok()) {
        ++accepted;
        exercise(*result.value().index, i);
      } else {
        REQUIRE(result.error().code == Code::corruption);
      }
    }
    CHECK(accepted < 400);
  }
}

TEST_CASE("field file: a disk that fails is an error, and the next attempt may succeed") {
  const TemporaryFolder folder;
  FieldIndex index(schema_of(Kind::keyword));
  Generator generator(Kind::keyword, 9, true);
  fill(index, generator, 500);
  index.begin_snapshot();
  fill(index, generator, 500);
  for (const auto call :
       {storage_test::Call::open, storage_test::Call::write, storage_test::Call::sync}) {
    storage_test::FailingStorage storage;
    storage.board().arm({call, 1, ENOSPC, 7});
    const auto status = index.write(storage, folder / "f", k_owner, k_lsn);
    REQUIRE(!status.ok());
    CHECK(status.error().code == Code::io);
  }
  REQUIRE(index.write(*g_storage, folder / "f", k_owner, k_lsn).ok());
  REQUIRE(index.write(*g_storage, folder / "g", k_owner, k_lsn).ok());
  index.end_snapshot();
  check_same(*loaded(folder / "f"), *loaded(folder / "g"), 500, 1);
  storage_test::FailingStorage storage;
  storage.board().arm({storage_test::Call::read, 3, EIO, 0});
  CHECK(load_field(storage, folder / "f", k_owner).error().code == Code::io);
}
