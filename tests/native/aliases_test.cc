#include "engine/aliases.h"

#include <doctest/doctest.h>

#include "failing_storage.h"
#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::engine;
using asyncstore::io_test::TemporaryFolder;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::FailingStorage;
using base::Code;
using Kind = AliasAction::Kind;

namespace {

bool any(const std::string&) {
  return true;
}

// Collections are named by one letter.
bool is_collection(const std::string& name) {
  return name.size() == 1;
}

}  // namespace

TEST_CASE("aliases: what is written is read, and nothing that is damaged") {
  const AliasMap aliases = {{"Bücher", "a"}, {"b2", "a"}, {"b", "c"}};
  const auto content = encode(aliases);
  REQUIRE(parse_aliases("p", content).ok());
  CHECK(parse_aliases("p", content).value() == aliases);
  CHECK(parse_aliases("p", encode(AliasMap())).value().empty());
  for (size_t size = 0; size < content.size(); ++size) {
    CHECK(parse_aliases("p", base::Bytes(content).first(size)).error().code == Code::corruption);
  }
  for (size_t bit = 0; bit < 8 * content.size(); ++bit) {
    auto flipped = content;
    flipped[bit / 8] ^= std::byte{1} << bit % 8;
    CHECK_FALSE(parse_aliases("p", flipped).ok());
  }
  CHECK_FALSE(parse_aliases("p", encode(AliasMap{{"", "a"}})).ok());
  CHECK_FALSE(parse_aliases("p", encode(AliasMap{{"a", ""}})).ok());
}

TEST_CASE("aliases: all actions or none, and a collection that is no more has none") {
  const TemporaryFolder folder;
  const auto storage = io::make_posix_storage();
  const auto opened = [&] {
    auto aliases = std::make_unique<Aliases>(storage, folder / "ALIASES");
    aliases->open(is_collection);
    return aliases;
  };
  {
    const auto aliases = opened();
    const AliasAction first[] = {{Kind::create, "one", "a"}, {Kind::create, "two", "b"}};
    REQUIRE(aliases->change(first, is_collection).ok());
    const AliasAction wrong[] = {{Kind::remove, "one"}, {Kind::rename, "three", "four"}};
    CHECK(aliases->change(wrong, is_collection).error().code == Code::collection_not_found);
    CHECK(aliases->all().value() == AliasMap{{"one", "a"}, {"two", "b"}});
  }
  CHECK(opened()->all().value() == AliasMap{{"one", "a"}, {"two", "b"}});
  {
    // As after a crash between the end of the collection "b" and that of its alias.
    const auto aliases = std::make_unique<Aliases>(storage, folder / "ALIASES");
    aliases->open([](const std::string& name) { return name == "a"; });
    CHECK(aliases->all().value() == AliasMap{{"one", "a"}});
    CHECK(parse_aliases("p", io::read_file(*storage, folder / "ALIASES", 1 << 20).value())
              .value()
              .contains("two"));
    REQUIRE(aliases->settle().ok());  // as before another "b" comes to be
  }
  CHECK(opened()->all().value() == AliasMap{{"one", "a"}});
  opened()->forget("a");
  CHECK(opened()->all().value().empty());
}

TEST_CASE("aliases: a change whose outcome nobody knows is the last one until the next open") {
  for (const Call call : {Call::open, Call::write, Call::sync, Call::rename, Call::sync_folder}) {
    CAPTURE(static_cast<int>(call));
    const TemporaryFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    Aliases aliases(storage, folder / "ALIASES");
    aliases.open(any);
    const AliasAction first[] = {{Kind::create, "one", "a"}};
    REQUIRE(aliases.change(first, is_collection).ok());
    storage->board().arm({.call = call, .at = 1});
    const AliasAction second[] = {{Kind::create, "two", "a"}};
    CHECK(aliases.change(second, is_collection).error().code == Code::io);
    REQUIRE(storage->board().faults_met() == 1);
    CHECK(aliases.all().value() == AliasMap{{"one", "a"}});
    const bool unknown = call == Call::sync_folder;
    const base::Status again = aliases.change(second, is_collection);
    REQUIRE(again.ok() == !unknown);
    CHECK((!unknown || again.error().code == Code::failed));
    CHECK(aliases.settle().ok() == !unknown);
    Aliases reopened(storage, folder / "ALIASES");
    reopened.open(any);
    CHECK(reopened.all().value() == AliasMap{{"one", "a"}, {"two", "a"}});
  }
}

TEST_CASE("aliases: where the file cannot be read, they say so, and nothing is changed") {
  const TemporaryFolder folder;
  const auto storage = io::make_posix_storage();
  REQUIRE(
      io::replace_file(*storage, folder / "ALIASES", base::bytes_of(std::string_view("?"))).ok());
  Aliases aliases(storage, folder / "ALIASES");
  aliases.open(any);
  CHECK(aliases.all().error().code == Code::corruption);
  CHECK(aliases.all().error().file == folder / "ALIASES");
  CHECK_FALSE(aliases.contains("x").ok());
  CHECK_FALSE(aliases.settle().ok());
  const AliasAction actions[] = {{Kind::create, "one", "a"}};
  CHECK_FALSE(aliases.change(actions, is_collection).ok());
  aliases.forget("a");
  CHECK(io::read_file(*storage, folder / "ALIASES", 10).value().size() == 1);
}
