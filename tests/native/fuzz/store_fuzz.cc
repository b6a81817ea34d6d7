// A store one of whose files was changed is opened, read, searched, written to and checked: values
// or errors, never a crash.
#include <poll.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "fuzz_folder.h"
#include "io/storage.h"

using namespace asyncstore;
using engine::Completion;
using engine::Engine;
using points::PointId;

namespace {

engine::Options small_options() {
  engine::Options options;
  options.async_scorer = engine::Choice::no;
  options.workers = 1;
  options.prewarm = false;
  options.wal_capacity_bytes = 4 << 10;
  options.optimizers.indexing_threshold_bytes = 512;
  options.optimizers.flush_interval_s = 3600;
  options.durability = wal::Durability::flush;
  return options;
}

template <typename Submit>
Completion call(Engine& store, const Submit& submit) {
  const uint64_t ticket = store.next_ticket();
  fuzz::must(submit(ticket));
  while (true) {  // a hang is a finding: libFuzzer has a time limit
    pollfd waited{store.completions().fd(), POLLIN, 0};
    ::poll(&waited, 1, 1000);
    for (auto& completion : store.completions().drain()) {
      fuzz::must(completion.ticket == ticket);
      return std::move(completion);
    }
  }
}

engine::WriteJob upsert(uint64_t first, uint64_t count, const std::vector<float>& values,
                        const std::vector<std::string>& texts) {
  engine::WriteJob job;
  for (uint64_t i = 0; i < count; ++i) {
    job.operation.ids.push_back(PointId::integer(first + i));
    job.operation.payloads.push_back(base::bytes_of(texts[i]));
  }
  job.operation.fields = {{0, values.data(), nullptr}};
  return job;
}

void write(Engine& store, const std::shared_ptr<engine::Collection>& collection, uint64_t first) {
  constexpr uint64_t k_points = 12;
  std::vector<float> values;
  std::vector<std::string> texts;
  for (uint64_t i = 0; i < k_points; ++i) {
    values.insert(values.end(), {static_cast<float>(first), static_cast<float>(i), 1});
    texts.push_back("{\"i\":" + std::to_string(first + i) + ",\"text\":\"" +
                    std::string(40 * i, 'x') + "\"}");
  }
  call(store, [&](uint64_t ticket) {
    return store.write(ticket, collection, upsert(first, k_points, values, texts));
  });
}

// Sealed segments, deleted rows, a payload journal, an alias, and a log with operations no
// checkpoint has.
void make_store(const std::string& path) {
  const std::string made = path + "-made";
  std::filesystem::remove_all(made);
  auto store = std::move(Engine::open(io::make_posix_storage(), made, small_options()).value());
  call(*store, [&](uint64_t ticket) {
    const segment::Field field{"a",
                               3,
                               segment::Distance::dot,
                               segment::Datatype::float32,
                               {.kind = quantize::Kind::scalar_int8}};
    return store->create_collection(ticket, {"c", {field}, {}, 0, {"words"}});
  });
  const auto collection = store->collections().front();
  for (const uint64_t first : {0, 6, 100}) {
    write(*store, collection, first);
    call(*store, [&](uint64_t ticket) {
      store->optimize(ticket, collection);
      return true;
    });
  }
  write(*store, collection, 200);
  call(*store, [&](uint64_t ticket) {
    return store->update_aliases(ticket, {{engine::AliasAction::Kind::create, "letters", "c"}});
  });
  std::filesystem::copy(made, path, std::filesystem::copy_options::recursive);
  store.reset();
  std::filesystem::remove_all(made);
}

void use(Engine& store, const std::shared_ptr<engine::Collection>& collection) {
  engine::With with;
  const engine::Schema schema = collection->schema();
  for (uint32_t number = 0; number < schema.vectors(); ++number) {
    with.fields.push_back(number);
  }
  with.payload.kind = engine::PayloadSelection::Kind::all;
  call(store, [&](uint64_t ticket) {
    return store.scroll(ticket, collection, PointId::integer(0), 1000, nullptr, with);
  });
  for (const bool exact : {false, true}) {
    if (collection->fields().empty()) {
      break;
    }
    engine::SearchRequest request;
    request.queries.assign(collection->fields()[0].dim, 1.0F);
    request.exact = exact;
    request.with = with;
    call(store, [&](uint64_t ticket) { return store.search(ticket, collection, request); });
  }
  call(store, [&](uint64_t ticket) {
    store.check(ticket, collection, true);
    return true;
  });
  if (collection->fields().size() == 1 && collection->fields()[0].dim == 3) {
    write(store, collection, 150);
  }
  call(store, [&](uint64_t ticket) {
    store.optimize(ticket, collection);
    return true;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::FuzzedFolder folder("store", make_store);
  const std::string& path = folder.change(fuzz::Input(data, size));
  const auto opened = Engine::open(io::make_posix_storage(), path, small_options());
  if (opened.ok()) {
    for (const auto& collection : opened.value()->collections()) {
      use(*opened.value(), collection);
    }
    static_cast<void>(opened.value()->aliases().ok());
  }
  return 0;
}
