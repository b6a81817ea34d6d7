// Other names of collections: one small file, ALIASES, that each change replaces as a whole
// (framed_file.h). Where it is not there, there are none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/storage.h"

namespace asyncstore::engine {

// The collection of each alias.
using AliasMap = std::map<std::string, std::string>;

struct AliasAction {
  enum class Kind : uint8_t { create, remove, rename };
  Kind kind = Kind::create;
  std::string alias;
  std::string target = {};  // of a creation the collection, of a renaming the new alias
};

// A name is wanted that a collection has.
inline base::Error name_taken(const std::string& name) {
  return {base::Code::already_exists, "Collection `" + name + "` already exists!"};
}

std::vector<std::byte> encode(const AliasMap& aliases);
base::Result<AliasMap> parse_aliases(const std::string& path, base::Bytes content);

// all() and contains() from any thread, the others from one at a time. Where the file could not be
// read, these and the changes answer why; collections can be used all the same.
class Aliases {
 public:
  using IsCollection = std::function<bool(const std::string& name)>;

  Aliases(std::shared_ptr<io::Storage> storage, std::string path)
      : storage_(std::move(storage)), path_(std::move(path)) {}

  // Passes over aliases of collections that are no more: a crash came between the end of the
  // collection and theirs.
  void open(const IsCollection& may_be_collection);

  base::Result<AliasMap> all() const;
  base::Result<bool> contains(const std::string& alias) const;

  // All actions, one after the other, or none; durable when this returns. After a failure that
  // leaves open which file a crash would show, changes are refused until the store is opened again.
  base::Status change(std::span<const AliasAction> actions, const IsCollection& is_collection);
  // A collection is no more, and so are its aliases, whether or not that can be written now.
  void forget(const std::string& collection);
  // Before a collection comes to be: the file has no alias that was forgotten, which would be its.
  base::Status settle();

 private:
  base::Status save(const AliasMap& aliases);

  const std::shared_ptr<io::Storage> storage_;
  const std::string path_;
  mutable std::mutex mutex_;
  AliasMap aliases_;
  std::optional<base::Error> damage_;   // why the file could not be read
  std::optional<base::Error> failure_;  // why nothing can be changed
  AliasMap saved_;                      // what the file has
};

}  // namespace asyncstore::engine
