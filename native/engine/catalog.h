// The collections of a store: a numbered folder for each, found by name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/aliases.h"
#include "engine/collection.h"
#include "engine/options.h"
#include "io/storage.h"

namespace asyncstore::engine {

// A collection that could not be opened.
struct BrokenCollection {
  std::string name;  // or the folder's number, where the name cannot be read
  std::string folder;
  base::Error error;
  bool has_name = true;
};

// A number in decimal digits, such as the name of a collection's folder; 0 for other text.
uint64_t number_of(const std::string& text);

// open() and close() come first and last; create(), remove() and change_aliases() from one thread
// at a time; the others from any thread.
class Catalog {
 public:
  Catalog(std::shared_ptr<io::Storage> storage, std::string folder, const Options& options)
      : storage_(std::move(storage)),
        folder_(std::move(folder)),
        options_(options),
        aliases_(storage_, folder_ + "/ALIASES") {}

  // Opens what is there. A damaged collection does not keep the others from being used: it is
  // listed in broken(). What a crash left of a creation or a deletion is removed.
  base::Status open();
  void close();

  std::vector<std::shared_ptr<Collection>> collections() const;
  std::vector<BrokenCollection> broken() const;
  // The error of a damaged file of them.
  base::Result<AliasMap> aliases() const { return aliases_.all(); }

  base::Result<std::shared_ptr<Collection>> create(CollectionFile file);
  // False when there is none of the name. `leave` is called once for a collection that is in use:
  // it ends the collection's writes. Afterwards the files are gone, but for those that searches
  // still read. The aliases of the collection go with it.
  base::Result<bool> remove(const std::string& name, const std::function<void(Collection&)>& leave);
  base::Status change_aliases(std::span<const AliasAction> actions);

 private:
  base::Status open_folder(const std::string& number);
  void open_aliases();
  bool is_collection(const std::string& name) const;
  bool is_remnant(const std::string& folder);
  base::Status remove_files(const std::string& folder);
  base::Status mark_deleted(const std::string& folder);

  const std::shared_ptr<io::Storage> storage_;
  const std::string folder_;
  const Options& options_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Collection>> collections_;
  std::vector<BrokenCollection> broken_;
  Aliases aliases_;
  uint64_t next_number_ = 1;
};

}  // namespace asyncstore::engine
