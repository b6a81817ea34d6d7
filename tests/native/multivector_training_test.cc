// Product codes of multivectors: int8 until there are rows enough, then trained, saved and
// followed.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "multivector/code_index.h"
#include "one_collection.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;

namespace {

constexpr uint32_t k_dim = 2;
constexpr uint64_t k_enough_rows = 65536;

// Nothing is trained but by optimize().
engine::Options quiet_options() {
  engine::Options options = small_options();
  options.optimizers.indexing_threshold_bytes = 0;
  return options;
}

// A collection of one multivector with product codes, and what its points have.
struct Fixture : OneCollection {
  Fixture() : OneCollection({make_field("a", 1)}, nullptr, quiet_options()) {
    multi.quantization.kind = quantize::Kind::product;
    multi.quantization.compression = 4;
    store->call([&](uint64_t ticket) {
      return store->engine().create_collection(ticket, {"m", fields, {}, 0, {}, {multi}});
    });
    take();
  }
  void take() { collection = store->collection("m"); }
  void reopen() {
    open();
    take();
  }
  engine::WriteJob job(uint64_t id) {
    engine::WriteJob job;
    job.operation.kind = engine::Kind::upsert;
    job.operation.ids = {PointId::integer(id)};
    offsets = {0, model[id].size() / k_dim};
    job.operation.multivectors = {{0, offsets.data(), model[id].data(), nullptr}};
    return job;
  }
  void put(uint64_t id, size_t rows) {
    std::normal_distribution<float> normal(static_cast<float>(id), 20);
    std::vector<float>& given = model[id];
    given.resize(rows * k_dim);
    std::generate(given.begin(), given.end(), [&] { return normal(random); });
    REQUIRE(ok(write(job(id))));
  }
  void remove(uint64_t id) {
    engine::WriteJob job;
    job.operation.kind = engine::Kind::remove;
    job.operation.ids = {PointId::integer(id)};
    REQUIRE(ok(write(std::move(job))));
    model.erase(id);
  }
  // The codes are those of what the points have, by a quantizer that was trained on so many rows.
  void check(uint64_t trained_rows) {
    const auto view = collection->view();
    const multivector::CodeSnapshot& codes = *view->multivectors.at(0);
    const quantize::Quantizer& quantizer = *codes.made_by.quantizer;
    CHECK(codes.made_by.trained_rows == trained_rows);
    CHECK(quantizer.kind() ==
          (trained_rows > 0 ? quantize::Kind::product : quantize::Kind::scalar_int8));
    REQUIRE(codes.live == model.size());
    uint64_t rows = 0;
    std::vector<uint8_t> expected(quantizer.code_bytes());
    for (const auto& window : codes.windows) {
      const uint8_t* code = window->codes.get();
      for (uint32_t point = 0; point < window->points; ++point) {
        const bool live = window->is_live(point);
        const auto id = live ? collection->table().id(window->slot(point)).low : 0;
        REQUIRE((!live || model.at(id).size() == size_t{window->rows(point)} * k_dim));
        for (size_t row = 0; row < window->rows(point); ++row, code += expected.size()) {
          if (live) {
            quantizer.encode(model.at(id).data() + row * k_dim, expected.data());
            REQUIRE(std::equal(expected.begin(), expected.end(), code));
            ++rows;
          }
        }
      }
    }
    CHECK(codes.rows == rows);
  }
  void optimize() { REQUIRE(ok(store->optimize(collection))); }

  segment::Field multi = {"rows", k_dim, segment::Distance::dot, segment::Datatype::float32,
                          {},     {}};
  std::map<uint64_t, std::vector<float>> model;
  std::vector<uint64_t> offsets;
  std::mt19937_64 random{7};
};

}  // namespace

TEST_CASE("multivector training: once there are rows enough, and when they are ten times as many") {
  Fixture fixture;
  fixture.put(1, 40'000);
  fixture.put(2, 5);
  fixture.put(3, k_enough_rows - 40'006);
  fixture.optimize();
  fixture.check(0);
  fixture.put(3, k_enough_rows - 40'005);
  fixture.optimize();
  fixture.check(k_enough_rows);
  fixture.reopen();
  CHECK(fixture.collection->statistics().rebuilt.empty());
  fixture.check(k_enough_rows);
  fixture.put(1, 300'000);  // what is written is encoded as what is there
  fixture.put(4, 300'000);
  fixture.remove(3);
  fixture.optimize();
  fixture.check(k_enough_rows);
  fixture.put(5, 10 * k_enough_rows - 600'005);
  fixture.check(k_enough_rows);
  fixture.optimize();
  fixture.check(10 * k_enough_rows);
  const auto checked = fixture.store->check(fixture.collection);
  REQUIRE(ok(checked));
  CHECK(std::get<std::vector<engine::Finding>>(checked.value).empty());
}

TEST_CASE("multivector training: what is written meanwhile is not missed") {
  Fixture fixture;
  for (uint64_t id = 1; id <= 40; ++id) {
    fixture.put(id, 2000);
  }
  const uint64_t ticket = fixture.store->submit([&](uint64_t asked) {
    fixture.store->engine().optimize(asked, fixture.collection);
    return true;
  });
  for (uint64_t round = 0; round < 400; ++round) {
    const uint64_t id = 1 + fixture.random() % 60;
    if (round % 5 == 0 && fixture.model.contains(id)) {
      fixture.remove(id);
    } else {
      fixture.put(id, 1 + fixture.random() % 3000);
    }
  }
  REQUIRE(ok(fixture.store->wait(ticket)));
  fixture.optimize();
  const auto codes = fixture.collection->view()->multivectors.at(0);
  fixture.check(codes->made_by.trained_rows);
  CHECK(codes->made_by.trained_rows >= k_enough_rows);
  fixture.reopen();
  fixture.check(codes->made_by.trained_rows);
}

TEST_CASE("multivector training: lost codes are int8 until they are trained again") {
  Fixture fixture;
  fixture.put(1, k_enough_rows);
  fixture.optimize();
  fixture.check(k_enough_rows);
  fixture.store.reset();
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(fixture.folder / "store")) {
    if (entry.path().extension() == ".multi") {
      std::filesystem::resize_file(entry.path(), 1000);
    }
  }
  fixture.reopen();
  CHECK(fixture.collection->statistics().rebuilt.size() == 1);
  fixture.check(0);
  fixture.optimize();
  fixture.check(k_enough_rows);
}
