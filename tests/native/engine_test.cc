#include "engine/engine.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "io_temporary_folder.h"
#include "quick_folder.h"
#include "store_fixture.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using asyncstore::io_test::TemporaryFolder;
using base::Code;
using engine::Choice;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int k_steps = 120;  // of random operations
#else
constexpr int k_steps = 500;
#endif

std::vector<segment::Field> two_fields() {
  return {make_field("a", 7),
          make_field("b", 4, segment::Distance::cosine, segment::Datatype::float16)};
}

// Few ids of both kinds, so that most writes overwrite.
PointId some_id(std::mt19937_64& random, uint64_t count) {
  const uint64_t number = random() % count;
  return number % 4 == 0 ? PointId{true, number % 3, number}
                         : PointId::integer(number * 1'000'000'007);
}

Vectors some_vectors(const std::vector<segment::Field>& fields, std::mt19937_64& random) {
  Vectors vectors;
  for (uint32_t field = 0; field < fields.size(); ++field) {
    if (random() % 8 > 0) {
      vectors[field] = random_vector(fields[field].dim, random);
    }
  }
  return vectors;
}

}  // namespace

TEST_CASE("engine: random operations equal the model, with optimize and reopen, on both readers") {
  const std::vector<std::vector<segment::Field>> shapes = {
      two_fields(),
      {make_field("e", 5, segment::Distance::euclid)},
      {make_field("m", 3, segment::Distance::manhattan, segment::Datatype::uint8)},
      {make_field("d", 130, segment::Distance::dot, segment::Datatype::float32,
                  quantize::Kind::none)},
  };
  for (const auto scorer : {Choice::no, Choice::automatic}) {
    for (uint64_t seed = 1; seed <= shapes.size(); ++seed) {
      CAPTURE(seed);
      CAPTURE(static_cast<int>(scorer));
      const auto& fields = shapes[seed - 1];
      const storage_test::QuickFolder folder;
      std::mt19937_64 random(seed);
      auto options = small_options(scorer);
      options.durability = seed % 2 == 0 ? wal::Durability::fsync : wal::Durability::flush;
      auto store = std::move(Store::open(folder / "store", options).value());
      REQUIRE(ok(store->create("c", fields)));
      auto collection = store->collection("c");
      Model model;
      const int steps = k_steps;
      for (int step = 0; step < steps; ++step) {
        CAPTURE(step);
        const uint64_t what = random() % 20;
        if (what < 12) {
          UpsertBatch batch(fields);
          for (uint64_t i = 0, count = 1 + random() % 60; i < count; ++i) {
            batch.add(some_id(random, 700),
                      some_vectors(fields, random));  // the same id twice as well
          }
          REQUIRE(ok(store->call([&](uint64_t ticket) {
            return store->engine().write(ticket, collection, batch.job());
          })));
          batch.apply(model);
        } else if (what < 16) {
          std::vector<PointId> ids;
          for (uint64_t i = 0, count = random() % 60; i < count; ++i) {
            ids.push_back(some_id(random, 700));
          }
          REQUIRE(ok(store->call([&](uint64_t ticket) {
            return store->engine().write(ticket, collection, delete_job(ids));
          })));
          for (const auto& id : ids) {
            model.erase(id);
          }
        } else if (what < 17) {
          REQUIRE(ok(store->optimize(collection)));
        } else if (what < 18) {
          collection.reset();
          store.reset();
          store = std::move(Store::open(folder / "store", options).value());
          collection = store->collection("c");
          REQUIRE(collection != nullptr);
          REQUIRE(collection->statistics().rebuilt.empty());
        } else {
          check_store(*store, collection, model, random());
        }
      }
      check_store(*store, collection, model, seed);
      const Completion checked = store->check(collection);
      REQUIRE(ok(checked));
      CHECK(std::get<std::vector<engine::Finding>>(checked.value).empty());
    }
  }
}

TEST_CASE("engine: many writes in flight are applied in their order") {
  const TemporaryFolder folder;
  auto store = std::move(Store::open(folder / "store", small_options()).value());
  const auto fields = two_fields();
  REQUIRE(ok(store->create("c", fields)));
  const auto collection = store->collection("c");
  std::mt19937_64 random(3);
  Model model;
  std::vector<std::unique_ptr<UpsertBatch>> batches;
  std::vector<uint64_t> tickets;
  for (int i = 0; i < 300; ++i) {
    batches.push_back(std::make_unique<UpsertBatch>(fields));
    batches.back()->add(some_id(random, 20), some_vectors(fields, random));
    batches.back()->add(some_id(random, 20), some_vectors(fields, random));
    tickets.push_back(store->submit([&](uint64_t ticket) {
      return store->engine().write(ticket, collection, batches.back()->job());
    }));
    batches.back()->apply(model);
  }
  uint64_t before = 0;
  for (const uint64_t ticket : tickets) {
    const Completion completion = store->wait(ticket);
    REQUIRE(ok(completion));
    const uint64_t lsn = std::get<uint64_t>(completion.value);
    CHECK(lsn == before + 1);
    before = lsn;
  }
  check_store(*store, collection, model, 4);
}

TEST_CASE("engine: ties break by id, thresholds, offsets and batches hold") {
  const TemporaryFolder folder;
  auto store = std::move(Store::open(folder / "store", small_options(Choice::automatic)).value());
  const std::vector<segment::Field> fields = {make_field("a", 4, segment::Distance::euclid)};
  REQUIRE(ok(store->create("c", fields)));
  const auto collection = store->collection("c");
  std::mt19937_64 random(5);
  Model model;
  // Ten vectors for a thousand points: all scores tie a hundred times. Written in four segments.
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < 10; ++i) {
    vectors.push_back(random_vector(4, random));
  }
  std::vector<uint64_t> order(1000);
  for (uint64_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::shuffle(order.begin(), order.end(), random);
  for (size_t begin = 0; begin < order.size(); begin += 250) {
    UpsertBatch batch(fields);
    for (size_t i = begin; i < begin + 250; ++i) {
      batch.add(order[i] % 5 == 0 ? PointId{true, 0, order[i]} : PointId::integer(order[i]),
                {{0, vectors[order[i] % 10]}});
    }
    REQUIRE(ok(store->call(
        [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
    batch.apply(model);
    if (begin == 250) {
      REQUIRE(ok(store->optimize(collection)));
    }
  }
  for (const bool exact : {false, true}) {
    engine::SearchRequest request;
    request.limit = 130;
    request.exact = exact;
    for (int i = 0; i < 40; ++i) {
      const auto query = random_vector(4, random);
      request.queries.insert(request.queries.end(), query.begin(), query.end());
    }
    const Completion completion = store->call(
        [&](uint64_t ticket) { return store->engine().search_batch(ticket, collection, request); });
    REQUIRE(ok(completion));
    const auto& batch = std::get<engine::Batch>(completion.value);
    REQUIRE(batch.queries == 40);
    for (size_t query = 0; query < 40; ++query) {
      const std::vector<float> one(request.queries.begin() + static_cast<ptrdiff_t>(query * 4),
                                   request.queries.begin() + static_cast<ptrdiff_t>(query * 4 + 4));
      const auto expected = nearest(model, fields[0], 0, one);
      REQUIRE(batch.counts[query] == 130);
      for (size_t i = 0; i < 130; ++i) {
        REQUIRE(batch.ids[query * 130 + i] == expected[i].first);
        REQUIRE(batch.scores[query * 130 + i] == expected[i].second);
      }
      engine::SearchRequest single = request;
      single.queries = one;
      single.limit = 1000;
      single.offset = 95;
      single.score_threshold = expected[210].second;
      const Completion some = store->search(collection, single);
      REQUIRE(ok(some));
      const auto& rows = std::get<engine::Rows>(some.value);
      const auto passing =
          static_cast<size_t>(std::count_if(expected.begin(), expected.end(), [&](const auto& hit) {
            return hit.second <= expected[210].second;
          }));
      REQUIRE(rows.ids.size() == passing - 95);
      CHECK(rows.ids[0] == expected[95].first);
    }
  }
  engine::SearchRequest little;
  little.queries = vectors[0];
  little.limit = 3;
  little.oversampling = 0.01;
  CHECK(std::get<engine::Rows>(store->search(collection, little).value).ids.size() == 3);
  little.rescore = false;
  CHECK(std::get<engine::Rows>(store->search(collection, little).value).ids.size() == 3);
  little.limit = UINT64_MAX;
  little.offset = UINT64_MAX;
  CHECK(std::get<engine::Rows>(store->search(collection, little).value).ids.empty());
}

TEST_CASE("engine: an empty collection answers everything") {
  const TemporaryFolder folder;
  auto store = std::move(Store::open(folder / "store", small_options()).value());
  REQUIRE(ok(store->create("c", two_fields())));
  check_store(*store, store->collection("c"), {}, 1);
  REQUIRE(ok(store->optimize(store->collection("c"))));
  CHECK(store->create("c", two_fields()).error->code == Code::already_exists);
  store.reset();
  store = std::move(Store::open(folder / "store", small_options()).value());
  check_store(*store, store->collection("c"), {}, 2);
}

TEST_CASE("engine: retrieve keeps the order asked and leaves out what is not there") {
  const TemporaryFolder folder;
  auto store = std::move(Store::open(folder / "store", small_options()).value());
  const auto fields = two_fields();
  REQUIRE(ok(store->create("c", fields)));
  const auto collection = store->collection("c");
  std::mt19937_64 random(6);
  Model model;
  UpsertBatch batch(fields);
  for (uint64_t i = 0; i < 100; ++i) {
    batch.add(PointId::integer(i), some_vectors(fields, random));
  }
  REQUIRE(ok(store->call(
      [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
  batch.apply(model);
  const Completion completion = store->retrieve(
      collection,
      {PointId::integer(9), PointId::integer(500), PointId::integer(3), PointId::integer(9)});
  REQUIRE(ok(completion));
  const auto& rows = std::get<engine::Rows>(completion.value);
  REQUIRE(rows.ids ==
          std::vector<PointId>{PointId::integer(9), PointId::integer(3), PointId::integer(9)});
  for (const auto& field : rows.vectors) {
    for (size_t i = 0; i < rows.ids.size(); ++i) {
      const auto& stored = model[rows.ids[i]].vectors;
      REQUIRE((field.present[i] != 0) == stored.contains(field.field));
      if (field.present[i] != 0) {
        CHECK(std::equal(stored.at(field.field).begin(), stored.at(field.field).end(),
                         field.values.begin() + static_cast<ptrdiff_t>(i * field.dim)));
      }
    }
  }
}

TEST_CASE("engine: a deleted collection is gone, its name is free, others stay") {
  const TemporaryFolder folder;
  auto store = std::move(Store::open(folder / "store", small_options()).value());
  const auto fields = two_fields();
  REQUIRE(ok(store->create("c", fields)));
  REQUIRE(ok(store->create("d", fields)));
  auto collection = store->collection("c");
  std::mt19937_64 random(7);
  UpsertBatch batch(fields);
  batch.add(PointId::integer(1), some_vectors(fields, random));
  REQUIRE(ok(store->call(
      [&](uint64_t ticket) { return store->engine().write(ticket, collection, batch.job()); })));
  const auto removed = [&](const std::string& name) {
    const Completion completion = store->call(
        [&](uint64_t ticket) { return store->engine().delete_collection(ticket, name); });
    REQUIRE(ok(completion));
    return std::get<bool>(completion.value);
  };
  CHECK(removed("c"));
  CHECK(!removed("c"));
  CHECK(store->collection("c") == nullptr);
  CHECK(store
            ->call([&](uint64_t ticket) {
              return store->engine().write(ticket, collection, batch.job());
            })
            .error->code == Code::collection_not_found);
  CHECK(store->search(collection, search_request(random_vector(7, random), 5)).error->code ==
        Code::collection_not_found);
  REQUIRE(ok(store->create("c", {fields[0]})));
  check_store(*store, store->collection("c"), {}, 1);
  collection.reset();
  store.reset();
  store = std::move(Store::open(folder / "store", small_options()).value());
  CHECK(store->engine().collections().size() == 2);
  CHECK(store->engine().broken().empty());
  CHECK(store->collection("c")->fields().size() == 1);
}

TEST_CASE("engine: what lies beside the collections is left alone") {
  const TemporaryFolder folder;
  {
    auto store = std::move(Store::open(folder / "store", small_options()).value());
    REQUIRE(ok(store->create("c", two_fields())));
  }
  std::filesystem::copy(folder / "store/collections/1", folder / "store/collections/1.backup",
                        std::filesystem::copy_options::recursive);
  std::filesystem::create_directory(folder / "store/collections/7");  // left by a crash
  auto store = std::move(Store::open(folder / "store", small_options()).value());
  CHECK(store->engine().collections().size() == 1);
  CHECK(std::filesystem::exists(folder / "store/collections/1.backup/COLLECTION"));
  CHECK(!std::filesystem::exists(folder / "store/collections/7"));
}

TEST_CASE("engine: only one open at a time, and only in a store") {
  const TemporaryFolder folder;
  auto store = std::move(Store::open(folder / "store", small_options()).value());
  const auto again = Store::open(folder / "store", small_options());
  REQUIRE(!again.ok());
  CHECK(again.error().code == Code::locked);
  store.reset();
  CHECK(Store::open(folder / "store", small_options()).ok());
  std::filesystem::create_directory(folder / "other");
  io_test::write_file(folder / "other/notes.txt", io_test::random_bytes(3, 1));
  CHECK(Store::open(folder / "other", small_options()).error().code == Code::invalid_argument);
}

TEST_CASE("engine: after close everything is answered with closed, exactly once") {
  const TemporaryFolder folder;
  auto store = std::move(Store::open(folder / "store", small_options(Choice::automatic)).value());
  const auto fields = two_fields();
  REQUIRE(ok(store->create("c", fields)));
  const auto collection = store->collection("c");
  std::mt19937_64 random(8);
  Model model;
  std::vector<std::unique_ptr<UpsertBatch>> batches;
  std::vector<std::pair<uint64_t, size_t>> writes;
  std::vector<uint64_t> others;
  for (int i = 0; i < 40; ++i) {
    batches.push_back(std::make_unique<UpsertBatch>(fields));
    batches.back()->add(PointId::integer(static_cast<uint64_t>(i)), some_vectors(fields, random));
    writes.emplace_back(store->submit([&](uint64_t ticket) {
      return store->engine().write(ticket, collection, batches.back()->job());
    }),
                        batches.size() - 1);
    const auto request = search_request(random_vector(7, random), 5);
    others.push_back(store->submit(
        [&](uint64_t ticket) { return store->engine().search(ticket, collection, request); }));
    others.push_back(store->submit([&](uint64_t ticket) {
      store->engine().optimize(ticket, collection);
      return true;
    }));
  }
  store->engine().close();
  store->engine().close();
  for (const auto& [ticket, batch] : writes) {
    CHECK(ok(store->wait(ticket)));  // taken, hence finished
    batches[batch]->apply(model);
  }
  for (const uint64_t ticket : others) {
    const Completion completion = store->wait(ticket);
    CHECK((!completion.error || completion.error->code == Code::closed));
  }
  CHECK(store->create("d", fields).error->code == Code::closed);
  CHECK(store->search(collection, search_request(random_vector(7, random), 5)).error->code ==
        Code::closed);
  CHECK(store->optimize(collection).error->code == Code::closed);
  CHECK(store->check(collection).error->code == Code::closed);
  UpsertBatch late(fields);
  late.add(PointId::integer(1), {});
  CHECK(store
            ->call([&](uint64_t ticket) {
              return store->engine().write(ticket, collection, late.job());
            })
            .error->code == Code::closed);
  store.reset();
  store = std::move(Store::open(folder / "store", small_options()).value());
  check_store(*store, store->collection("c"), model, 1);
}

TEST_CASE("engine: vectors that are not finite fail their write alone") {
  const TemporaryFolder folder;
  auto store = std::move(Store::open(folder / "store", small_options()).value());
  const auto fields = two_fields();
  REQUIRE(ok(store->create("c", fields)));
  const auto collection = store->collection("c");
  std::mt19937_64 random(9);
  Model model;
  std::vector<std::unique_ptr<UpsertBatch>> batches;
  std::vector<uint64_t> tickets;
  for (int i = 0; i < 30; ++i) {
    batches.push_back(std::make_unique<UpsertBatch>(fields));
    Vectors vectors = {{0, random_vector(7, random)}, {1, random_vector(4, random)}};
    if (i % 3 == 0) {
      vectors[1][2] = std::numeric_limits<float>::infinity();
    }
    batches.back()->add(PointId::integer(static_cast<uint64_t>(i)), vectors);
    tickets.push_back(store->submit([&](uint64_t ticket) {
      return store->engine().write(ticket, collection, batches.back()->job());
    }));
  }
  for (int i = 0; i < 30; ++i) {
    const Completion completion = store->wait(tickets[static_cast<size_t>(i)]);
    CHECK(completion.error.has_value() == (i % 3 == 0));
    if (i % 3 != 0) {
      batches[static_cast<size_t>(i)]->apply(model);
    }
  }
  check_store(*store, collection, model, 1);
  store.reset();
  store = std::move(Store::open(folder / "store", small_options()).value());
  check_store(*store, store->collection("c"), model, 2);
}

TEST_CASE("engine: searches beside writes and optimize see every point exactly once") {
  for (const auto scorer : {Choice::no, Choice::automatic}) {
    CAPTURE(static_cast<int>(scorer));
    constexpr uint64_t k_seed = 10;
    CAPTURE(k_seed);
    const TemporaryFolder folder;
    auto options = small_options(scorer);
    options.durability = wal::Durability::none;
    auto store = std::move(Store::open(folder / "store", options).value());
    const std::vector<segment::Field> fields = {make_field("a", 16)};
    REQUIRE(ok(store->create("c", fields)));
    const auto collection = store->collection("c");
    std::mt19937_64 random(k_seed);
    // 300 points that are overwritten all the time and never deleted; 100 that come and go.
    constexpr uint64_t k_steady = 300;
    std::vector<std::unique_ptr<UpsertBatch>> batches;
    std::vector<uint64_t> writes;
    const auto write_some = [&] {
      batches.push_back(std::make_unique<UpsertBatch>(fields));
      for (int i = 0; i < 40; ++i) {
        batches.back()->add(PointId::integer(random() % k_steady),
                            {{0, random_vector(16, random)}});
      }
      if (random() % 2 == 0) {
        batches.back()->add(PointId::integer(k_steady + random() % 100),
                            {{0, random_vector(16, random)}});
      }
      writes.push_back(store->submit([&](uint64_t ticket) {
        return store->engine().write(ticket, collection, batches.back()->job());
      }));
      if (random() % 4 == 0) {
        writes.push_back(store->submit([&](uint64_t ticket) {
          return store->engine().write(ticket, collection,
                                       delete_job({PointId::integer(k_steady + random() % 100)}));
        }));
      }
    };
    {
      UpsertBatch all(fields);
      for (uint64_t i = 0; i < k_steady; ++i) {
        all.add(PointId::integer(i), {{0, random_vector(16, random)}});
      }
      REQUIRE(ok(store->call(
          [&](uint64_t ticket) { return store->engine().write(ticket, collection, all.job()); })));
    }
    uint64_t optimizing = 0;
    uint64_t optimized = 0;
    // On a busy machine until one is through, which has the lower priority.
    for (int round = 0; round < 150 || (optimized == 0 && round < 10'000); ++round) {
      CAPTURE(round);
      if (optimizing == 0 || store->has_arrived(optimizing)) {
        if (optimizing > 0) {
          REQUIRE(ok(store->wait(optimizing)));
          ++optimized;
        }
        optimizing = store->submit([&](uint64_t ticket) {
          store->engine().optimize(ticket, collection);
          return true;
        });
      }
      write_some();
      write_some();
      std::vector<uint64_t> searches;
      for (int i = 0; i < 3; ++i) {
        engine::SearchRequest request;
        request.queries = random_vector(16, random);
        request.limit = 1000;
        request.exact = i == 0;
        request.with.fields = {0};
        searches.push_back(store->submit(
            [&](uint64_t ticket) { return store->engine().search(ticket, collection, request); }));
        write_some();
      }
      for (const uint64_t search : searches) {
        const Completion completion = store->wait(search);
        REQUIRE(ok(completion));
        const auto& rows = std::get<engine::Rows>(completion.value);
        std::set<PointId> seen(rows.ids.begin(), rows.ids.end());
        REQUIRE(seen.size() == rows.ids.size());
        for (uint64_t i = 0; i < k_steady; ++i) {
          REQUIRE(seen.contains(PointId::integer(i)));
        }
        for (size_t i = 1; i < rows.scores.size(); ++i) {
          REQUIRE(rows.scores[i - 1] >= rows.scores[i]);
        }
        REQUIRE(std::count(rows.vectors.at(0).present.begin(), rows.vectors.at(0).present.end(),
                           1) == static_cast<ptrdiff_t>(rows.ids.size()));
      }
      // By id as well: always there, always with a vector.
      std::vector<PointId> ids;
      for (uint64_t i = 0; i < k_steady; i += 7) {
        ids.push_back(PointId::integer(i));
      }
      const Completion retrieved = store->retrieve(collection, ids);
      REQUIRE(ok(retrieved));
      const auto& rows = std::get<engine::Rows>(retrieved.value);
      REQUIRE(rows.ids == ids);
      REQUIRE(std::count(rows.vectors.at(0).present.begin(), rows.vectors.at(0).present.end(), 1) ==
              static_cast<ptrdiff_t>(ids.size()));
      const Model scrolled = scroll_all(*store, collection, 111);
      for (uint64_t i = 0; i < k_steady; ++i) {
        REQUIRE(scrolled.contains(PointId::integer(i)));
      }
      require_derived(scrolled);
      for (const auto& [id, point] : scrolled) {
        REQUIRE((id.low >= k_steady || point.vectors.contains(0)));
      }
    }
    for (const uint64_t ticket : writes) {
      REQUIRE(ok(store->wait(ticket)));
    }
    if (optimizing > 0) {
      REQUIRE(ok(store->wait(optimizing)));
    }
    CHECK(optimized > 0);
    const Completion checked = store->check(collection);
    REQUIRE(ok(checked));
    CHECK(std::get<std::vector<engine::Finding>>(checked.value).empty());
    require_derived(scroll_at_rest(*store, collection));
  }
}

TEST_CASE("engine: merging without writes in between never loses the table of points") {
  // Every rewrite ends with a checkpoint of the same operation, whose files must not collide.
  const storage_test::QuickFolder folder;
  auto options = small_options();
  options.optimizers.indexing_threshold_bytes = 0;
  std::vector<segment::Field> fields;
  for (uint32_t i = 0; i < 8; ++i) {
    fields.push_back(make_field("f" + std::to_string(i), 3));
  }
  auto store = std::move(Store::open(folder / "store", options).value());
  REQUIRE(ok(store->create("c", fields)));
  auto collection = store->collection("c");
  std::mt19937_64 random(11);
  Model model;
  for (int round = 0; round < 5; ++round) {
    for (int part = 0; part < 4; ++part) {
      UpsertBatch batch(fields);
      for (uint64_t i = 0; i < 60; ++i) {
        Vectors vectors;
        for (uint32_t field = 0; field < fields.size(); ++field) {
          vectors[field] = random_vector(3, random);
        }
        batch.add(PointId::integer(random() % 400), vectors);
      }
      REQUIRE(ok(store->call([&](uint64_t ticket) {
        return store->engine().write(ticket, collection, batch.job());
      })));
      batch.apply(model);
      REQUIRE(ok(store->optimize(collection)));
    }
    collection.reset();
    store.reset();
    store = std::move(Store::open(folder / "store", options).value());
    collection = store->collection("c");
    REQUIRE(collection->statistics().rebuilt.empty());
    check_store(*store, collection, model, static_cast<uint64_t>(round));
  }
}
